"""Reduce, convolve, restore: ResNet-50, ResNeXt, and groupable convolution on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from igcnas.network.blocks.base import Block
from igcnas.network.blocks.common import body, projection, require_grouping, require_kernel
from igcnas.network.grouping import DENSE, Grouping
from igcnas.network.primitives import Activation, Layer, Norm, Residual, Sequence, Size, halve
from igcnas.system.checks import require, require_positive

STRIDED = ("spatial", "reduce")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bottleneck(Block):
    """1x1 convolution to `mid` channels, kernel x kernel on them, 1x1 to the width (He et al., CVPR 2016; ResNeXt).

    `strided`: the convolution that carries the stride, 'spatial' (v1.5) or 'reduce' (v1, as in the paper).
    """

    kind: ClassVar[str] = "bottleneck"
    mid: int
    spatial: Grouping = DENSE
    reduce: Grouping = DENSE
    restore: Grouping = DENSE
    kernel: int = 3
    strided: str = "spatial"

    def __post_init__(self) -> None:
        require_positive(mid=self.mid)
        require_kernel(self.kernel)
        require_grouping(self.kernel, spatial=self.spatial)
        require_grouping(1, reduce=self.reduce, restore=self.restore)
        require(self.strided in STRIDED, f"strided must be one of {STRIDED}, but is {self.strided!r}")

    def check(self, in_channels: int, out_channels: int) -> None:
        """Each grouping must fit its convolution, in the first block and in the further ones."""
        for channels in (in_channels, out_channels):
            self.reduce.check(channels, self.mid)
        self.spatial.check(self.mid, self.mid)
        self.restore.check(self.mid, out_channels)

    def layers(
        self, in_channels: int, out_channels: int, stride: int, in_size: Size, activation: str
    ) -> tuple[Layer, ...]:
        """Primitive layers of one block; the shortcut is projected where shape changes."""
        first, second = (stride, 1) if self.strided == "reduce" else (1, stride)
        mid_size, out_size = halve(in_size, first), halve(in_size, stride)
        layers: tuple[Layer, ...] = (
            *self.reduce.layers("reduce", in_channels, self.mid, 1, first, in_size),
            Norm("reduce_norm", self.mid, mid_size),
            Activation("reduce_act", activation, self.mid, mid_size),
            *self.spatial.layers("spatial", self.mid, self.mid, self.kernel, second, mid_size),
            Norm("spatial_norm", self.mid, out_size),
            Activation("spatial_act", activation, self.mid, out_size),
            *self.restore.layers("restore", self.mid, out_channels, 1, 1, out_size),
            Norm("restore_norm", out_channels, out_size),
        )
        shortcut: tuple[Layer, ...] = ()
        if stride != 1 or in_channels != out_channels:
            shortcut = projection(in_channels, out_channels, stride, 1, in_size)
        return (
            Residual("residual", body(layers, in_channels), Sequence("shortcut", shortcut)),
            Activation("act", activation, out_channels, out_size),
        )

    def label(self) -> str:
        """Channels in the middle, and the groupings that are not dense."""
        named = ("reduce", self.reduce), ("spatial", self.spatial), ("restore", self.restore)
        words = [f"{name} {grouping.label()}" for name, grouping in named if grouping != DENSE]
        return " ".join([f"mid{self.mid}", *words])

    def title(self, width: int) -> str:
        """ResNeXt where its spatial convolution has groups."""
        cardinality = self.spatial.consecutive_groups
        name = f"ResNeXt block, cardinality {cardinality}" if cardinality > 1 else ""
        return f"{name or f'Bottleneck block, {self.spatial.title()}'}, {self.mid} channels in the middle"
