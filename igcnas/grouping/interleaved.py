"""Interleaved group convolution (IGC V1): a spatial group convolution followed by a complementary pointwise one.

Zhang, Qi, Xiao, Wang, "Interleaved Group Convolutions for Deep Neural Networks", ICCV 2017 (arXiv:1707.02725), section
3. L primary partitions of M channels; M secondary partitions of L channels; nothing between the two convolutions but a
permutation, so that the composition is linear, dense, and has exactly one path for each pair of channels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from igcnas.checks import require, require_bool, require_positive
from igcnas.grouping.learned import LearnedGrouping
from igcnas.primitives import Convolution, Layer, Permutation, Size


@dataclass(frozen=True, slots=True, kw_only=True)
class Interleaved:
    """L primary partitions of M channels, C = L * M; if `learned`, training chooses the M secondary ones (FLGC)."""

    kind: ClassVar[str] = "interleaved"
    L: int
    M: int
    learned: bool = False

    def __post_init__(self) -> None:
        require_positive(L=self.L, M=self.M)
        require_bool(learned=self.learned)

    def check(self, in_channels: int, out_channels: int) -> None:
        """The output has C = L * M channels."""
        require(
            out_channels == self.L * self.M,
            f"L * M must be the width of the block, but {self.L} * {self.M} is not {out_channels}",
        )

    def layers(
        self, name: str, in_channels: int, out_channels: int, kernel: int, stride: int, in_size: Size
    ) -> tuple[Layer, ...]:
        """Primary convolution, permutation, secondary convolution, permutation back.

        Where a stage changes the width, the primary convolution has the groups that both widths allow; with L constant
        and M doubling, as in the paper, these are L.
        """
        groups = self.shortcut_groups(in_channels)
        primary = Convolution(f"{name}_primary", in_channels, out_channels, kernel, stride, groups, in_size)
        if self.learned:
            secondary = LearnedGrouping(groups=self.M).layers(
                f"{name}_secondary", out_channels, out_channels, 1, 1, primary.out_size
            )
            return (primary, *secondary)
        return (
            primary,
            Permutation(f"{name}_interleave", out_channels, self.L),
            Convolution(f"{name}_secondary", out_channels, out_channels, 1, 1, self.M, primary.out_size),
            Permutation(f"{name}_deinterleave", out_channels, self.M),
        )

    def shortcut_groups(self, in_channels: int) -> int:
        """Grouped projection, as in the authors' residual networks."""
        return math.gcd(in_channels, self.L)

    def label(self) -> str:
        """As in L24M2; a learned secondary partition carries an f."""
        return f"L{self.L}M{self.M}" + ("f" if self.learned else "")
