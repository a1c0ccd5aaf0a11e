"""Which networks are trained again: a sample over all costs and over good and bad ones.

The networks of a study are put into bands of equal numbers by their MACs; within a band they are put in the order of
their short accuracy, cut into as many runs of equal length as are to be drawn, and one is drawn from each run. So every
band has networks from both halves of its ranks, and no rank has a better chance than its neighbours. Comparing only
the best would see what luck and selection have left of their differences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from igcnas.errors import StudyError

_LEAST = 3  # networks in a band: fewer have no order to speak of


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A network by its number in the study, and the band that it stands for, 0 the cheapest."""

    number: int
    band: int


def stratified(
    networks: Sequence[tuple[int, int, float]], *, count: int, bands: int, seed: int
) -> tuple[tuple[Member, ...], tuple[tuple[int, int], ...]]:
    """Draw `count` of the networks (number, macs, short accuracy), or all if there are no more.

    Returns the members, cheapest band first and best first in each, and the lowest and highest MACs of each band.
    Raises StudyError where the study or the sample is too small for so many bands.
    """
    if bands < 1:
        raise StudyError(f"--bands {bands} must be at least 1")
    for have, what in ((len(networks), "the study holds {} trained networks"), (count, "--networks {}")):
        if have < _LEAST * bands:
            raise StudyError(
                f"{what.format(have)}, but {bands} bands need {_LEAST * bands}, {_LEAST} for each; "
                "train more, draw more, or give fewer --bands"
            )
    generator = np.random.default_rng(seed)
    by_cost = sorted(networks, key=lambda network: (network[1], network[0]))
    members: list[Member] = []
    limits: list[tuple[int, int]] = []
    for band, share in enumerate(_parts(min(count, len(networks)), bands)):
        begin, end = (len(by_cost) * edge // bands for edge in (band, band + 1))
        inside = sorted(by_cost[begin:end], key=lambda network: (-network[2], network[0]))
        limits.append((by_cost[begin][1], by_cost[end - 1][1]))
        drawn = min(share, len(inside))
        for place in range(drawn):
            first, last = (len(inside) * edge // drawn for edge in (place, place + 1))
            members.append(Member(number=inside[int(generator.integers(first, last))][0], band=band))
    return tuple(members), tuple(limits)


def _parts(count: int, bands: int) -> list[int]:
    """As equal as possible; the dearest bands, where a search ends, get what is over."""
    return [count * (band + 1) // bands - count * band // bands for band in range(bands)]
