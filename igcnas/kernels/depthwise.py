"""Depthwise convolution, channels_last, with padding k // 2: 3x3 and 5x5, stride 1 and 2, any size, any channels.

Weights are (C, 1, k, k) fp32, contiguous. What is pending on the operands is done on load, what the batch norm next to
the convolution needs is reduced on the way out. Numbers of channels that 8 does not divide are loaded one by one.
"""

from __future__ import annotations

import torch

from igcnas.kernels import reference, sizes
from igcnas.kernels.lazy import Activation, Affine, GradientAffine, Moments, Sums, bounds, channels_last
from igcnas.kernels.norm import total
from igcnas.kernels.switch import chosen

# Columns of a tile: with 32 or 64 channels two or four warps, of which each thread has 8 values in a 3x3.
COLUMNS = 16
KERNELS, STRIDES = (3, 5), (1, 2)


def forward(
    x: torch.Tensor,
    weight: torch.Tensor,
    stride: int,
    *,
    affine: Affine | None = None,
    activation: Activation = "none",
    statistics: bool = False,
) -> tuple[torch.Tensor, Moments | None]:
    """The convolution of act(affine(x)), of the type of x, and with `statistics` the moments of it as it is stored.

    Reads x once (and the rows where two tiles meet), writes y once.
    """
    _check(weight, stride, x=x)
    if not chosen(x, weight):
        return reference.depthwise_forward(
            x, weight, stride, affine=affine, activation=activation, statistics=statistics
        )
    from igcnas.kernels.source import depthwise as source

    size = x.shape[2], x.shape[3]
    geometry = _Geometry(x, weight, stride, size, "forward")
    y = sizes.output(x, x.shape[1], *geometry.out_size)
    moments = Moments(geometry.partials(3, x)) if statistics else None
    source.forward[geometry.grid](
        x,
        weight,
        *(affine or (x, x)),
        y,
        moments.partials if moments else x,
        *geometry.arguments,
        *bounds(activation),
        **geometry.constants,
        AFFINE=affine is not None,
        STATISTICS=statistics,
        **sizes.launch(geometry.warps),
    )
    return y, moments


def input_grad(
    g: torch.Tensor,
    weight: torch.Tensor,
    stride: int,
    size: tuple[int, int],
    *,
    gradient_affine: GradientAffine | None = None,
    x: torch.Tensor | None = None,
    affine: Affine | None = None,
    activation: Activation = "none",
    centre: torch.Tensor | None = None,
) -> tuple[torch.Tensor, Sums | None]:
    """The gradient of the input, whose height and width are `size`, for the (lazy) gradient g of the output.

    Without x: of the activated input. With x, the raw input: of affine(x), that is times the derivative of the
    activation there, and the sums of it as stored and of it times (x - centre), which the batch norm before needs.
    `centre` is that batch norm's mean; without it (zero) digits are lost where the mean is large.

    Reads g (and y of the lazy gradient, and x) once, writes the gradient once.
    """
    _check(weight, stride, g=g, y=gradient_affine.y if gradient_affine else None, x=x)
    if (
        not chosen(g, weight)
        or (x is not None and not chosen(x))
        or g.shape[0] * g.shape[1] * size[0] * size[1] >= 2**31
    ):
        return reference.depthwise_input_grad(
            g,
            weight,
            stride,
            size,
            gradient_affine=gradient_affine,
            x=x,
            affine=affine,
            activation=activation,
            centre=centre,
        )
    from igcnas.kernels.source import depthwise as source

    geometry = _Geometry(g, weight, stride, size, "input_grad")
    out = sizes.output(g, g.shape[1], *size)
    sums = Sums(geometry.partials(2, g)) if x is not None else None
    source.input_grad[geometry.grid](
        g,
        *(gradient_affine or (g, g, g, g)),
        weight,
        g if x is None else x,
        *(affine or (g, g)),
        g if centre is None else centre,
        out,
        sums.partials if sums else g,
        *geometry.arguments,
        *bounds(activation),
        **geometry.constants,
        LAZY=gradient_affine is not None,
        DERIVATIVE=x is not None,
        AFFINE=affine is not None,
        CENTRED=centre is not None,
        **sizes.launch(geometry.warps),
    )
    return out, sums


def weight_grad(
    x: torch.Tensor,
    g: torch.Tensor,
    stride: int,
    kernel: int,
    *,
    gradient_affine: GradientAffine | None = None,
    affine: Affine | None = None,
    activation: Activation = "none",
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """The gradient of the weights, (C, 1, kernel, kernel) fp32, for the raw input x and the (lazy) gradient g.

    Reads x and g (and y of the lazy gradient) once. `out`: where to put it, contiguous.
    """
    channels = x.shape[1]
    if out is None:
        out = torch.empty(channels, 1, kernel, kernel, dtype=torch.float32, device=x.device)
    _check(out, stride, x=x, g=g, y=gradient_affine.y if gradient_affine else None)
    if not chosen(x, g):
        return reference.depthwise_weight_grad(
            x, g, stride, kernel, gradient_affine=gradient_affine, affine=affine, activation=activation, out=out
        )
    from igcnas.kernels.source import depthwise as source

    size = x.shape[2], x.shape[3]
    geometry = _Geometry(x, out, stride, size, "weight_grad")
    partials = torch.empty(geometry.parts, out.numel(), dtype=torch.float32, device=x.device)
    source.weight_grad[geometry.grid](
        x,
        *(affine or (x, x)),
        g,
        *(gradient_affine or (g, g, g, g)),
        partials,
        *geometry.arguments,
        *bounds(activation),
        **geometry.constants,
        LAZY=gradient_affine is not None,
        AFFINE=affine is not None,
        **sizes.launch(geometry.warps),
    )
    return total(partials, out=out)


def rows(height: int) -> int:
    """Rows of a tile, for an output of this height: all, or equal parts of at most 16; a seam costs k - 1 rows."""
    return -(-height // -(-height // 16))


def unroll(kind: str, kernel: int, stride: int) -> int:
    """Rows whose loads are under way together: two where that leaves nothing on the stack and registers to spare."""
    return 2 if stride == 1 and (kind == "forward" or (kind == "weight_grad" and kernel == 3)) else 1


class _Geometry:
    """What all three have in common: sizes, tiles, programs."""

    def __init__(self, like: torch.Tensor, weight: torch.Tensor, stride: int, size: tuple[int, int], kind: str) -> None:
        batch, channels = like.shape[:2]
        kernel = weight.shape[2]
        self.channels = channels
        self.out_size = -(-size[0] // stride), -(-size[1] // stride)
        block = sizes.channel_block(channels)
        blocks = -(-channels // block)
        height = rows(self.out_size[0])
        tiles = -(-batch * self.out_size[1] // COLUMNS) * -(-self.out_size[0] // height)
        self.parts = sizes.parts(tiles, blocks)
        self.grid = (self.parts * blocks,)
        unit = sizes.unit(channels)
        self.arguments = (batch, *size, *self.out_size, channels // unit, height)
        self.constants = {
            "UNIT": unit,
            "K": kernel,
            "STRIDE": stride,
            "UNROLL": unroll(kind, kernel, stride),
            "COLUMNS": COLUMNS,
            "CHANNELS": block,
        }
        self.warps = warps(kernel, block)

    def partials(self, number: int, like: torch.Tensor) -> torch.Tensor:
        """A buffer for `number` values of each program and channel."""
        return torch.empty(self.parts, number, self.channels, dtype=torch.float32, device=like.device)


def warps(kernel: int, block: int) -> int:
    """Eight values a thread in a 3x3; four in a 5x5, whose 25 weights would not fit the registers otherwise."""
    return COLUMNS * block // (32 * (8 if kernel == 3 else 4))


def _check(weight: torch.Tensor, stride: int, **tensors: torch.Tensor | None) -> None:
    channels_last(**tensors)
    kernel = weight.shape[-1]
    if kernel not in KERNELS or weight.shape[1:] != (1, kernel, kernel) or not weight.is_contiguous():
        raise ValueError(
            f"weights must be contiguous (C, 1, k, k) with k one of {KERNELS}, but are {tuple(weight.shape)}"
        )
    if stride not in STRIDES:
        raise ValueError(f"stride must be one of {STRIDES}, but is {stride}")
