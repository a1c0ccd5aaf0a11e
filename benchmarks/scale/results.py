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
    """Of the begin and of the end of a trial, on the wall, as a function of (trials, workers)."""
    workers = {place[1] for place in found}
    whole = {place: cost for place, cost in found.items() if all((place[0], count) in found for count in workers)}
    return (
        between({place: cost.wall - cost.end for place, cost in whole.items()}),
        between({place: cost.end for place, cost in whole.items()}),
    )


def regret(runs: Sequence[dict[str, Any]], sampler: str, workers: int, count: int) -> Mean | None:
    """After so many trainings have ended; None where no run got that far."""
    found: dict[int, float] = {
        run["run"]: run["regrets"][str(count)]
        for run in runs
        if run["sampler"] == sampler and run["workers"] == workers and str(count) in run["regrets"]
    }
    return mean(list(found.values())) if found else None
