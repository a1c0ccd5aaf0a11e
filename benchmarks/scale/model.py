"""A controller that serves one trial after the other, and workers that wait for it: simulated, event by event.

One server. A training that ends waits until the server is free; the server then hears its end and begins the next one
in its place, which takes as long as was measured with so many trials ended and so many in training. Between the places
that were measured times are straight lines, and beyond the last they go on as between the last two,
but never fall.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.scale.durations import duration

# Seconds of the server, after so many trials with so many in training.
Seconds = Callable[[float, float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """trials and seconds, from the first begin to the last end; busy: of them, of the server.

    waits: of each worker that got another training, from the end of one to the begin of the next.
    """

    trials: int
    seconds: float
    busy: float
    waits: tuple[float, ...]

    @property
    def per_second(self) -> float:
        """Trials a second."""
        return self.trials / self.seconds if self.seconds else 0.0

    @property
    def mean_wait(self) -> float:
        """Seconds that a worker waits for its next training."""
        return sum(self.waits) / len(self.waits) if self.waits else 0.0


def simulate(
    begin: Seconds, end: Seconds, *, workers: int, trials: int, mean: float, seed: int = 0, ended: int = 0
) -> Simulated:
    """`trials` more trainings of a study that has `ended`. begin, end: seconds of the server for each."""
    free = busy = last = 0.0
    flying: list[float] = []
    waits: list[float] = []
    begun = 0
    while begun < min(workers, trials):
        begun, free = begun + 1, free + begin(ended, begun)
        heapq.heappush(flying, free + duration(seed, ended + begun - 1, mean))
    busy, told = free, 0
    while flying:
        over = heapq.heappop(flying)
        seconds = end(ended + told, len(flying))
        told += 1
        if begun < trials:
            seconds += begin(ended + told, len(flying) + 1)
        free, busy = max(free, over) + seconds, busy + seconds
        last = free
        if begun < trials:
            heapq.heappush(flying, free + duration(seed, ended + begun, mean))
            waits.append(free - over)
            begun += 1
    return Simulated(trials=told, seconds=last, busy=busy, waits=tuple(waits))


def between(values: Mapping[tuple[int, int], float]) -> Seconds:
    """A function of (trials, workers) through measured values on a grid."""
    trials = sorted({place[0] for place in values})
    workers = sorted({place[1] for place in values})

    def at(ended: float, training: float) -> float:
        row = [_line(trials, [values[number, count] for number in trials], ended) for count in workers]
        return max(0.0, _line(workers, row, training))

    return at


def _line(places: Sequence[int], values: Sequence[float], place: float) -> float:
    """Straight between two places; beyond them as between the last two, but never falling; before them level."""
    if len(places) == 1 or place <= places[0]:
        return values[0]
    right = min(max(1, bisect_right(places, place)), len(places) - 1)
    share = (place - places[right - 1]) / (places[right] - places[right - 1])
    rise = values[right] - values[right - 1]
    return values[right] + max(0.0, (share - 1) * rise) if share > 1 else values[right - 1] + share * rise
