"""One ONNX file of a network, weights inside, for batches of any size.

The exporter of torch writes opset 18 and later; an older one is made of that by the converter of ONNX. That the file
can be run is found by ONNX Runtime (parity.py).
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import torch
from torch import nn

from igcnas.errors import ExportError
from igcnas.system.files import replacing

INPUT = "image"
OUTPUT = "logits"
OPSETS = (17, 25)
_LEAST_OF_TORCH = 18


def check_opset(opset: int | None) -> None:
    """ExportError for one that is not written; None is the usual one of torch."""
    if opset is not None and not OPSETS[0] <= opset <= OPSETS[1]:
        raise ExportError(
            f"--opset {opset} cannot be written; {OPSETS[0]} to {OPSETS[1]} can, and without the option torch chooses"
        )


def write_onnx(
    path: Path,
    module: nn.Module,
    input_shape: tuple[int, int, int],
    metadata: Mapping[str, str],
    opset: int | None = None,
) -> int:
    """Write `module`; its input is named image, its output logits, and `metadata` becomes properties of the model.

    The opset of the file: the one that is asked for, else that of torch. ExportError where it cannot be had.
    """
    check_opset(opset)
    # Not 1: some releases of the exporter would then fix the batch to 1.
    example = torch.zeros(2, *input_shape)
    with _silence():
        try:
            program = torch.onnx.export(
                module.eval(),
                (example,),
                dynamo=True,
                external_data=False,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                opset_version=None if opset is None else max(opset, _LEAST_OF_TORCH),
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise ExportError(f"torch cannot export this network to ONNX: {str(error).splitlines()[0]}") from error
        if program is None:
            raise ExportError("torch made no ONNX program; use a release of torch that pyproject.toml allows")
        model = program.model
        model.metadata_props.update(metadata)
        # The exporter notes on every node which line of which file made it: paths of this computer, half of the file.
        for node in model.graph:
            node.metadata_props.clear()
            node.doc_string = None
        with replacing(path) as temporary:
            program.save(str(temporary), external_data=False)
            if opset is not None and opset < _LEAST_OF_TORCH:
                _convert(temporary, opset)
            found = _opset(temporary)
    if opset not in (None, found):
        path.unlink()
        raise ExportError(
            f"--opset {opset}: the releases of torch and onnx here made opset {found} of it; leave it out, or try a "
            "later one"
        )
    return found


def _convert(path: Path, opset: int) -> None:
    """The file in an older opset; ExportError where that lacks an operator of it."""
    import onnx
    from onnx import version_converter

    model = onnx.load(path)
    for node in model.graph.node:  # the converter leaves these attributes, which mean nothing where they are 0
        new = [one for one in node.attribute if one.name == "noop_with_empty_axes" and not one.i]
        for attribute in new:
            node.attribute.remove(attribute)
    try:
        older = version_converter.convert_version(model, opset)
        onnx.checker.check_model(older)
    except Exception as error:  # the converter raises what its parts raise
        reason = " ".join(str(error).split())[:200]
        raise ExportError(
            f"this network cannot be written in opset {opset} ({reason}); {_LEAST_OF_TORCH} and later work"
        ) from error
    del older.metadata_props[:]
    older.metadata_props.extend(model.metadata_props)
    onnx.save(older, path)


def _opset(path: Path) -> int:
    """That of the operators of ONNX itself."""
    import onnx

    return next(int(one.version) for one in onnx.load(path).opset_import if one.domain in ("", "ai.onnx"))


@contextmanager
def _silence() -> Iterator[None]:
    """Swallow what the exporter prints, warns and logs; errors still come."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
