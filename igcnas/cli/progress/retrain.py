"""Live progress of a retraining: a bar on a terminal, lines elsewhere. Test results come at the end alone."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from igcnas.cli.common import duration, mega
from igcnas.units import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from igcnas.results.retraining import Result, RetrainSettings, Training
    from igcnas.training.engine import EpochReport


class RetrainProgress(AbstractContextManager["RetrainProgress"]):
    """Lines to a file, one a training. `expected`: seconds of each training that is still to do."""

    def __init__(self, output: TextIO, trainings: Sequence[Training], expected: Sequence[float]) -> None:
        self.output, self.total = output, len(trainings)
        self.waiting = list(expected)
        self.done = self.total - len(self.waiting)
        self.current: Training | None = None
        self.epochs = self.epoch_now = self.taken_up = 0
        self._began, self._spent, self._predicted = time.monotonic(), 0.0, 0.0

    def __exit__(self, *_: object) -> None:
        """Nothing to put away."""

    def announce(self, folder: Path, settings: RetrainSettings, *, study_epochs: int) -> None:
        """What is about to happen."""
        from igcnas.network.cost import count

        self.epochs = settings.training.epochs
        self.note(f"folder    {folder}; Ctrl-C stops, the same command goes on")
        for finalist in settings.finalists:
            found = "" if finalist.val_accuracy is None else f", {finalist.val_accuracy:.2f} % in the search"
            cost = count(finalist.architecture)
            self.note(f"network   {finalist.name}: {mega(cost.macs)} MFLOPs{found}; {finalist.architecture.label()}")
        earlier = f" ({self.done} are there)" if self.done else ""
        self.note(
            f"plan      {counted(self.total, 'training')}{earlier}: {counted(len(settings.finalists), 'network')}, "
            f"{counted(settings.seeds, 'seed')}, "
            f"{counted(self.epochs, 'epoch')} (the search: {study_epochs}), on training and validation images"
        )
        self.note(f"time      about {self.left()}, from the times of the study; the test results come at the end")

    def started(self, training: Training) -> None:
        """Remember what is being trained."""
        self.current, self.epoch_now, self.taken_up = training, 0, 0
        self._began = time.monotonic()

    def epoch(self, report: EpochReport) -> None:
        """One more epoch."""
        self.epoch_now = report.epoch

    def finished(self, training: Training, result: Result) -> None:
        """Print the training and what is left."""
        self.done += 1
        self._predicted += self.waiting.pop(0)
        self._spent += time.monotonic() - self._began
        self.current = None
        what = f"failed: {result.failed}" if result.failed else f"loss {result.train_loss:.4f}  {result.seconds:6.1f} s"
        head = f"{self.done:>4}/{self.total}  {training.finalist.name}, seed {training.repeat}"
        self.note(f"{head}  {what}  ({self.left()} left)")

    def left(self) -> str:
        """Time left, in words; what was predicted against what it took corrects the rest."""
        pace = self._spent / self._predicted if self._predicted > 0 else 1.0
        seconds = pace * sum(self.waiting)
        if self.current is not None:
            seconds = max(0.0, seconds - (time.monotonic() - self._began))
        return duration(seconds) if math.isfinite(seconds) else "an unknown time"

    def note(self, text: str) -> None:
        """A line of its own."""
        print(text, file=self.output, flush=True)


class RichRetrainProgress(RetrainProgress):
    """The same lines above a bar."""

    def __init__(self, output: TextIO, trainings: Sequence[Training], expected: Sequence[float]) -> None:
        from rich.console import Console
        from rich.live import Live

        super().__init__(output, trainings, expected)
        self._console = Console(file=output, highlight=False)
        self._live = Live(get_renderable=self._display, console=self._console, refresh_per_second=4, transient=True)

    def __enter__(self) -> RichRetrainProgress:
        """Start the display."""
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the display away."""
        self._live.stop()

    def note(self, text: str) -> None:
        """A line above the bar."""
        self._console.print(text, markup=False, soft_wrap=True)

    def _display(self) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        part = self.epoch_now / self.epochs if self.current is not None and self.epochs else 0.0
        bar = Table.grid(padding=(0, 1))
        words = f"{self.done}/{counted(self.total, 'training')}, {self.left()} left"
        if self.current is not None:
            words += f"; {self.current.finalist.name}, seed {self.current.repeat}, epoch {self.epoch_now}/{self.epochs}"
        bar.add_row(ProgressBar(total=self.total, completed=self.done + part, width=40), Text(words))
        return bar


def progress_for(output: TextIO, trainings: Sequence[Training], expected: Sequence[float]) -> RetrainProgress:
    """A bar on a terminal, lines elsewhere."""
    return (RichRetrainProgress if output.isatty() else RetrainProgress)(output, trainings, expected)
