"""Live progress of a search: a display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING

from igcnas.cli.common import duration, mega

if TYPE_CHECKING:
    from rich.console import RenderableType

    from igcnas.records import TrialRecord
    from igcnas.training import EpochReport

_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: list[float]) -> str:
    """Accuracies in percent as one character each.

    >>> sparkline([0.0, 50.0, 100.0])
    '▁▅█'
    """
    return "".join(_BARS[min(len(_BARS) - 1, int(value / 100.0 * len(_BARS)))] for value in values)


class Clock:
    """How far a search is and how long it will take.

    `each` is the seconds that a searched network is expected to take, `known` those of the known networks still to be
    trained, by architecture id, `repeats` how many repeats may follow. What was expected of the networks so far,
    against the time they took, corrects the rest; so pruning shortens it.
    """

    def __init__(self, done: int, total: int, each: float, known: dict[str, float], *, repeats: int = 0) -> None:
        self.done, self.total, self.repeats, self._each, self._known = done, total, repeats, each, dict(known)
        self._start, self._expected = time.monotonic(), 0.0

    def finished(self, record: TrialRecord) -> None:
        """One more training has ended; what failed is replaced by another network, a known one by none."""
        expected = self._known.pop(record.architecture.id, self._each) if record.repeat == 0 else self._each
        if record.repeat:
            self.repeats = max(0, self.repeats - 1)
        elif record.state != "failed":
            self.done += 1
        if record.state != "failed":
            self._expected += expected

    def left(self) -> str:
        """Time left, in words."""
        return duration(self.seconds_left()) if self._each else "an unknown time"  # where nothing could be measured

    def seconds_left(self) -> float:
        """Seconds left."""
        pace = (time.monotonic() - self._start) / self._expected if self._expected else 1.0
        searched = max(0, self.total - self.done - len(self._known))
        return pace * (sum(self._known.values()) + self._each * (searched + self.repeats))


class PlainProgress(AbstractContextManager["PlainProgress"]):
    """One line a network; the search's Progress where nobody watches a terminal."""

    def __init__(self, clock: Clock, best: TrialRecord | None, budget_macs: int) -> None:
        self.clock, self.best, self.budget_macs = clock, best, budget_macs
        self.current: TrialRecord | None = None
        self.curve: list[float] = []

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to put away."""

    def note(self, text: str) -> None:
        """A line of its own."""
        self._print(text)

    def started(self, record: TrialRecord) -> None:
        """Remember what is being trained."""
        self.current, self.curve = record, []

    def epoch(self, report: EpochReport) -> None:
        """One more point of the curve."""
        self.curve[report.epoch - 1 :] = [report.val_accuracy]  # a training that is taken up tells its curve again

    def finished(self, record: TrialRecord) -> None:
        """Print the network and what is left."""
        self.clock.finished(record)
        if record.state == "complete" and record.repeat == 0 and record.within(self.budget_macs):
            assert record.val_accuracy is not None
            if self.best is None or record.val_accuracy > (self.best.val_accuracy or 0.0):
                self.best = record
        self._print(self._line(record))
        self.current = None

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
        if not record.within(self.budget_macs):
            return f"  OVER BUDGET: {mega(record.macs)} MFLOPs expected"
        if record.spared_at is not None:
            return f"  to be pruned after epoch {record.spared_at}, finished to check" + (
                ", best so far" if self.best is record else ""
            )
        return "  best so far" if self.best is record else ""

    def _print(self, text: str) -> None:
        print(text, flush=True)


def _name(record: TrialRecord) -> str:
    """What is trained: a known network's name, and which seed of which network where it is a repeat."""
    label = f"{record.baseline}: {record.architecture.label()}" if record.baseline else record.architecture.label()
    return f"seed {record.repeat + 1} of network {record.repeat_of}: {label}" if record.repeat else label


class RichProgress(PlainProgress):
    """The same lines above a display: bar, time left, best so far, and the curve of the network in training."""

    def __init__(self, clock: Clock, best: TrialRecord | None, budget_macs: int) -> None:
        from rich.console import Console
        from rich.live import Live

        super().__init__(clock, best, budget_macs)
        self._console = Console(highlight=False)
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
        self._console.print(text, markup=False, soft_wrap=True)

    def _display(self) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            ProgressBar(total=self.clock.total, completed=self.clock.done, width=40),
            Text(
                f"{self.clock.done}/{self.clock.total} networks, then at most {self.clock.repeats} repeats, "
                f"{self.clock.left()} left"
            ),
        )
        lines: list[RenderableType] = [bar]
        if self.best is not None:
            label = self.best.baseline or self.best.architecture.label()
            text = f"best      {self.best.val_accuracy:.2f} %  {mega(self.best.final_macs)} MFLOPs  {label}"
            lines.append(Text(text, no_wrap=True, overflow="ellipsis"))
        if self.current is not None:
            accuracy = f"{self.curve[-1]:.1f} %" if self.curve else "starting"
            text = (
                f"training  {sparkline(self.curve)} {accuracy}  epoch {len(self.curve)}/{self.current.epochs}  "
                f"{mega(self.current.macs)} MFLOPs  {_name(self.current)}"
            )
            lines.append(Text(text, no_wrap=True, overflow="ellipsis"))
        return Group(*lines)


def progress_for(clock: Clock, best: TrialRecord | None, budget_macs: int) -> PlainProgress:
    """A display on a terminal, plain lines elsewhere."""
    return (RichProgress if sys.stdout.isatty() else PlainProgress)(clock, best, budget_macs)
