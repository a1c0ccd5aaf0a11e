"""Batch normalisation in passes that can be left out: statistics, their end, affine with activation and sum, backward.

x, gradients and residuals are channels_last of any type; vectors over channels are fp32. `add` says where a residual r
goes: "after" the activation, out = act(affine(x)) + r, as in IGCV3 and MobileNetV2 with a linear end; "before" it,
out = act(affine(x) + r), as in ResNet. r may itself be lazy: r = act_r(affine_r(residual)).
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import torch

from igcnas.kernels import reference, sizes
from igcnas.kernels.lazy import (
    Activation,
    Affine,
    Backward,
    BatchNorm,
    Moments,
    Sums,
    bounds,
    channels_last,
)
from igcnas.kernels.switch import chosen

Add: TypeAlias = Literal["after", "before"]
# Rows of a tile: 32 rows of 32 or 64 channels are 8 values a thread with four or eight warps.
ROWS = 32


def statistics(x: torch.Tensor) -> Moments:
    """Count, mean and sum of squared deviations of each channel. Reads x once.

    Each slot of a tile adds up differences to the first value that it sees, and slots and programs are merged by their
    means: a mean that is large beside the deviation costs no digits of it.
    """
    channels_last(x=x)
    if not chosen(x):
        return reference.statistics(x)
    from igcnas.kernels.source import norm as source

    rows, channels = x.numel() // x.shape[1], x.shape[1]
    grid, parts, constants = _reduction(rows, channels)
    partials = torch.empty(parts, 3, channels, dtype=torch.float32, device=x.device)
    source.statistics[grid](x, partials, rows, channels // constants["UNIT"], **constants)
    return Moments(partials)


def finish(
    moments: Moments,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    *,
    epsilon: float,
    running_mean: torch.Tensor | None = None,
    running_variance: torch.Tensor | None = None,
    momentum: float = 0.1,
) -> BatchNorm:
    """Mean, inverse standard deviation and affine of the batch; one small kernel.

    The running statistics are updated in place as torch's BatchNorm2d does: the variance is unbiased there and biased
    in the normalisation.
    """
    partials = moments.partials
    if not chosen(partials):
        return reference.finish(
            moments,
            weight,
            bias,
            epsilon=epsilon,
            running_mean=running_mean,
            running_variance=running_variance,
            momentum=momentum,
        )
    from igcnas.kernels.source import norm as source

    parts, _, channels = partials.shape
    mean, inverse, scale, shift = sizes.empty_vectors(4, channels, partials)
    source.finish[(-(-channels // sizes.PART_CHANNELS),)](
        partials,
        mean if weight is None else weight,
        mean if bias is None else bias,
        mean,
        inverse,
        scale,
        shift,
        mean if running_mean is None else running_mean,
        mean if running_variance is None else running_variance,
        parts,
        channels,
        float(epsilon),
        float(momentum),
        WEIGHTED=weight is not None,
        RUNNING=running_mean is not None,
        PARTS=sizes.PARTS,
        CHANNELS=sizes.PART_CHANNELS,
        **sizes.launch(4),
    )
    return BatchNorm(mean, inverse, Affine(scale, shift))


def evaluation_affine(
    running_mean: torch.Tensor,
    running_variance: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    *,
    epsilon: float,
) -> Affine:
    """The affine of a batch norm that does not train."""
    scale = torch.rsqrt(running_variance + epsilon)
    if weight is not None:
        scale = scale * weight
    shift = -running_mean * scale
    return Affine(scale, shift if bias is None else shift + bias)


def apply(
    x: torch.Tensor,
    affine: Affine | None = None,
    activation: Activation = "none",
    *,
    residual: torch.Tensor | None = None,
    residual_affine: Affine | None = None,
    residual_activation: Activation = "none",
    add: Add = "after",
) -> torch.Tensor:
    """act(affine(x)), with or without a residual, of the type of x. Reads x (and the residual), writes the result."""
    channels_last(x=x, residual=residual)
    if not chosen(x):
        return reference.apply(
            x,
            affine,
            activation,
            residual=residual,
            residual_affine=residual_affine,
            residual_activation=residual_activation,
            add=add,
        )
    from igcnas.kernels.source import norm as source

    rows, channels = x.numel() // x.shape[1], x.shape[1]
    grid, constants = _elements(rows, channels)
    out = torch.empty_like(x)
    source.apply[grid](
        x,
        *(affine or (x, x)),
        x if residual is None else residual,
        *(residual_affine or (x, x)),
        out,
        rows,
        channels // constants["UNIT"],
        *bounds(activation),
        *bounds(residual_activation),
        **constants,
        AFFINE=affine is not None,
        ADDED="none" if residual is None else add,
        RESIDUAL_AFFINE=residual_affine is not None,
    )
    return out


def backward_reduce(
    gradient: torch.Tensor,
    x: torch.Tensor,
    affine: Affine | None = None,
    activation: Activation = "none",
    *,
    centre: torch.Tensor | None = None,
    residual: torch.Tensor | None = None,
    residual_affine: Affine | None = None,
    residual_activation: Activation = "none",
    store: bool = False,
) -> tuple[torch.Tensor | None, Sums]:
    """g' = gradient times the derivative of the activation: its sums, and with `store` itself.

    The sums are of g' and of g' * (x - centre); pass the batch norm's mean as centre. A residual is given only where it
    was added before the activation; its gradient is then g'.

    Reads gradient and x (and the residual), writes g' if asked.
    """
    channels_last(gradient=gradient, x=x, residual=residual)
    if not chosen(gradient, x):
        return reference.backward_reduce(
            gradient,
            x,
            affine,
            activation,
            centre=centre,
            residual=residual,
            residual_affine=residual_affine,
            residual_activation=residual_activation,
            store=store,
        )
    from igcnas.kernels.source import norm as source

    rows, channels = x.numel() // x.shape[1], x.shape[1]
    grid, parts, constants = _reduction(rows, channels)
    partials = torch.empty(parts, 2, channels, dtype=torch.float32, device=x.device)
    out = torch.empty_like(gradient) if store else None
    source.backward_reduce[grid](
        gradient,
        x,
        *(affine or (x, x)),
        x if residual is None else residual,
        *(residual_affine or (x, x)),
        x if centre is None else centre,
        x if out is None else out,
        partials,
        rows,
        channels // constants["UNIT"],
        *bounds(activation),
        *bounds(residual_activation),
        **constants,
        AFFINE=affine is not None,
        BEFORE=residual is not None,
        RESIDUAL_AFFINE=residual_affine is not None,
        CENTRED=centre is not None,
        STORE=store,
    )
    return out, Sums(partials)


def coefficients(
    sums: Sums,
    batch_norm: BatchNorm,
    count: int,
    weight: torch.Tensor | None = None,
    *,
    centre: torch.Tensor | None = None,
    weight_gradient: torch.Tensor | None = None,
    bias_gradient: torch.Tensor | None = None,
) -> Backward:
    """A, B and C of the lazy gradient and the gradients of weight and bias; one small kernel.

    `count` is B * H * W, `centre` what the sums were taken about (None: zero). The last two say where to put gradients.
    """
    partials = sums.partials
    if not chosen(partials):
        return reference.coefficients(
            sums,
            batch_norm,
            count,
            weight,
            centre=centre,
            weight_gradient=weight_gradient,
            bias_gradient=bias_gradient,
        )
    from igcnas.kernels.source import norm as source

    parts, _, channels = partials.shape
    A, B, C = sizes.empty_vectors(3, channels, partials)
    if weight is not None and weight_gradient is None:
        weight_gradient = torch.empty_like(A)
    if weight is not None and bias_gradient is None:
        bias_gradient = torch.empty_like(A)
    source.coefficients[(-(-channels // sizes.PART_CHANNELS),)](
        partials,
        A if weight is None else weight,
        batch_norm.mean,
        batch_norm.inverse,
        A if centre is None else centre,
        A,
        B,
        C,
        A if weight_gradient is None else weight_gradient,
        A if bias_gradient is None else bias_gradient,
        parts,
        channels,
        float(count),
        WEIGHTED=weight is not None,
        CENTRED=centre is not None,
        PARTS=sizes.PARTS,
        CHANNELS=sizes.PART_CHANNELS,
        **sizes.launch(4),
    )
    return Backward(A, B, C, weight_gradient, bias_gradient)


def backward_apply(
    gradient: torch.Tensor,
    x: torch.Tensor,
    backward: Backward,
    affine: Affine | None = None,
    activation: Activation = "none",
    *,
    residual: torch.Tensor | None = None,
    residual_affine: Affine | None = None,
    residual_activation: Activation = "none",
) -> torch.Tensor:
    """A * g' + B * x + C with g' = gradient times the derivative of the activation, of the type of the gradient.

    For a gradient that is g' already, leave affine and activation out. A residual as in backward_reduce. Reads gradient
    and x (and the residual), writes the result.
    """
    channels_last(gradient=gradient, x=x, residual=residual)
    if not chosen(gradient, x):
        return reference.backward_apply(
            gradient,
            x,
            backward,
            affine,
            activation,
            residual=residual,
            residual_affine=residual_affine,
            residual_activation=residual_activation,
        )
    from igcnas.kernels.source import norm as source

    rows, channels = x.numel() // x.shape[1], x.shape[1]
    grid, constants = _elements(rows, channels)
    out = torch.empty_like(gradient)
    source.backward_apply[grid](
        gradient,
        x,
        backward.A,
        backward.B,
        backward.C,
        *(affine or (x, x)),
        x if residual is None else residual,
        *(residual_affine or (x, x)),
        out,
        rows,
        channels // constants["UNIT"],
        *bounds(activation),
        *bounds(residual_activation),
        **constants,
        AFFINE=affine is not None,
        BEFORE=residual is not None,
        RESIDUAL_AFFINE=residual_affine is not None,
    )
    return out


def total(partials: torch.Tensor, *, out: torch.Tensor) -> torch.Tensor:
    """Add up a buffer (parts, size) fp32 in a fixed order into `out`, which has `size` elements and is contiguous."""
    if not chosen(partials, out):
        out.view(-1).copy_(partials.sum(0))
        return out
    from igcnas.kernels.source import norm as source

    parts, size = partials.shape
    tile = {"PARTS": TOTAL_PARTS, "COLUMNS": TOTAL_COLUMNS}
    source.total[(-(-size // TOTAL_COLUMNS),)](partials, out, parts, size, **tile, **sizes.launch(4))
    return out


# Many columns and few rows, unlike the moments.
TOTAL_PARTS, TOTAL_COLUMNS = 16, 64


def warps(block: int) -> int:
    """Eight values a thread."""
    return ROWS * block // 256


def _elements(rows: int, channels: int) -> tuple[tuple[int], dict[str, Any]]:
    block = sizes.channel_block(channels)
    grid = (-(-rows // ROWS) * -(-channels // block),)
    return grid, {"UNIT": sizes.unit(channels), "ROWS": ROWS, "CHANNELS": block, **sizes.launch(warps(block))}


def _reduction(rows: int, channels: int) -> tuple[tuple[int], int, dict[str, Any]]:
    (programs,), constants = _elements(rows, channels)
    blocks = -(-channels // constants["CHANNELS"])
    parts = sizes.parts(programs // blocks, blocks)
    return (parts * blocks,), parts, constants
