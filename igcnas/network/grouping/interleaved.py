"""Interleaved group convolution (IGC V1): a spatial group convolution followed by a complementary pointwise one.

Zhang, Qi, Xiao, Wang, "Interleaved Group Convolutions for Deep Neural Networks", ICCV 2017 (arXiv:1707.02725), section
3. L primary partitions of M channels; M secondary partitions of L channels; nothing between the two convolutions but a
permutation, so that the composition is linear, dense, and has exactly one path for each pair of channels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from igcnas.network.grouping.base import Grouping
from igcnas.network.grouping.flgc import LearnedGrouping
from igcnas.network.primitives import Convolution, Layer, Permutation, Size
from igcnas.system.checks import require, require_bool, require_divides, require_positive
from igcnas.units import counted

WIDEN = ("primary", "secondary")
TRANSITIONS = ("clean", "authors", "reference")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interleaved(Grouping):
    """L primary partitions of M channels, C = L * M; if `learned`, training chooses the M secondary ones (FLGC).

    `widen`: which convolution changes the width between stages. 'primary', as in the paper: its groups are those that
    both widths allow, which are L where L is constant and M doubles. 'secondary': for a constant M and any growth of L;
    the primary keeps in_channels in partitions of M, each secondary partition takes them from in_channels / M to L.
    `transition`: where the width changes, 'clean' has M secondary partitions as elsewhere; 'authors' has in_channels
    / L, the M of the stage before, as the authors' residual networks do, with that many times fewer and larger ones,
    and the permutation back is over as many. 'reference' is what igcnas took for that before: its permutation back is
    over M, which costs as much and computes something else. It stays, so that stored networks keep their meaning.
    """

    kind: ClassVar[str] = "interleaved"
    blocks: ClassVar[Mapping[str, str]] = {"basic": "IGC V1 block"}
    moves_channels: ClassVar[bool] = True
    L: int
    M: int
    learned: bool = False
    widen: str = "primary"
    transition: str = "clean"

    def __post_init__(self) -> None:
        require_positive(L=self.L, M=self.M)
        require_bool(learned=self.learned)
        require(self.widen in WIDEN, f"widen must be one of {WIDEN}, but is {self.widen!r}")
        require(
            self.transition in TRANSITIONS,
            f"transition must be one of {TRANSITIONS}, but is {self.transition!r}",
        )
        require(
            self.transition == "clean" or not (self.learned or self.widen == "secondary"),
            f"transition {self.transition!r} is that of fixed groups that widen in the primary convolution",
        )

    def check(self, in_channels: int, out_channels: int) -> None:
        """The output has C = L * M channels; a secondary convolution that widens needs partitions of M on its input."""
        if self.widen == "secondary":
            require_divides(self.M, in_channels, "the input of an interleaved convolution")
        require_divides(
            self._secondary_groups(in_channels, out_channels), out_channels, "the output of an interleaved convolution"
        )
        require(
            out_channels == self.L * self.M,
            f"L * M must be the width of the block, but {self.L} * {self.M} is not {out_channels}",
        )

    def layers(
        self, name: str, in_channels: int, out_channels: int, kernel: int, stride: int, in_size: Size
    ) -> tuple[Layer, ...]:
        """Primary convolution, permutation, secondary convolution, permutation back."""
        middle = out_channels if self.widen == "primary" else in_channels
        partitions = self.L if self.widen == "primary" else in_channels // self.M
        groups = math.gcd(in_channels, self.L) if self.widen == "primary" else partitions
        primary = Convolution(f"{name}_primary", in_channels, middle, kernel, stride, groups, in_size)
        partitions_2 = self._secondary_groups(in_channels, out_channels)
        if self.learned:
            secondary = LearnedGrouping(groups=self.M).layers(
                f"{name}_secondary", middle, out_channels, 1, 1, primary.out_size
            )
            return (primary, *secondary)
        return (
            primary,
            Permutation(f"{name}_interleave", middle, partitions),
            Convolution(f"{name}_secondary", middle, out_channels, 1, 1, partitions_2, primary.out_size),
            Permutation(
                f"{name}_deinterleave", out_channels, self.M if self.transition == "reference" else partitions_2
            ),
        )

    def _secondary_groups(self, in_channels: int, out_channels: int) -> int:
        if self.transition != "clean" and in_channels != out_channels:
            return max(1, in_channels // self.L)
        return self.M

    def shortcut_groups(self, in_channels: int) -> int:
        """A grouped projection, as in the authors' residual networks."""
        return math.gcd(in_channels, self.L) if self.widen == "primary" else self.M

    @property
    def learned_instead(self) -> bool:
        """Where training chooses the secondary partitions."""
        return self.learned

    def label(self) -> str:
        """As in L24M2; a learned secondary partition carries an f."""
        return f"L{self.L}M{self.M}" + ("f" if self.learned else "")

    def title(self) -> str:
        """As in L = 24, M = 2."""
        return f"L = {self.L}, M = {self.M}" + (", learned" if self.learned else "")

    def partitions(self, layer: Convolution, *, part: str, detail: str) -> str:
        """The primary or the secondary partitions, with the letters that their numbers have."""
        inputs, outputs = layer.in_channels // layer.groups, layer.out_channels // layer.groups
        size = f"{inputs}" if inputs == outputs else f"{inputs} -> {outputs}"
        count, each = ("L", "M") if detail == "primary" else ("M", "L")
        letters = {"L": self.L, "M": self.M}
        named = f"{count} = " if letters[count] == layer.groups else ""
        sized = f"{each} = " if letters[each] == inputs == outputs else ""
        return f"{detail}: {named}{counted(layer.groups, 'partition')} of {sized}{size}"
