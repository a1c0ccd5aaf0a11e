"""What a campaign shows: a line for each training that ends; on a terminal a bar, and what is in training."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TextIO

from igcnas.cli.progress.clock import ListClock
from igcnas.cli.progress.display import Display, Shown, sparkline
from igcnas.units import counted

if TYPE_CHECKING:
    from igcnas.search.campaign import Campaign, Training
    from igcnas.training.reports import EpochReport

_LINE_SECONDS = 30.0  # between lines within long trainings


class CampaignProgress(AbstractContextManager["CampaignProgress"]):
    """The Observer of a campaign.

    expected: seconds of each that is still to be done, by its stem; None where they all take about as long, and the
    first will tell how long. what: is trained now, "" for nothing to be said. quiet_seconds: between the lines of
    trainings that end; the last has its line in any case.
    """

    def __init__(
        self,
        output: TextIO,
        campaign: Campaign[Any],
        expected: Mapping[str, float] | None = None,
        *,
        workers: int,
        what: str = "",
        quiet_seconds: float = 0.0,
    ) -> None:
        missing = campaign.missing()
        self.total = len(campaign.trainings)
        self.done = self.total - len(missing)
        self.clock = ListClock(
            dict.fromkeys((one.stem for one in missing), 1.0) if expected is None else expected,
            workers=workers,
            relative=expected is None,
        )
        self.display = Display(output, self._shown)
        self.running: dict[str, Training[Any]] = {}
        self.curves: dict[str, list[EpochReport]] = {}
        self._head, self._quiet_seconds = f"{what:<9} " if what else "", quiet_seconds
        self._spoke = time.monotonic()

    def __enter__(self) -> CampaignProgress:
        self.display.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.display.__exit__(*_)

    def note(self, text: str) -> None:
        """A line of its own."""
        self.display.note(text)

    def started(self, training: Training[Any]) -> None:
        """One training begins, or is taken up."""
        self.running[training.stem], self.curves[training.stem] = training, []
        self.clock.started(training.stem, taken_up=training.checkpoint.exists())

    def epoch(self, training: Training[Any], report: EpochReport) -> None:
        """One more epoch of it."""
        curve = self.curves[training.stem]
        curve[report.epoch - 1 :] = [report]  # a training that is taken up tells its curve again
        self.clock.reached(training.stem, report.epoch / training.settings.epochs)
        silent = time.monotonic() - self._spoke
        if not self.display.watched and silent > _LINE_SECONDS and report.epoch < training.settings.epochs:
            self._spoke = time.monotonic()
            margin = " " * len(self._count())
            self.note(f"{margin}  {training.title}: {_standing(training, curve)}  ({self.left()} left)")

    def finished(self, training: Training[Any], result: Any) -> None:
        """Print it and what is left."""
        self.done += 1
        self.clock.finished(training.stem)
        del self.running[training.stem], self.curves[training.stem]
        if time.monotonic() - self._spoke >= self._quiet_seconds or self.done == self.total:
            self._spoke = time.monotonic()
            self.note(f"{self._count()}  {training.title}  {training.told(result)}  ({self.left()} left)")

    def left(self) -> str:
        """Time left, in words."""
        return self.clock.left()

    def _count(self) -> str:
        return f"{self._head}{self.done:>4}/{self.total}"

    def _shown(self) -> Shown:
        running = list(self.running.items())  # this runs in a thread of the display
        part = sum(len(self.curves.get(stem, [])) / one.settings.epochs for stem, one in running)
        lines = [f"training  {one.title}: {_standing(one, self.curves.get(stem, []))}" for stem, one in running]
        words = f"{self.done}/{counted(self.total, 'training')}, {self.left()} left"
        return Shown(done=self.done + part, total=self.total, words=words, running=tuple(lines))


def _standing(training: Training[Any], curve: list[EpochReport]) -> str:
    """How far a training is; with its accuracies where there are any to know."""
    text = f"epoch {len(curve)}/{training.settings.epochs}"
    if curve and curve[-1].val_accuracy == curve[-1].val_accuracy:  # not NaN
        text += f", {curve[-1].val_accuracy:.2f} %  {sparkline([report.val_accuracy for report in curve[-40:]])}"
    return text
