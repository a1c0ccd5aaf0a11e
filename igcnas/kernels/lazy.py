"""What kernels hand to each other: pending affines and gradients, and reductions that are not yet added up."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, TypeAlias

import torch

Activation: TypeAlias = Literal["none", "relu", "relu6"]
# An activation is a clamp; its derivative is 1 strictly between the bounds and 0 elsewhere, as in torch.
BOUNDS: dict[str, tuple[float, float]] = {
    "none": (-math.inf, math.inf),
    "relu": (0.0, math.inf),
    "relu6": (0.0, 6.0),
}


class Affine(NamedTuple):
    """scale * x + shift, both (C,) fp32."""

    scale: torch.Tensor
    shift: torch.Tensor


class GradientAffine(NamedTuple):
    """The gradient A * g + B * y + C of the raw output y of a convolution, where g is that after the batch norm."""

    y: torch.Tensor
    A: torch.Tensor
    B: torch.Tensor
    C: torch.Tensor


class Moments(NamedTuple):
    """Count, mean and sum of squared deviations of each channel, (parts, 3, C) fp32: a row for each program.

    Neither sums nor sums of squares: those lose all digits of the variance where the mean is large.
    """

    partials: torch.Tensor

    def merged(self) -> torch.Tensor:
        """The three of all parts, (3, C) float64; for tests and for eyes."""
        count, mean, squares = self.partials.double().unbind(1)
        total = count.sum(0)
        middle = (count * mean).sum(0) / total
        return torch.stack((total, middle, (squares + count * (mean - middle) ** 2).sum(0)))


class Sums(NamedTuple):
    """Sums of g and of g * (x - centre) over each channel, (parts, 2, C) fp32: a row for each program."""

    partials: torch.Tensor

    def merged(self) -> torch.Tensor:
        """Both of all parts, (2, C) float64; for tests and for eyes."""
        return self.partials.double().sum(0)


class BatchNorm(NamedTuple):
    """What the statistics of a batch give, all (C,) fp32: `affine` normalises, `mean` centres backward sums."""

    mean: torch.Tensor
    inverse: torch.Tensor
    affine: Affine


class Backward(NamedTuple):
    """What the sums of a batch norm's backward pass give, all (C,) fp32; the last two None without weights."""

    A: torch.Tensor
    B: torch.Tensor
    C: torch.Tensor
    weight_gradient: torch.Tensor | None
    bias_gradient: torch.Tensor | None


def channels_last(**tensors: torch.Tensor | None) -> None:
    """Every tensor given must be (B, C, H, W) and channels_last."""
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        if tensor.dim() != 4 or not tensor.is_contiguous(memory_format=torch.channels_last):
            shape, strides = tuple(tensor.shape), tensor.stride()
            raise ValueError(f"{name} {shape} with strides {strides} is not channels_last: use to(memory_format=...)")


def bounds(activation: str) -> tuple[float, float]:
    """Least and greatest value of the activation."""
    if activation not in BOUNDS:
        raise ValueError(f"unknown activation {activation!r}; known: {', '.join(BOUNDS)}")
    return BOUNDS[activation]
