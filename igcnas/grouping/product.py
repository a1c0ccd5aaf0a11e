"""Interleaved structured sparse convolution (IGC V2): a product of sparse kernels.

Xie, Wang, Zhang, Lai, Hong, Qi, "Interleaved Structured Sparse Convolutional Neural Networks", CVPR 2018
(arXiv:1804.06202). A spatial convolution with branches of K[0] channels, then pointwise group convolutions with
branches of K[1], K[2], ... channels, permutations in between and no activation. Where the product of K is the width,
exactly one path joins each input to each output channel (strict complementary condition); where it is smaller, some
pairs never meet (the paper's IGCV2*).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from igcnas.checks import require, require_divides, require_positive
from igcnas.primitives import Convolution, Layer, Permutation, Size


@dataclass(frozen=True, slots=True, kw_only=True)
class SparseProduct:
    """Branch sizes K of the sparse kernels; K[0] = 1 is a depthwise spatial convolution."""

    kind: ClassVar[str] = "product"
    K: tuple[int, ...]

    def __post_init__(self) -> None:
        require(isinstance(self.K, tuple) and len(self.K) >= 1, f"K must be a tuple of branch sizes, but is {self.K!r}")
        for size in self.K:
            require_positive(K=size)

    def check(self, in_channels: int, out_channels: int) -> None:
        """Each of K divides the width, branches of K[0] channels both sides; the product of K need not (IGCV2*)."""
        for size in self.K:
            require_divides(size, out_channels, "a product of sparse kernels")
        require_divides(self.K[0], in_channels, "the input of a product of sparse kernels")

    def layers(
        self, name: str, in_channels: int, out_channels: int, kernel: int, stride: int, in_size: Size
    ) -> tuple[Layer, ...]:
        """The spatial convolution, then for each further kernel a permutation and a pointwise convolution."""
        groups = math.gcd(in_channels, out_channels) // self.K[0]
        spatial = Convolution(f"{name}_kernel1", in_channels, out_channels, kernel, stride, groups, in_size)
        layers: list[Layer] = [spatial]
        for number, size in enumerate(self.K[1:], start=2):
            layers.append(Permutation(f"{name}_permute{number}", out_channels, size))
            conv = Convolution(
                f"{name}_kernel{number}", out_channels, out_channels, 1, 1, out_channels // size, spatial.out_size
            )
            layers.append(conv)
        return tuple(layers)

    def shortcut_groups(self, in_channels: int) -> int:
        """A dense projection."""
        return 1

    def label(self) -> str:
        """As in K1x8x8."""
        return "K" + "x".join(map(str, self.K))
