"""Fully learnable group convolution: training assigns input channels and filters to groups.

Wang, Kan, Shan, Chen, "Fully Learnable Group Convolution for Acceleration of Deep Neural Networks", CVPR 2019
(arXiv:1904.00346). As published, groups may have any size, so the MACs are known only after training. `balanced` fixes
the sizes, which makes the MACs exact before training; equal groups also run as one group convolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from igcnas.network.grouping.base import DecidedOnce
from igcnas.network.learned import Marks
from igcnas.network.primitives import Convolution, Layer, Size
from igcnas.system.checks import require, require_bool, require_divides, require_positive
from igcnas.units import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedGrouping(DecidedOnce):
    """`groups` groups of input channels and filters, assigned by training; on pointwise convolutions only.

    balanced: groups are equal in size. multiple: if not 0, groups that cannot be equal are nearly so, in whole
    multiples of this number where there are enough channels; 1 is as equal as can be. Engines run blocks of 16
    channels, but rounding alone gains little: equal groups do (benchmarks/results/split-sizes.md). nonempty: groups of
    any size, but each with at least one input channel and one filter.
    """

    kind: ClassVar[str] = "flgc"
    pointwise: ClassVar[bool] = True
    groups: int
    balanced: bool = True
    multiple: int = 0
    nonempty: bool = False

    def __post_init__(self) -> None:
        require_positive(groups=self.groups)
        require_bool(balanced=self.balanced, nonempty=self.nonempty)
        require(
            type(self.multiple) is int and self.multiple >= 0,
            f"multiple must be 0 (equal groups) or more, but is {self.multiple!r}",
        )
        require(self.balanced or not self.multiple, "multiple is for balanced groups; free ones have any size")
        require(not (self.balanced and self.nonempty), "nonempty is for free groups; balanced ones are never empty")

    def check(self, in_channels: int, out_channels: int) -> None:
        """Equal groups must divide the channels; others must not outnumber them."""
        if self.balanced and not self.multiple:
            require_divides(self.groups, in_channels, "the input of a balanced learned group convolution")
            require_divides(self.groups, out_channels, "the output of a balanced learned group convolution")
        require(
            self.groups <= min(in_channels, out_channels),
            f"{self.groups} learned groups are more than the channels, {min(in_channels, out_channels)}",
        )

    def sizes(self, channels: int) -> tuple[int, ...] | None:
        """Channels of each group; None where training chooses.

        >>> LearnedGrouping(groups=3, multiple=1).sizes(16)
        (6, 5, 5)
        >>> LearnedGrouping(groups=3, multiple=16).sizes(120)
        (48, 32, 40)
        """
        if not self.balanced:
            return None
        if channels % self.groups == 0:  # one group convolution: faster than any split into rounded sizes
            return (channels // self.groups,) * self.groups
        unit = self.multiple
        while unit * self.groups > channels:
            unit //= 2
        units, rest = divmod(channels, unit)
        each, more = divmod(units, self.groups)
        sizes = [(each + (group < more)) * unit for group in range(self.groups)]
        sizes[-1] += rest
        return tuple(sizes)

    def connections(self, in_channels: int, out_channels: int) -> int:
        """Channel pairs that meet: exact when balanced, else the expectation (each with probability 1 / groups)."""
        inputs, filters = self.sizes(in_channels), self.sizes(out_channels)
        if inputs is None or filters is None:
            return -(-in_channels * out_channels // self.groups)
        return sum(i * o for i, o in zip(inputs, filters, strict=True))

    def layers(
        self, name: str, in_channels: int, out_channels: int, kernel: int, stride: int, in_size: Size
    ) -> tuple[Layer, ...]:
        """One 1x1 convolution whose mask is learned; no permutation, because the assignment contains it."""
        require(kernel == 1, f"learned grouping applies to 1x1 convolutions, not to {kernel}x{kernel}")
        return (Convolution(name, in_channels, out_channels, 1, stride, 1, in_size, self),)

    @property
    def learned_instead(self) -> bool:
        """Of group convolutions."""
        return True

    def decision_parameters(self, in_channels: int, out_channels: int) -> int:
        """A logit for each group of each input channel and of each filter."""
        return self.groups * (in_channels + out_channels)

    def identity(self, in_channels: int, out_channels: int, context_channels: int) -> tuple[Any, ...] | None:
        """Sizes of the groups; with one group nothing is left."""
        if self.groups == 1:
            return None
        return self.kind, self.groups, self.sizes(in_channels), self.sizes(out_channels), self.nonempty

    def told_apart(self, in_channels: int, out_channels: int) -> tuple[Marks, Marks]:
        """Any channel may be of any group."""
        return None, None

    def caption(self, in_channels: int) -> str:
        """As its paper."""
        return f"FLGC: G = {counted(self.groups, 'learned group')}"

    def label(self) -> str:
        """As in F4; F4u is unbalanced, F4u1 with at least one channel each, F4m16 balanced in multiples of 16."""
        if self.balanced:
            return f"F{self.groups}" + (f"m{self.multiple}" if self.multiple else "")
        return f"F{self.groups}u" + ("1" if self.nonempty else "")

    def title(self) -> str:
        """As in FLGC G = 4."""
        return f"FLGC G = {self.groups}"

    @property
    def exact_macs(self) -> bool:
        """Free groups may be of any size."""
        return self.balanced

    @property
    def exact_params(self) -> bool:
        """Free groups may be of any size."""
        return self.balanced
