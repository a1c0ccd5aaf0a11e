"""What the block skeletons share: checks, projections, and the sequence with which an input is gated."""

from __future__ import annotations

from igcnas.errors import ArchitectureError
from igcnas.network.grouping import KINDS, Grouping
from igcnas.network.primitives import Convolution, Gated, Layer, Norm, PadShortcut, Sequence, Size
from igcnas.system.bounds import KERNEL
from igcnas.system.checks import require, require_positive


def require_grouping(kernel: int, **values: Grouping) -> None:
    """Each value is a grouping, and one that a kernel x kernel convolution can have."""
    for name, value in values.items():
        if not KINDS.holds(value):  # the known kinds are looked for only where one is wrong
            raise ArchitectureError(f"{name} must be one of {KINDS.names()}, not {value!r}")
        require(
            kernel == 1 or not value.pointwise,
            f"learned grouping ({value.kind}) applies to 1x1 convolutions, not to {kernel}x{kernel}",
        )


def require_kernel(kernel: int) -> None:
    """Padding by kernel // 2 keeps the size only where the kernel is odd."""
    require_positive(kernel=kernel)
    require(kernel % 2 == 1, f"kernel must be odd, but is {kernel}")
    require(kernel <= KERNEL, f"kernel must be at most {KERNEL}, but is {kernel}")


def projection(in_channels: int, out_channels: int, stride: int, groups: int, in_size: Size) -> tuple[Layer, ...]:
    """1x1 convolution and batch norm on a shortcut (option B of He et al.)."""
    conv = Convolution("conv", in_channels, out_channels, 1, stride, groups, in_size)
    return (conv, Norm("norm", out_channels, conv.out_size))


def padding(in_channels: int, out_channels: int, stride: int, in_size: Size) -> tuple[Layer, ...]:
    """A shortcut without parameters (option A of He et al.)."""
    return (PadShortcut("pad", in_channels, out_channels, stride, in_size),)


def body(layers: tuple[Layer, ...], context_channels: int, *, skip: int = 0) -> Sequence | Gated:
    """The body of a block with this many input channels: Gated where a convolution of it masks image by image.

    `skip`: layers before the mean that the masks depend on.
    """
    gated = [
        isinstance(layer, Convolution) and layer.learned is not None and layer.learned.reads_block for layer in layers
    ]
    if not any(gated):
        return Sequence("body", layers)
    return Gated(
        "body",
        tuple(
            layer._replace(context_channels=context_channels) if isinstance(layer, Convolution) and flag else layer
            for layer, flag in zip(layers, gated, strict=True)
        ),
        skip,
    )


def unwrapped(layers: tuple[Layer, ...], context_channels: int) -> tuple[Layer, ...]:
    """The layers of a block without shortcut: as they are, or within the Gated sequence that they need."""
    whole = body(layers, context_channels)
    return (whole,) if isinstance(whole, Gated) else layers
