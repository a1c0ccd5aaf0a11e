"""`igcnas.load`: an exported network by its folder."""

from __future__ import annotations

from pathlib import Path

from igcnas.export.network import ExportedNetwork, Runtime


def load(folder: str | Path, *, runtime: Runtime = "onnx", threads: int | None = None) -> ExportedNetwork:
    """The network in the folder of an export, which answers pictures: `load(folder).predict(["photo.jpg"])`.

    Args:
        folder: what a search, `igcnas finish` or `igcnas export` wrote, such as studies/NAME/final.
        runtime: 'onnx' for ONNX Runtime and 'openvino' for OpenVINO, both on model.onnx; 'torch' for the folder's
            model.py, 'c' for its model.c, which a C compiler of this machine compiles. The last two are programs: run
            none that you do not trust.
        threads: of the runtime; None: as many as it likes. model.c has one.

    Raises:
        IgcnasError: the folder is no export, or a file of it is damaged.
    """
    return ExportedNetwork.load(folder, runtime=runtime, threads=threads)
