"""Layers whose output is appended to their input: DenseNet, CondenseNet, and gated convolution on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from igcnas.network.blocks.base import Block
from igcnas.network.blocks.common import body, require_grouping, require_kernel
from igcnas.network.grouping import DENSE, Grouping
from igcnas.network.primitives import Activation, Concat, Layer, Norm, Pool, Size, halve
from igcnas.system.checks import require_positive


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseLayer(Block):
    """Norm, ReLU, 1x1 to `bottleneck` * growth, norm, ReLU, kernel x kernel to growth; appended to the input.

    DenseNet-BC (Huang et al., CVPR 2017), CondenseNet (Huang et al., CVPR 2018). The width of a stage of these is the
    growth. There is no transition convolution: a stride is an average pooling in front, as in CondenseNet.
    """

    kind: ClassVar[str] = "dense_layer"
    grows: ClassVar[bool] = True
    reduce: Grouping = DENSE
    spatial: Grouping = DENSE
    bottleneck: int = 4
    kernel: int = 3

    def __post_init__(self) -> None:
        require_positive(bottleneck=self.bottleneck)
        require_kernel(self.kernel)
        require_grouping(1, reduce=self.reduce)
        require_grouping(self.kernel, spatial=self.spatial)

    def check(self, in_channels: int, out_channels: int) -> None:
        """Both groupings must fit; `out_channels` is the growth."""
        hidden = self.bottleneck * out_channels
        self.reduce.check(in_channels, hidden)
        self.spatial.check(hidden, out_channels)

    def out_channels(self, in_channels: int, width: int) -> int:
        """The growth is added to what came in."""
        return in_channels + width

    def layers(
        self, in_channels: int, out_channels: int, stride: int, in_size: Size, activation: str
    ) -> tuple[Layer, ...]:
        """Primitive layers of one dense layer of growth `out_channels`."""
        size, hidden = halve(in_size, stride), self.bottleneck * out_channels
        layers: tuple[Layer, ...] = (
            Norm("reduce_norm", in_channels, size),
            Activation("reduce_act", activation, in_channels, size),
            *self.reduce.layers("reduce", in_channels, hidden, 1, 1, size),
            Norm("spatial_norm", hidden, size),
            Activation("spatial_act", activation, hidden, size),
            *self.spatial.layers("spatial", hidden, out_channels, self.kernel, 1, size),
        )
        # The masks of MSGC depend on the mean behind the first norm and activation, as in its authors' code.
        grown = Concat("concat", body(layers, in_channels, skip=2))
        if stride == 1:
            return (grown,)
        return (Pool("pool", "average", in_channels, stride, stride, in_size), grown)

    def label(self) -> str:
        """Both groupings."""
        return f"dense {self.reduce.label()}-{self.spatial.label()}"

    def title(self, width: int) -> str:
        """By the grouping of its 1x1 convolution: DenseNet, CondenseNet."""
        words = "" if self.reduce == DENSE else f", {self.reduce.title()}"
        return f"{self.reduce.blocks.get(self.kind, 'Dense layer')}, growth {width}{words}"
