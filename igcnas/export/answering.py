"""The files of an export run: a function from images to logits, by ONNX Runtime, OpenVINO, torch or the compiled C."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from igcnas.errors import IgcnasError, MissingExtraError, unknown_name

if TYPE_CHECKING:
    import torch

# From float images (n, channels, height, width), values in [0, 1], to logits (n, classes).
Answer: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def answering(folder: Path, runtime: str, threads: int | None = None) -> Answer:
    """The network in the folder of an export.

    Args:
        folder: where its files are.
        runtime: 'onnx', 'openvino', 'torch' or 'c'; the last two run a program of the folder.
        threads: of the runtime; None: as many as it likes. model.c has one.

    Raises:
        IgcnasError: the file that it takes is missing or damaged, or the runtime is not installed.
    """
    if runtime not in _WAYS:
        raise IgcnasError(unknown_name("runtime", runtime, _WAYS))
    return _WAYS[runtime](folder, threads)


def module_in(folder: Path) -> torch.nn.Module:
    """The torch module of the folder's model.py, with its weights."""
    path = folder / "model.py"
    try:
        spec = importlib.util.spec_from_file_location("model", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        network: torch.nn.Module = module.load()
    except Exception as error:  # a program of its own raises anything
        reason = " ".join(str(error).split())
        raise IgcnasError(f"{path} does not run ({type(error).__name__}: {reason}); export the network again") from None
    return network


def _by_onnx(folder: Path, threads: int | None) -> Answer:
    import onnxruntime

    path = _onnx_file(folder)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = options.inter_op_num_threads = threads
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises what its parts raise
        raise IgcnasError(f"{path} cannot be read as ONNX ({str(error).splitlines()[0]})") from None
    name = session.get_inputs()[0].name

    def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = session.run(None, {name: images})[0]
        return logits

    return run


def _by_openvino(folder: Path, threads: int | None) -> Answer:
    path = _onnx_file(folder)
    require_openvino()
    import openvino  # type: ignore[import-not-found, unused-ignore]

    settings = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1}
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = threads
    try:
        request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()
    except Exception as error:  # openvino raises what its parts raise
        raise IgcnasError(f"{path} cannot be read by OpenVINO ({str(error).splitlines()[0]})") from None

    def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = request.infer([images])[0]
        return logits

    return run


def require_openvino() -> None:
    """MissingExtraError where it is not installed."""
    if importlib.util.find_spec("openvino") is None:
        raise MissingExtraError("the runtime openvino needs OpenVINO: pip install openvino")


def _onnx_file(folder: Path) -> Path:
    path = folder / "model.onnx"
    if not path.is_file():
        raise IgcnasError(f"{folder} holds no model.onnx; export the network again, or use the runtime torch")
    return path


def _by_torch(folder: Path, threads: int | None) -> Answer:
    import torch

    network = module_in(folder)
    if threads is not None:
        torch.set_num_threads(threads)

    def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            logits: NDArray[np.float32] = network(torch.from_numpy(images)).numpy()
        return logits

    return run


def _by_c(folder: Path, threads: int | None) -> Answer:
    from igcnas.export.c.compiling import compiled

    return compiled(folder / "model.c")


_WAYS: dict[str, Callable[[Path, int | None], Answer]] = {
    "onnx": _by_onnx,
    "torch": _by_torch,
    "c": _by_c,
    "openvino": _by_openvino,
}
