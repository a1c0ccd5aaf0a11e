"""Where every buffer of a program lies in one static arena: buffers whose lifetimes overlap do not.

A buffer lives from the first operation that writes it to the last that reads it; what a kernel needs for itself while
it runs lives then alone. The largest are placed first, each at the lowest gap among those alive at the same time: the
rule of TensorFlow Lite Micro's planner. Sizes are rounded up to a line of a cache.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

_LINE = 16  # numbers of a line of a cache


class Span(NamedTuple):
    """Numbers that are alive from operation `first` to operation `last`, both included."""

    numbers: int
    first: int
    last: int


def place(spans: Iterable[Span]) -> tuple[list[int], int]:
    """The offset of each, and the size of the arena."""
    known = [span._replace(numbers=-(-span.numbers // _LINE) * _LINE) for span in spans]
    offsets = [0] * len(known)
    placed: list[int] = []
    for one in sorted(range(len(known)), key=lambda k: -known[k].numbers):
        at = 0
        together = (k for k in placed if known[k].first <= known[one].last and known[one].first <= known[k].last)
        for other in sorted(together, key=lambda k: offsets[k]):
            if at + known[one].numbers <= offsets[other]:
                break
            at = max(at, offsets[other] + known[other].numbers)
        offsets[one] = at
        placed.append(one)
    return offsets, max((offsets[k] + span.numbers for k, span in enumerate(known)), default=0)


def live_bound(spans: Iterable[Span]) -> int:
    """The most numbers that are alive at once: no arena is smaller."""
    known = list(spans)
    times = {span.first for span in known}
    return max((sum(span.numbers for span in known if span.first <= t <= span.last) for t in times), default=0)
