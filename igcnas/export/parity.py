"""Do all forms of one network give the same logits? Each form is run as its user would run it."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import nn

from igcnas.errors import ExportError
from igcnas.export.onnx import INPUT
from igcnas.system.files import machine_fault

TOLERANCE = 1e-4
BATCHES = (1, 5)
# Images at a time; not below any of BATCHES. 5 times faster than 256 at a time on one thread (IGC V3, 32x32): caches.
CHUNK = 8

# What model.py may import beside the standard library: that is its promise, and no other is seen from there.
_ALLOWED = sys.stdlib_module_names | {"torch", "PIL"}


def run_torch(module: nn.Module, batches: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Logits of a module for images (n, channels, height, width): float in [0, 1], or uint8, divided by 255."""
    module.eval()
    with torch.inference_mode(), _one_thread():
        return [torch.cat([module(unit(part)) for part in torch.split(images, CHUNK)]) for images in batches]


def run_onnx(path: Path, batches: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Logits by ONNX Runtime on one thread of the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises what its parts raise
        reason = str(error).splitlines()[0]
        raise ExportError(
            f"ONNX Runtime {onnxruntime.__version__} cannot run {path.name} ({reason}); nothing was exported: try a "
            "lower --opset, or a later onnxruntime"
        ) from error

    def logits(images: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(session.run(None, {INPUT: unit(images).numpy()})[0])

    return [torch.cat([logits(part) for part in torch.split(images, CHUNK)]) for images in batches]


def run_source(path: Path, batches: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Logits by model.py with the weights beside it, which can import torch, Pillow and the standard library alone."""
    names: dict[str, Any] = {
        "__name__": "model",
        "__file__": str(path.absolute()),
        "__builtins__": vars(builtins) | {"__import__": _import_allowed},
    }
    try:
        with torch.random.fork_rng(devices=[]):  # its layers draw first weights
            exec(compile(path.read_bytes(), str(path), "exec", dont_inherit=True), names)
            network = names["load"]()
    except Exception as error:  # whatever is wrong with it, its user would see the same
        fault = machine_fault(error)
        if fault is not None:
            raise fault from error
        raise ExportError(f"{path} does not run by itself: {type(error).__name__}: {error}") from error
    return run_torch(network, batches)


def _import_allowed(
    name: str,
    globals: Mapping[str, Any] | None = None,
    locals: Mapping[str, Any] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    """What `import` does in model.py: ImportError for all that it promises to do without."""
    if level or name.partition(".")[0] not in _ALLOWED:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return builtins.__import__(name, globals, locals, fromlist or (), level)


def random_batches(input_shape: tuple[int, int, int], *, seed: int = 0) -> list[torch.Tensor]:
    """The same random images in [0, 1] for each seed, one batch of each size."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(size, *input_shape, generator=generator) for size in BATCHES]


def compare(expected: Sequence[torch.Tensor], forms: Mapping[str, Sequence[torch.Tensor]]) -> dict[str, float]:
    """Largest difference of each form to the expected logits, as a part of max(1, the largest logit).

    ExportError, which names the form, where it is above TOLERANCE.
    """
    differences = {}
    for name, logits in forms.items():
        # torch's max, because Python's overlooks NaN; and `not ... <=`, so that NaN is refused.
        difference = float(torch.tensor([_difference(e, f) for e, f in zip(expected, logits, strict=True)]).max())
        if not difference <= TOLERANCE:
            raise ExportError(
                f"{name} differs from the trained network by {difference:.2g} of the largest logit, more than "
                f"{TOLERANCE:g}; nothing was exported: check the training for overflow, or report a bug"
            )
        differences[name] = difference
    return differences


def accuracy(logits: torch.Tensor, labels: np.ndarray) -> float:
    """Percent of labels, shape (n,), that are the largest logit."""
    return 100.0 * int((logits.argmax(1).numpy() == labels).sum()) / len(labels)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Four threads took 20 times as long as one on a busy four-core computer: small convolutions keep waiting."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _difference(expected: torch.Tensor, found: torch.Tensor) -> float:
    if expected.shape != found.shape:
        return float("inf")
    return float((expected - found).abs().max()) / float(expected.abs().max().clamp(min=1.0))


def unit(images: torch.Tensor) -> torch.Tensor:
    """Images in [0, 1]: uint8 divided by 255."""
    return images if images.is_floating_point() else images / 255
