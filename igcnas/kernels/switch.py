"""Which way an operation is computed: Triton or stock PyTorch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec

import torch

_stock = False


@lru_cache(maxsize=1)
def available() -> bool:
    """Whether Triton is installed."""
    return find_spec("triton") is not None


def interpreted() -> bool:
    """Whether kernels run in Triton's interpreter, on the CPU: TRITON_INTERPRET=1 before anything imports triton."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def chosen(*tensors: torch.Tensor) -> bool:
    """Whether these tensors go to Triton: it is there, they are where it runs, not float64, and of 32-bit offsets."""
    if _stock or not available():
        return False
    place = "cpu" if interpreted() else "cuda"
    return all(
        tensor.device.type == place and tensor.dtype != torch.float64 and tensor.numel() < 2**31 for tensor in tensors
    )


@contextmanager
def stock() -> Iterator[None]:
    """Within this context every operation is computed by stock PyTorch; of the process, not of a thread."""
    global _stock
    before, _stock = _stock, True
    try:
        yield
    finally:
        _stock = before
