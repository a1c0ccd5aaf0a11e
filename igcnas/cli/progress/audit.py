"""Progress of an audit: a line for each long training, and one now and then within it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from igcnas.cli.common import duration, mega
from igcnas.units import counted

if TYPE_CHECKING:
    from igcnas.results.audit.folder import Sample, Training
    from igcnas.training.engine import EpochReport

_LINE_SECONDS = 30.0  # within a long training


class AuditProgress:
    """Lines to a file.

    expected: seconds that each training to be done should take, from those of the short one; the pace so far corrects
    them.
    """

    def __init__(self, output: TextIO, total: int, expected: Mapping[tuple[int, int], float], *, epochs: int) -> None:
        self.output, self.total, self.expected, self.epochs = output, total, dict(expected), epochs
        self.done = total - len(expected)
        self.current = (0, 0)
        self.name = ""
        self.short = self.share = self.taken_up = 0.0  # shares of the current training
        self.behind = 0.0  # expected seconds of what this run has done
        self.began = self.spoke = time.monotonic()

    def announce(self, sample: Sample, seeds: int, folder: Path) -> None:
        """What is about to happen."""
        bands = ", ".join(
            f"{sum(m.band == band for m in sample.members)} of {mega(low)} to {mega(high)} MFLOPs"
            for band, (low, high) in enumerate(sample.limits)
        )
        self._say(f"sample    {counted(len(sample.members), 'network')}: {bands}")
        there = f" ({self.done} are there)" if self.done else ""
        self._say(
            f"plan      {counted(self.total, 'training')} of {counted(self.epochs, 'epoch')}: "
            f"{counted(seeds, 'seed')}{there}"
        )
        if self.expected:
            self._say(
                f"time      about {duration(sum(self.expected.values()))}, if this machine is as fast as that of the "
                "search; Ctrl-C stops, the same command goes on"
            )
        self._say(f"folder    {folder}")

    def start(self, task: tuple[int, int], name: str, short: float) -> None:
        """One more training begins, or is taken up."""
        self.current, self.name, self.short = task, name, short
        self.share = self.taken_up = 0.0
        self.spoke = time.monotonic()

    def go_on(self, epochs: int) -> None:
        """So many epochs are there from an earlier run."""
        self.taken_up = epochs / self.epochs
        if not self.behind:
            self.began = time.monotonic()  # what torch loads once is no part of the pace

    def epoch(self, report: EpochReport) -> None:
        """One more point of its curve."""
        self.share = report.epoch / self.epochs
        if time.monotonic() - self.spoke > _LINE_SECONDS and report.epoch < self.epochs:
            self.spoke = time.monotonic()
            self._say(
                f"{'':>{2 * len(str(self.total)) + 1}}  network {self.current[0]}, seed {self.current[1]}: epoch "
                f"{report.epoch}/{self.epochs}, {report.val_accuracy:.2f} %  ({self.left()} left)"
            )

    def finished(self, training: Training) -> None:
        """Print it and what is left."""
        self.behind += self.expected.pop(self.current) * (1 - self.taken_up)
        self.done, self.share, self.taken_up = self.done + 1, 0.0, 0.0
        width = len(str(self.total))
        head = f"{self.done:>{width}}/{self.total}  network {self.current[0]:>3}, seed {self.current[1]}"
        if training.val_accuracy is None:
            self._say(f"{head}  failed: {training.failed}")
            return
        self._say(
            f"{head}  {self.short:6.2f} -> {training.val_accuracy:6.2f} %  {training.seconds:5.1f} s  {self.name}  "
            f"({self.left()} left)"
        )

    def left(self) -> str:
        """Time left, in words."""
        current = self.expected.get(self.current, 0.0)
        spent = self.behind + max(0.0, self.share - self.taken_up) * current
        ahead = sum(self.expected.values()) - self.share * current
        if not ahead:
            return "0 s"
        return duration((time.monotonic() - self.began) / spent * ahead) if spent else "an unknown time"

    def _say(self, text: str) -> None:
        print(text, file=self.output, flush=True)
