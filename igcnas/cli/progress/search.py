"""What a search shows: a line for each network; on a terminal a bar, the best so far, and what is in training."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from igcnas.cli.progress.clock import Clock
from igcnas.cli.progress.display import Display, Shown, sparkline
from igcnas.units import counted

if TYPE_CHECKING:
    from igcnas.search.costs import Costs
    from igcnas.search.records import TrialRecord
    from igcnas.training.reports import EpochReport


class SearchProgress(AbstractContextManager["SearchProgress"]):
    """The search's Progress. curves: of those in training."""

    def __init__(self, clock: Clock, best: TrialRecord | None, costs: Costs, measure: str = "accuracy") -> None:
        self.unit = "%" if measure == "accuracy" else f"% {measure}"
        self.clock, self.best, self.costs = clock, best, costs
        self.training: dict[int, TrialRecord] = {}
        self.curves: dict[int, list[float]] = {}
        self.display = Display(sys.stdout, self._shown)

    def __enter__(self) -> SearchProgress:
        self.display.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.display.__exit__(*_)

    def note(self, text: str) -> None:
        """A line of its own."""
        self.display.note(text)

    def started(self, record: TrialRecord) -> None:
        """Remember what is being trained."""
        self.training[record.number], self.curves[record.number] = record, []
        self.clock.started(record)

    def epoch(self, number: int, report: EpochReport) -> None:
        """One more point of the curve of network `number`."""
        # A training that is taken up tells its curve again.
        self.curves[number][report.epoch - 1 :] = [report.val_accuracy]
        self.clock.reached(self.training[number], report.epoch)

    def finished(self, record: TrialRecord) -> None:
        """Print the network and what is left."""
        self.clock.finished(record)
        if record.state == "complete" and record.repeat == 0 and record.within(self.costs.budget):
            assert record.val_accuracy is not None
            if self.best is None or record.val_accuracy > (self.best.val_accuracy or 0.0):
                self.best = record
        del self.training[record.number], self.curves[record.number]
        self.note(self._line(record))

    def _line(self, record: TrialRecord) -> str:
        head = f"{self.clock.done:>4}/{self.clock.total}"
        if record.repeat:
            head = f"{'again':>{len(head)}}"
        if record.state == "failed":
            return f"{head}  network {record.number} failed: {record.reason}"
        return (
            f"{head}  {self.costs.words(record):>14}  {record.val_accuracy:6.2f} {self.unit}  "
            f"{record.seconds:5.1f} s  {sparkline(list(record.accuracies))}  {_name(record)}{self._mark(record)}  "
            f"({self.clock.left()} left)"
        )

    def _mark(self, record: TrialRecord) -> str:
        if record.state == "pruned":
            return f"  pruned after epoch {record.pruned_at}"
        if not record.within(self.costs.budget):
            return f"  OVER BUDGET: {self.costs.planned_words(record)} expected"
        if record.spared_at is not None:
            return f"  to be pruned after epoch {record.spared_at}, finished to check" + (
                ", best so far" if self.best is record else ""
            )
        return "  best so far" if self.best is record else ""

    def _shown(self) -> Shown:
        words = (
            f"{self.clock.done}/{counted(self.clock.total, 'network')}, then at most "
            f"{counted(self.clock.repeats, 'repeat')}, {self.clock.left()} left"
        )
        best: tuple[str, ...] = ()
        if self.best is not None:
            label = self.best.baseline or self.best.architecture.label()
            best = (f"best      {self.best.val_accuracy:.2f} {self.unit}  {self.costs.words(self.best)}  {label}",)
        running = []
        for number, record in list(self.training.items()):  # this runs in a thread of the display
            curve = self.curves.get(number, [])
            accuracy = f"{curve[-1]:.1f} %" if curve else "starting"
            running.append(
                f"training  {sparkline(curve)} {accuracy}  epoch {len(curve)}/{record.epochs}  "
                f"{self.costs.planned_words(record)}  {_name(record)}"
            )
        return Shown(done=self.clock.done, total=self.clock.total, words=words, lines=best, running=tuple(running))


def _name(record: TrialRecord) -> str:
    """What is trained: its number, a baseline's name, and which seed of which network where it is a repeat."""
    label = f"{record.baseline}: {record.architecture.label()}" if record.baseline else record.architecture.label()
    if record.repeat:
        return f"seed {record.repeat + 1} of network {record.repeat_of}: {label}"
    return f"network {record.number}: {label}"
