"""Virtual workers, as many as you like: a training ends at once, in the order in which real ones would have ended."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from pathlib import Path

from benchmarks.report_time import stand_in
from benchmarks.scale.durations import duration
from igcnas.network.architecture import Architecture
from igcnas.search.evaluation import Outcome
from igcnas.search.evaluation.seam import Told
from igcnas.training.reports import EpochReport


class Virtual:
    """An Evaluator. on_end: called when a training has ended, before the controller hears it."""

    def __init__(self, workers: int, *, on_end: Callable[[], None] = lambda: None) -> None:
        self.slots = workers
        self._on_end, self._now = on_end, 0.0
        self._flying: list[tuple[float, int, Architecture, Path]] = []

    def submit(self, number: int, architecture: Architecture, folder: Path, repeat: int = 0) -> None:
        """Begin it, at the time at which the last one ended."""
        heapq.heappush(self._flying, (self._now + duration(0, number, 1.0), number, architecture, folder))

    def wait(self, told: Told) -> tuple[int, Outcome]:
        """The next that ends; all of its epochs are told then."""
        self._now, number, architecture, folder = heapq.heappop(self._flying)
        self._on_end()
        outcome = stand_in(architecture, folder, lambda _report: None)
        tell_epochs(number, outcome, told)
        return number, outcome


def tell_epochs(number: int, outcome: Outcome, told: Told) -> None:
    """Each point of the curve, as a worker tells it while it trains."""
    assert outcome.results is not None
    for epoch, loss, accuracy in outcome.results["curve"]:
        told(number, EpochReport(epoch=epoch, train_loss=loss, val_accuracy=accuracy))
