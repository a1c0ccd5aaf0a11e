"""Interleaved structured sparse convolution (IGC V2): a product of sparse kernels.

Xie, Wang, Zhang, Lai, Hong, Qi, "Interleaved Structured Sparse Convolutional Neural Networks", CVPR 2018
(arXiv:1804.06202). A spatial convolution with branches of K[0] channels, then pointwise group convolutions with
branches of K[1], K[2], ... channels, permutations in between and no activation. Where the product P of K is the width
C, exactly one path joins each input to each output channel (strict complementary condition); where it is smaller, some
pairs never meet (the paper's IGCV2*).

The permutations. Write the number of a channel in the mixed radix K[0], K[1], ..., first digit fastest; kernel l mixes
channels that differ in digit l alone. A group convolution mixes neighbours, so that digit must be the fastest: after
each kernel a shuffle moves its digit from the fastest to the slowest place. The same shuffles do where P is not C. Each
channel then reaches P consecutive ones, counted around the circle of C, and so every pair has floor(P / C) or
ceil(P / C) paths, for any K whose sizes divide C.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from igcnas.errors import ArchitectureError
from igcnas.network.grouping.base import Grouping
from igcnas.network.primitives import Convolution, Gather, Layer, Permutation, Size
from igcnas.system.bounds import FACTORS
from igcnas.system.checks import require, require_bool, require_divides, require_positive
from igcnas.units import counted

WIDEN = ("spatial", "last")


@dataclass(frozen=True, slots=True, kw_only=True)
class SparseProduct(Grouping):
    """Branch sizes K of the sparse kernels; K[0] = 1 is a depthwise spatial convolution.

    `restore`: the last permutation gives the channels back their places, so that a shortcut adds each to itself. Then,
    if P divides C and is smaller, such blocks in a row are C / P networks that never meet. If not restored, the last
    kernel is followed by its shuffle like the others, and m blocks reach P^m channels. With P = C both are the same.

    `widen`: which kernel changes the width. The 'spatial' one then has fewer groups, those that both widths allow; with
    the 'last' one, whose branches have K[-1] channels on the side of the output, all others keep the width of the
    input, and one path joins each pair where P is the new width and P / K[-1] divides the old one.
    """

    kind: ClassVar[str] = "product"
    blocks: ClassVar[Mapping[str, str]] = {"basic": "IGC V2 block"}
    K: tuple[int, ...]
    restore: bool = True
    widen: str = "spatial"

    def __post_init__(self) -> None:
        require(isinstance(self.K, tuple) and len(self.K) >= 1, f"K must be a tuple of branch sizes, but is {self.K!r}")
        require(len(self.K) <= FACTORS, f"K has {len(self.K):,} branch sizes, more than {FACTORS}")
        for size in self.K:
            require_positive(K=size)
        require_bool(restore=self.restore)
        require(self.widen in WIDEN, f"widen must be one of {WIDEN}, but is {self.widen!r}")

    def check(self, in_channels: int, out_channels: int) -> None:
        """Every branch size divides the width; branches of K[0] channels divide both sides."""
        require_divides(self.K[0], in_channels, "the input of a product of sparse kernels")
        for size in self.K:
            require(
                out_channels % size == 0,
                f"branches of {size} channels do not divide the {out_channels} of {self.label()}",
            )
        if self._widens_last(in_channels, out_channels):
            for size in (*self.K[:-1], out_channels // self.K[-1]):
                require_divides(size, in_channels, f"the input of {self.label()}, which its last kernel widens,")

    def layers(
        self, name: str, in_channels: int, out_channels: int, kernel: int, stride: int, in_size: Size
    ) -> tuple[Layer, ...]:
        """The spatial convolution, then for each further kernel a permutation and a pointwise convolution.

        Where the spatial kernel changes the width, it has gcd(in, out) / K[0] groups, each with more channels on one
        side. Every pair then has the same number of paths, if it is whole: K[1] * K[2] * ... over these groups.
        """
        middle = in_channels if self._widens_last(in_channels, out_channels) else out_channels
        groups = math.gcd(in_channels, middle) // self.K[0]
        spatial = Convolution(f"{name}_kernel1", in_channels, middle, kernel, stride, groups, in_size)
        layers: list[Layer] = [spatial]
        size, place = middle // groups, 1
        for number, following in enumerate(self.K[1:], start=2):
            layers += _move(f"{name}_permute{number}", middle, middle // size)
            place *= size
            size = following
            last = out_channels if number == len(self.K) else middle
            layers.append(Convolution(f"{name}_kernel{number}", middle, last, 1, 1, last // size, spatial.out_size))
        layers += _move(f"{name}_restore", out_channels, place if self.restore else out_channels // size)
        return tuple(layers)

    def _widens_last(self, in_channels: int, out_channels: int) -> bool:
        return self.widen == "last" and len(self.K) > 1 and in_channels != out_channels

    def label(self) -> str:
        """As in K1x8x8; an r for channels that the last kernel leaves rotated."""
        return "K" + "x".join(map(str, self.K)) + ("" if self.restore else "r")

    def title(self) -> str:
        """As in K = 1x8x8."""
        return f"K = {'x'.join(map(str, self.K))}"

    def partitions(self, layer: Convolution, *, part: str, detail: str) -> str:
        """The branches of one kernel."""
        number = int(detail.removeprefix("kernel"))
        inputs, outputs = layer.in_channels // layer.groups, layer.out_channels // layer.groups
        branch = self.K[number - 1]
        named = f"K{number} = {branch}" if inputs == outputs == branch else f"kernel {number}"
        size = "" if inputs == outputs else f" of {inputs} -> {outputs}"
        return f"{named}: {counted(layer.groups, 'branch', 'branches')}{size}"


def _move(name: str, channels: int, factor: int) -> list[Layer]:
    """Channel p goes to place p * factor modulo channels - 1: a shuffle, for a divisor; the last channel stays.

    Moving a digit of size K from fastest to slowest is factor C / K; so the inverse, factor K, brings it back, because
    C is 1 modulo C - 1. Products of such moves need no more than the product of the factors.
    """
    if channels <= 2 or (factor - 1) % (channels - 1) == 0:
        return []
    factor %= channels - 1
    if channels % factor == 0:
        return [Permutation(name, channels, factor)]
    indices = [0] * channels
    for place in range(channels - 1):
        indices[place * factor % (channels - 1)] = place
    indices[-1] = channels - 1
    return [Gather(name, tuple(indices))]


def weights(K: tuple[int, ...], channels: int, kernel: int = 3) -> int:
    """Weights of a product of sparse kernels at constant width: C (S K1 + K2 + ...), S = kernel * kernel.

    >>> weights((1, 8, 8), 64)
    1600
    """
    return channels * (kernel * kernel * K[0] + sum(K[1:]))


def least_weights(channels: int, kernels: int, kernel: int = 3) -> float:
    """The bound n C (S C)^(1/n) on `weights` for n kernels that meet the strict complementary condition.

    Reached at the balance condition, S K1 = K2 = ... = Kn = (S C)^(1/n); n = ln(S C) makes it smallest.

    >>> [round(least_weights(64, n)) for n in range(1, 9)]
    [36864, 3072, 1598, 1254, 1141, 1108, 1111, 1133]
    """
    require_positive(channels=channels, kernels=kernels, kernel=kernel)
    return float(kernels * channels * (kernel * kernel * channels) ** (1 / kernels))


def balanced_branches(channels: int, kernels: int, kernel: int = 3) -> tuple[int, ...]:
    """Branch sizes with product C and the fewest weights: the integers nearest to the balance condition.

    The first may be 1 (depthwise), the others not. Raises ArchitectureError where C has too few prime factors.

    >>> balanced_branches(64, 3), balanced_branches(64, 2), balanced_branches(48, 3)
    ((1, 8, 8), (2, 32), (1, 6, 8))
    """
    require_positive(channels=channels, kernels=kernels, kernel=kernel)
    candidates = [
        (first, *rest)
        for first in _divisors(channels)
        for rest in _factorizations(channels // first, kernels - 1, least=2)
    ]
    if not candidates:
        raise ArchitectureError(
            f"{channels} channels are no product of {kernels} branch sizes; take at most {most_kernels(channels)}"
        )
    return min(candidates, key=lambda K: (weights(K, channels, kernel), K))


def most_kernels(channels: int) -> int:
    """Kernels that a strict product of this width can have: a depthwise one and one for each prime factor."""
    count, rest = 1, channels
    for factor in _divisors(channels)[1:]:
        while rest % factor == 0:
            count, rest = count + 1, rest // factor
    return count


def _divisors(number: int) -> list[int]:
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]


def _factorizations(number: int, parts: int, *, least: int) -> Iterator[tuple[int, ...]]:
    """Every ascending tuple of `parts` factors, each at least `least`, with this product."""
    if parts == 0:
        if number == 1:
            yield ()
    elif parts == 1:
        if number >= least:
            yield (number,)
    else:
        for factor in _divisors(number):
            if factor >= least and factor**parts <= number:
                for rest in _factorizations(number // factor, parts - 1, least=factor):
                    yield (factor, *rest)
