"""Live progress of a search: a display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING

from igcnas.cli.common import mega
from igcnas.cli.progress.clock import Clock
from igcnas.system import harmless
from igcnas.system.streams import can_say
from igcnas.units import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from igcnas.network.budget import Budget
    from igcnas.search.records import TrialRecord
    from igcnas.training.engine import EpochReport

_SHOWN = 8  # trainings at once
_BARS, _PLAIN_BARS = "▁▂▃▄▅▆▇█", "_.-~=+*#"  # the second where the encoding of the output lacks the first


def sparkline(values: list[float]) -> str:
    """Accuracies in percent as one character each.

    >>> sparkline([0.0, 50.0, 100.0])
    '▁▅█'
    """
    bars = _BARS if can_say(_BARS, sys.stdout) else _PLAIN_BARS
    return "".join(bars[max(0, min(len(bars) - 1, int(value / 100.0 * len(bars))))] for value in values)


class PlainProgress(AbstractContextManager["PlainProgress"]):
    """One line a network; the search's Progress where nobody watches a terminal. curves: of those in training."""

    def __init__(self, clock: Clock, best: TrialRecord | None, budget: Budget) -> None:
        self.clock, self.best, self.budget = clock, best, budget
        self.training: dict[int, TrialRecord] = {}
        self.curves: dict[int, list[float]] = {}

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to put away."""

    def note(self, text: str) -> None:
        """A line of its own."""
        self._print(text)

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
        if record.state == "complete" and record.repeat == 0 and record.within(self.budget):
            assert record.val_accuracy is not None
            if self.best is None or record.val_accuracy > (self.best.val_accuracy or 0.0):
                self.best = record
        del self.training[record.number], self.curves[record.number]
        self._print(self._line(record))

    def _line(self, record: TrialRecord) -> str:
        head = f"{self.clock.done:>4}/{self.clock.total}"
        if record.repeat:
            head = f"{'again':>{len(head)}}"
        if record.state == "failed":
            return f"{head}  network {record.number} failed: {record.reason}"
        return (
            f"{head}  {mega(record.final_macs):>7} MFLOPs  {record.val_accuracy:6.2f} %  {record.seconds:5.1f} s  "
            f"{sparkline(list(record.accuracies))}  {_name(record)}{self._mark(record)}  ({self.clock.left()} left)"
        )

    def _mark(self, record: TrialRecord) -> str:
        if record.state == "pruned":
            return f"  pruned after epoch {record.pruned_at}"
        if not record.within(self.budget):
            return f"  OVER BUDGET: {mega(record.macs)} MFLOPs expected"
        if record.spared_at is not None:
            return f"  to be pruned after epoch {record.spared_at}, finished to check" + (
                ", best so far" if self.best is record else ""
            )
        return "  best so far" if self.best is record else ""

    def _print(self, text: str) -> None:
        print(text, flush=True)


def _name(record: TrialRecord) -> str:
    """What is trained: a baseline's name, and which seed of which network where it is a repeat."""
    label = f"{record.baseline}: {record.architecture.label()}" if record.baseline else record.architecture.label()
    return f"seed {record.repeat + 1} of network {record.repeat_of}: {label}" if record.repeat else label


class RichProgress(PlainProgress):
    """The same lines above a display: bar, time left, best so far, and the curves of the networks in training."""

    def __init__(self, clock: Clock, best: TrialRecord | None, budget: Budget) -> None:
        from rich.console import Console
        from rich.live import Live

        super().__init__(clock, best, budget)
        self._console = Console(file=harmless.plain_output(sys.stdout), highlight=False)
        self._live = Live(get_renderable=self._display, console=self._console, refresh_per_second=4, transient=True)

    def __enter__(self) -> RichProgress:
        """Start the display."""
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the display away."""
        self._live.stop()

    def _print(self, text: str) -> None:
        self._console.print(harmless.lines(text), markup=False, soft_wrap=True)

    def _display(self) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            ProgressBar(total=self.clock.total, completed=self.clock.done, width=40),
            Text(
                f"{self.clock.done}/{counted(self.clock.total, 'network')}, then at most "
                f"{counted(self.clock.repeats, 'repeat')}, "
                f"{self.clock.left()} left"
            ),
        )
        lines: list[RenderableType] = [bar]
        if self.best is not None:
            label = self.best.baseline or self.best.architecture.label()
            text = f"best      {self.best.val_accuracy:.2f} %  {mega(self.best.final_macs)} MFLOPs  {label}"
            lines.append(Text(harmless.line(text), no_wrap=True, overflow="ellipsis"))
        for number, record in list(self.training.items())[:_SHOWN]:
            curve = self.curves.get(number, [])  # this runs in a thread of the display
            accuracy = f"{curve[-1]:.1f} %" if curve else "starting"
            text = (
                f"training  {sparkline(curve)} {accuracy}  epoch {len(curve)}/{record.epochs}  "
                f"{mega(record.macs)} MFLOPs  {_name(record)}"
            )
            lines.append(Text(harmless.line(text), no_wrap=True, overflow="ellipsis"))
        if len(self.training) > _SHOWN:
            lines.append(Text(f"training  and {len(self.training) - _SHOWN} more"))
        return Group(*lines)


def progress_for(clock: Clock, best: TrialRecord | None, budget: Budget) -> PlainProgress:
    """A display on a terminal, plain lines elsewhere."""
    return (RichProgress if sys.stdout.isatty() else PlainProgress)(clock, best, budget)
