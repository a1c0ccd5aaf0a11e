"""The two block skeletons. All networks of these papers are one of them with another answer to "who meets whom".

BasicBlock: spatial convolutions in sequence (ResNet, IGC V1). InvertedResidual: expand, depthwise, project
(MobileNetV2, IGC V3). A block is frozen data with one reading, `layers`: what it consists of between given widths.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, TypeAlias

from igcnas.checks import require, require_bool, require_divides, require_positive
from igcnas.grouping import GROUPINGS, Dense, Group, Grouping, LearnedGrouping
from igcnas.primitives import Activation, Convolution, Layer, Norm, Permutation, Residual, Sequence, Size, halve

SHORTCUTS = ("identity", "projection")


def _require_grouping(**values: Grouping) -> None:
    for name, value in values.items():
        require(isinstance(value, GROUPINGS), f"{name} must be one of {[g.kind for g in GROUPINGS]}, not {value!r}")


def _projection(in_channels: int, out_channels: int, stride: int, groups: int, in_size: Size) -> tuple[Layer, ...]:
    conv = Convolution("conv", in_channels, out_channels, 1, stride, groups, in_size)
    return (conv, Norm("norm", out_channels, conv.out_size))


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicBlock:
    """Two units and a shortcut (He et al., CVPR 2016), or one unit if not residual. Unit: convolution, norm, ReLU."""

    kind: ClassVar[str] = "basic"
    grouping: Grouping
    kernel: int = 3
    residual: bool = True

    def __post_init__(self) -> None:
        _require_grouping(grouping=self.grouping)
        require_positive(kernel=self.kernel)
        require(self.kernel % 2 == 1, f"kernel must be odd, but is {self.kernel}")
        require_bool(residual=self.residual)
        require(
            self.kernel == 1 or not isinstance(self.grouping, LearnedGrouping),
            f"learned grouping applies to 1x1 convolutions, not to {self.kernel}x{self.kernel}",
        )

    def check(self, in_channels: int, out_channels: int) -> None:
        """The grouping must fit both the step between the widths and the width itself."""
        self.grouping.check(in_channels, out_channels)
        self.grouping.check(out_channels, out_channels)

    def layers(
        self, in_channels: int, out_channels: int, stride: int, in_size: Size, activation: str
    ) -> tuple[Layer, ...]:
        """Primitive layers of one block; the shortcut is projected where shape changes (option B)."""
        out_size = halve(in_size, stride)
        first = (
            *self.grouping.layers("conv1", in_channels, out_channels, self.kernel, stride, in_size),
            Norm("norm1", out_channels, out_size),
            Activation("act1", activation, out_channels, out_size),
        )
        if not self.residual:
            return first
        second = (
            *self.grouping.layers("conv2", out_channels, out_channels, self.kernel, 1, out_size),
            Norm("norm2", out_channels, out_size),
        )
        shortcut: tuple[Layer, ...] = ()
        if stride != 1 or in_channels != out_channels:
            groups = self.grouping.shortcut_groups(in_channels)
            shortcut = _projection(in_channels, out_channels, stride, groups, in_size)
        return (
            Residual("residual", Sequence("body", (*first, *second)), Sequence("shortcut", shortcut)),
            Activation("act2", activation, out_channels, out_size),
        )

    def label(self) -> str:
        """Grouping, and whether the block is plain."""
        return self.grouping.label() + ("" if self.residual else " plain")


@dataclass(frozen=True, slots=True, kw_only=True)
class InvertedResidual:
    """1x1 expansion, depthwise convolution, 1x1 projection without activation.

    MobileNetV2 (Sandler et al., CVPR 2018): dense expansion and projection, `expand_activation`. IGC V3 (Sun et al.,
    BMVC 2018, arXiv:1806.00178): G1 and G2 groups, a permutation between them, no activation after the expansion.
    `always_expand`: a block with expansion 1 still has its expansion convolution. `shortcut`: 'identity' adds the input
    where the shape allows it and nothing elsewhere; 'projection' also projects where stride is 1 and the width changes.
    """

    kind: ClassVar[str] = "inverted"
    expansion: int
    expand: Grouping
    project: Grouping
    kernel: int = 3
    expand_activation: bool = True
    always_expand: bool = True
    shortcut: str = "identity"

    def __post_init__(self) -> None:
        _require_grouping(expand=self.expand, project=self.project)
        require_positive(expansion=self.expansion, kernel=self.kernel)
        require(self.kernel % 2 == 1, f"kernel must be odd, but is {self.kernel}")
        require_bool(expand_activation=self.expand_activation, always_expand=self.always_expand)
        require(self.shortcut in SHORTCUTS, f"shortcut must be one of {SHORTCUTS}, but is {self.shortcut!r}")

    def check(self, in_channels: int, out_channels: int) -> None:
        """G1 divides input and hidden channels, G2 hidden and output channels; both for first and further blocks."""
        for channels in (in_channels, out_channels):
            hidden = channels * self.expansion
            self.expand.check(channels, hidden)
            self.project.check(hidden, out_channels)
            if isinstance(self.expand, Group):
                require_divides(self.expand.groups, hidden, "an expansion")

    def layers(
        self, in_channels: int, out_channels: int, stride: int, in_size: Size, activation: str
    ) -> tuple[Layer, ...]:
        """Primitive layers of one block."""
        hidden = in_channels * self.expansion
        out_size = halve(in_size, stride)
        body: list[Layer] = []
        if self.expansion != 1 or self.always_expand:
            body += self.expand.layers("expand", in_channels, hidden, 1, 1, in_size)
            body.append(Norm("expand_norm", hidden, in_size))
            if self.expand_activation:
                body.append(Activation("expand_act", activation, hidden, in_size))
            # Without the permutation half of all channel pairs would never meet when G1 = G2 = 2. A dense projection
            # meets every channel anyway.
            if isinstance(self.expand, Group) and self.expand.groups > 1 and not isinstance(self.project, Dense):
                body.append(Permutation("permute", hidden, self.expand.groups))
        body += (
            Convolution("depthwise", hidden, hidden, self.kernel, stride, hidden, in_size),
            Norm("depthwise_norm", hidden, out_size),
            Activation("depthwise_act", activation, hidden, out_size),
            *self.project.layers("project", hidden, out_channels, 1, 1, out_size),
            Norm("project_norm", out_channels, out_size),
        )
        if stride == 1 and in_channels == out_channels:
            return (Residual("residual", Sequence("body", tuple(body)), Sequence("shortcut", ())),)
        if stride == 1 and self.shortcut == "projection":
            shortcut = _projection(in_channels, out_channels, 1, 1, in_size)
            return (Residual("residual", Sequence("body", tuple(body)), Sequence("shortcut", shortcut)),)
        return tuple(body)

    def label(self) -> str:
        """Expansion and the groupings of both pointwise convolutions."""
        return f"t{self.expansion} {self.expand.label()}-{self.project.label()}"


Block: TypeAlias = BasicBlock | InvertedResidual
BLOCKS: tuple[type[Block], ...] = (BasicBlock, InvertedResidual)


@lru_cache(maxsize=16384)
def block_layers(
    block: Block, in_channels: int, out_channels: int, stride: int, in_size: Size, activation: str
) -> tuple[Layer, ...]:
    """`block.layers`, remembered: the blocks of a stage are alike, and the width solver asks for them often."""
    return block.layers(in_channels, out_channels, stride, in_size, activation)
