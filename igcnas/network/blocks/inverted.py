"""Expand, depthwise, project: MobileNetV2, IGC V3, and learned grouping on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from igcnas.network.blocks.base import Block
from igcnas.network.blocks.common import body, projection, require_grouping, require_kernel, unwrapped
from igcnas.network.grouping import DENSE, Grouping
from igcnas.network.primitives import Activation, Convolution, Layer, Norm, Permutation, Residual, Sequence, Size, halve
from igcnas.system.checks import require, require_bool, require_divides, require_positive

SHORTCUTS = ("identity", "projection", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class InvertedResidual(Block):
    """1x1 expansion, depthwise convolution, 1x1 projection without activation.

    MobileNetV2 (Sandler et al., CVPR 2018): dense expansion and projection, `expand_activation`. IGC V3 (Sun et al.,
    BMVC 2018, arXiv:1806.00178): G1 and G2 groups, a permutation between them, no activation after the expansion.
    `always_expand`: a block with expansion 1 still has its expansion convolution. `shortcut`: 'identity' adds the input
    where the shape allows it and nothing elsewhere; 'projection' also projects where stride is 1 and the width changes;
    'none' adds nothing anywhere, as in the first block of each stage of the authors' code of IGC V3.
    `permute_back`: a permutation after the projection undoes that after the expansion, as in some ports of IGC V3.
    `hidden`: channels of the depthwise convolution, if not 0, in place of expansion times input channels.
    """

    kind: ClassVar[str] = "inverted"
    expansion: int
    expand: Grouping
    project: Grouping
    kernel: int = 3
    expand_activation: bool = True
    always_expand: bool = True
    shortcut: str = "identity"
    permute_back: bool = False
    hidden: int = 0

    def __post_init__(self) -> None:
        require_grouping(1, expand=self.expand, project=self.project)
        require_positive(expansion=self.expansion)
        require_kernel(self.kernel)
        require_bool(
            expand_activation=self.expand_activation, always_expand=self.always_expand, permute_back=self.permute_back
        )
        require(type(self.hidden) is int and self.hidden >= 0, f"hidden must be 0 or more, but is {self.hidden!r}")
        require(self.shortcut in SHORTCUTS, f"shortcut must be one of {SHORTCUTS}, but is {self.shortcut!r}")

    def check(self, in_channels: int, out_channels: int) -> None:
        """G1 divides input and hidden channels, G2 hidden and output channels; both for first and further blocks."""
        for channels in (in_channels, out_channels):
            hidden = self.hidden_channels(channels)
            self.expand.check(channels, hidden)
            self.project.check(hidden, out_channels)
            if self.expand.consecutive_groups:
                require_divides(self.expand.consecutive_groups, hidden, "an expansion")

    def hidden_channels(self, in_channels: int) -> int:
        """Channels of the depthwise convolution."""
        return self.hidden or in_channels * self.expansion

    def layers(
        self, in_channels: int, out_channels: int, stride: int, in_size: Size, activation: str
    ) -> tuple[Layer, ...]:
        """Primitive layers of one block."""
        hidden = self.hidden_channels(in_channels)
        out_size = halve(in_size, stride)
        body_layers: list[Layer] = []
        if hidden != in_channels or self.always_expand:
            body_layers += self.expand.layers("expand", in_channels, hidden, 1, 1, in_size)
            body_layers.append(Norm("expand_norm", hidden, in_size))
            if self.expand_activation:
                body_layers.append(Activation("expand_act", activation, hidden, in_size))
            # Without the permutation half of all channel pairs would never meet when G1 = G2 = 2. A dense projection
            # meets every channel anyway.
            if self.expand.consecutive_groups > 1 and self.project != DENSE:
                body_layers.append(Permutation("permute", hidden, self.expand.consecutive_groups))
        body_layers += (
            Convolution("depthwise", hidden, hidden, self.kernel, stride, hidden, in_size),
            Norm("depthwise_norm", hidden, out_size),
            Activation("depthwise_act", activation, hidden, out_size),
            *self.project.layers("project", hidden, out_channels, 1, 1, out_size),
            Norm("project_norm", out_channels, out_size),
        )
        if self.permute_back and self.project.consecutive_groups:
            groups = out_channels // self.project.consecutive_groups
            body_layers.append(Permutation("permute_back", out_channels, groups))
        if stride == 1 and in_channels == out_channels and self.shortcut != "none":
            return (Residual("residual", body(tuple(body_layers), in_channels), Sequence("shortcut", ())),)
        if stride == 1 and self.shortcut == "projection":
            shortcut = projection(in_channels, out_channels, 1, 1, in_size)
            return (Residual("residual", body(tuple(body_layers), in_channels), Sequence("shortcut", shortcut)),)
        return unwrapped(tuple(body_layers), in_channels)

    def label(self) -> str:
        """Expansion and the groupings of both pointwise convolutions."""
        return f"t{self.expansion} {self.expand.label()}-{self.project.label()}"

    def title(self, width: int) -> str:
        """MobileNetV2 where it is dense, IGC V3 where both pointwise convolutions have groups."""
        t = f"expansion {self.expansion}" if not self.hidden else f"{self.hidden} hidden channels"
        G1, G2 = self.expand.consecutive_groups, self.project.consecutive_groups
        if self.expand == self.project == DENSE:
            return f"MobileNetV2 block, {t}"
        if G1 and G2:
            return f"IGC V3 block, {t}, G1 = {G1}, G2 = {G2}"
        if self.expand == self.project:
            return f"Inverted residual, {t}, {self.expand.title()} twice"
        around = f"{self.expand.title()} before, {self.project.title()} after the depthwise convolution"
        return f"Inverted residual, {t}; {around}"
