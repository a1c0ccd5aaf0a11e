"""The runs that were kept, as numbers: medians of a trial's parts, seconds for the model, means of regret."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import runner
from benchmarks.scale.model import Seconds, between
from benchmarks.scale.parts import PARTS
from benchmarks.summary import Mean, mean

Place = tuple[int, int]
# Writes of the journal: it is queued, begun, has its parameters and a start; 15 epochs, the results, its state.
_BEGIN, _END = 4, 17
_OF_THE_END = ("epochs", "tell", "evaluator")


class Cost(NamedTuple):
    """Of one trial, in seconds: of a core by part; on the wall the median, its quartiles, and the part of the end.

    n: trials. journal: bytes.
    """

    parts: dict[str, float]
    wall: float
    low: float
    high: float
    end: float
    n: int
    journal: float
    memory_mb: float

    @property
    def core(self) -> float:
        """Of a core, all parts together."""
        return sum(self.parts.values())

    @property
    def disk(self) -> float:
        """Waiting for the disk: what the end takes on the wall and not of a core, and as much for each other write."""
        return max(0.0, self.end - self._core_of_the_end) * (_BEGIN + _END) / _END

    @property
    def service(self) -> float:
        """Of a controller that has a core to itself."""
        return self.core + self.disk

    @property
    def ending(self) -> float:
        """The part of it from the end of a training to the choice of the next."""
        return self._core_of_the_end + self.disk * _END / (_BEGIN + _END)

    @property
    def _core_of_the_end(self) -> float:
        return sum(self.parts[part] for part in _OF_THE_END) + self.parts["journal"] * _END / (_BEGIN + _END)


def kept(path: Path) -> list[dict[str, Any]]:
    """Task and result of each run in one."""
    return [line["task"] | line["result"] for line in runner.read(path).values()]


def costs(runs: Sequence[dict[str, Any]], *, sampler: str, apart: bool = False) -> dict[Place, Cost]:
    """By (trials, workers)."""
    return {
        (run["trials"], run["workers"]): _cost(run)
        for run in runs
        if run["sampler"] == sampler and run["apart"] == apart
    }


def _cost(run: dict[str, Any]) -> Cost:
    each = run["each"]
    wall = [one["wall"] for one in each]
    low, middle, high = statistics.quantiles(wall, n=4)
    return Cost(
        parts={part: statistics.median(one[f"core {part}"] for one in each) for part in PARTS},
        wall=middle,
        low=low,
        high=high,
        end=statistics.median(one["wall of the end"] for one in each),
        n=len(each),
        journal=statistics.median(one["journal"] for one in each),
        memory_mb=run["memory_mb"],
    )


def seconds(found: dict[Place, Cost]) -> tuple[Seconds, Seconds]:
    """Of the begin and of the end of a trial: of a core, and waiting for the disk; functions of (trials, workers)."""
    workers = {place[1] for place in found}
    whole = {place: cost for place, cost in found.items() if all((place[0], count) in found for count in workers)}
    return (
        between({place: cost.service - cost.ending for place, cost in whole.items()}),
        between({place: cost.ending for place, cost in whole.items()}),
    )


def regrets(runs: Sequence[dict[str, Any]], sampler: str, workers: int, count: int) -> dict[int, float]:
    """Of each search that got so far, after so many trainings have ended."""
    return {
        run["run"]: run["regrets"][str(count)]
        for run in runs
        if run["sampler"] == sampler and run["workers"] == workers and str(count) in run["regrets"]
    }


def regret(runs: Sequence[dict[str, Any]], sampler: str, workers: int, count: int) -> Mean | None:
    """Their mean; None where no search got that far."""
    found = regrets(runs, sampler, workers, count)
    return mean(list(found.values())) if found else None
