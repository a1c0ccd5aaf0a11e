"""What one training shows: a line for each epoch, now and then one within it; on a terminal a bar of its steps."""

from __future__ import annotations

import dataclasses
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from igcnas.cli.common import duration, mega
from igcnas.cli.data_lines import drawn_by_seed, split_lines
from igcnas.cli.progress.display import Display, Shown, sparkline
from igcnas.units import counted

if TYPE_CHECKING:
    from igcnas.data.examination import Examined
    from igcnas.training.engine import Engine
    from igcnas.training.reports import EpochReport, StepReport
    from igcnas.training.runs.data import RunData
    from igcnas.training.runs.settings import RunSettings

_LINE_SECONDS = 30.0  # within a long epoch


class TrainProgress(AbstractContextManager["TrainProgress"]):
    """The observer of a training."""

    def __init__(self, output: TextIO, settings: RunSettings, folder: Path, data: RunData) -> None:
        self.settings, self.folder, self.data = settings, folder, data
        self.display = Display(output, self._shown)
        self.epochs = settings.recipe.epochs
        self.curve: list[EpochReport] = []
        self.done = self.total = self.at_start = 0
        self.steps = 1
        self.began = self.spoke = time.monotonic()

    def __enter__(self) -> TrainProgress:
        self.display.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.display.__exit__(*_)

    def announce(self, workers: int, processes: int, examined: Examined) -> None:
        """What is about to happen."""
        from igcnas.network.cost import count

        settings, recipe = self.settings, self.settings.recipe
        cost = count(settings.architecture)
        shape = "x".join(map(str, self.data.input_shape))
        streamed = f", streamed by {workers} processes" if self.data.streamed else ""
        self.note(f"network   {settings.architecture.label()}: {mega(cost.macs)} MFLOPs, {cost.params:,} params")
        self.note(
            f"data      {self.data.name}: {shape}, {counted(len(self.data.classes), 'class', 'classes')}, "
            f"{counted(self.data.images, 'image')} to train and validate on{streamed}"
        )
        share = settings.data.validation
        if share is None:
            examined = dataclasses.replace(examined, train=examined.train + examined.validation, validation=0)
        drawn = drawn_by_seed(share or 0.0, in_groups=settings.data.groups is not None)
        for line in split_lines(examined, drawn=drawn):
            self.note(line)
        together = f", {processes} processes" if processes > 1 else ""
        self.note(
            f"recipe    {recipe.name}: {counted(recipe.epochs, 'epoch')}, batch {recipe.batch_size}, "
            f"rate {recipe.learning_rate:g}{together}; from: {recipe.source}"
        )
        self.note(f"folder    {self.folder}; Ctrl-C stops, the same command goes on")

    def start(self, engine: Engine) -> None:
        """The engine is about to run, perhaps from a checkpoint."""
        self.steps = engine.steps_per_epoch
        self.total = self.epochs * self.steps
        self.done = self.at_start = len(engine.curve) * self.steps + engine.steps_done
        if self.done:
            self.note(f"going on from epoch {len(engine.curve) + 1}, step {engine.steps_done + 1} of {self.steps}")
        self.began = self.spoke = time.monotonic()

    def step(self, report: StepReport) -> None:
        """One more batch."""
        self.done = (report.epoch - 1) * self.steps + report.step
        silent = time.monotonic() - self.spoke
        if not self.display.watched and silent > _LINE_SECONDS and report.step < self.steps:
            self.spoke = time.monotonic()
            self.note(f"epoch {report.epoch:>4}/{self.epochs}  step {report.step}/{self.steps}  ({self.left()} left)")

    def epoch(self, report: EpochReport) -> None:
        """One more point of the curve; those of earlier runs come first."""
        self.curve.append(report)
        self.spoke = time.monotonic()
        if report.epoch * self.steps > self.at_start:
            self.note(self._line(report))

    def left(self) -> str:
        """Time left, in words."""
        steps = self.done - self.at_start
        if not steps:
            return "an unknown time"
        return duration((time.monotonic() - self.began) / steps * (self.total - self.done))

    def note(self, text: str) -> None:
        """A line of its own."""
        self.display.note(text)

    def _line(self, report: EpochReport) -> str:
        words = [f"epoch {report.epoch:>4}/{self.epochs}", f"loss {report.train_loss:.4f}"]
        words.append(f"training {report.train_accuracy or 0.0:6.2f} %")
        if report.val_accuracy == report.val_accuracy:  # not NaN
            words.append(f"validation {report.val_accuracy:6.2f} %")
        if report.val_top5 is not None:
            words.append(f"top-5 {report.val_top5:6.2f} %")
        return "  ".join([*words, f"({self.left()} left)"])

    def _shown(self) -> Shown:
        epoch, step = divmod(max(0, self.done - 1), self.steps)
        step += self.done > 0
        curve = [r.val_accuracy if r.val_accuracy == r.val_accuracy else r.train_accuracy or 0.0 for r in self.curve]
        words = f"epoch {min(epoch + 1, self.epochs)}/{self.epochs}, step {step}/{self.steps}, {self.left()} left"
        return Shown(done=self.done, total=self.total, words=f"{words} {sparkline(curve[-40:])}")
