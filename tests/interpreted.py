"""Kernels in Triton's interpreter. Import this before anything imports triton: collecting the tests does."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from igcnas.kernels.lazy import Affine, GradientAffine, Moments, Sums

PROGRAMS = ("depthwise", "norm", "pointwise", "augment", "sgd")
INSTALLED = find_spec("triton") is not None

if INSTALLED:
    assert "triton" not in sys.modules, "triton was imported before the interpreter was asked for"
    os.environ["TRITON_INTERPRET"] = "1"
    for program in PROGRAMS:
        import_module(f"igcnas.kernels.source.{program}")
    del os.environ["TRITON_INTERPRET"]

needs_triton = pytest.mark.skipif(not INSTALLED, reason="triton is not installed")


def numbers(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Normal numbers; four dimensions are channels_last."""
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed + sum(shape))).to(dtype)
    return values.contiguous(memory_format=torch.channels_last) if len(shape) == 4 else values


def affine(channels: int, seed: int = 0) -> Affine:
    return Affine(1 + 0.5 * numbers(channels, seed=seed), numbers(channels, seed=seed + 1))


def gradient_affine(y: torch.Tensor, seed: int = 0) -> GradientAffine:
    return GradientAffine(y, *(numbers(y.shape[1], seed=seed + part) for part in range(3)))


def double(value: Any) -> Any:
    """The same in float64: tensors, and tuples and dictionaries of them."""
    if isinstance(value, torch.Tensor):
        return value.double() if value.is_floating_point() else value
    if isinstance(value, dict):
        return {name: double(entry) for name, entry in value.items()}
    if isinstance(value, tuple):
        entries = [double(entry) for entry in value]
        return type(value)(*entries) if hasattr(value, "_fields") else tuple(entries)
    return value


def exact(operation: Callable[..., Any], *values: Any, **options: Any) -> Any:
    """What stock PyTorch makes of the same in float64: kernels do not take that type."""
    return operation(*double(values), **double(options))


def near(value: Any, reference: Any, tolerance: float = 1e-5, *, least: float = 1e-2) -> bool:
    """Whether the differences are small beside the largest value; of partial results, those added up are compared.

    least: of the size that differences are compared with. Sums of numbers about 1 may cancel to little; their rounding
    errors do not become smaller by that.
    """
    if value is None or reference is None:
        return value is reference
    if isinstance(value, (Moments, Sums)):
        rows = zip(value.merged(), reference.merged(), strict=True)
        return all(near(*row, tolerance, least=1.0) for row in rows)
    if isinstance(value, tuple):
        return all(near(*pair, tolerance) for pair in zip(value, reference, strict=True))
    assert value.shape == reference.shape
    assert value.dim() != 4 or value.shape[1] == 1 or value.is_contiguous(memory_format=torch.channels_last)
    scale = reference.double().abs().max().clamp_min(least)
    return bool((value.double() - reference.double()).abs().max() < tolerance * scale)


def same(value: Any, other: Any) -> bool:
    """Whether all bits are equal."""
    if isinstance(value, tuple):
        return all(same(*pair) for pair in zip(value, other, strict=True))
    return value is other if value is None else torch.equal(value, other)


def launched(program: str) -> list[str]:
    """The kernels of a program, as opposed to the functions that they call."""
    source = (Path(__file__).parent.parent / "igcnas" / "kernels" / "source" / f"{program}.py").read_text()
    return re.findall(r"^@kernel\ndef (\w+)", source, re.MULTILINE)
