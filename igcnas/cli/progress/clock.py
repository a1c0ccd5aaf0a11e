"""How far a search is, and how long it will still take with so many workers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from igcnas.cli.common import duration

if TYPE_CHECKING:
    from igcnas.search.records import TrialRecord


class Clock:
    """How far a search is and how long it will take.

    `each` is the seconds that a searched network is expected to take, `known` those of the baselines still to be
    trained, by architecture id, `repeats` how many repeats may follow. The time that trainings took, from begin to end,
    against what was expected of them corrects the rest: so pruning shortens it, and workers that hinder each other
    lengthen it. What is left is shared by the `workers`.
    """

    def __init__(
        self, done: int, total: int, each: float, known: dict[str, float], *, repeats: int = 0, workers: int = 1
    ) -> None:
        self.done, self.total, self.repeats, self.workers = done, total, repeats, workers
        self._each, self._known = each, dict(known)
        self._begun: dict[int, float] = {}
        self._through: dict[int, float] = {}  # share of each training that is done
        self._spent, self._expected = 0.0, 0.0

    def started(self, record: TrialRecord) -> None:
        """A training begins."""
        self._begun[record.number], self._through[record.number] = time.monotonic(), 0.0

    def reached(self, record: TrialRecord, epoch: int) -> None:
        """It has done so many epochs."""
        self._through[record.number] = epoch / record.epochs

    def finished(self, record: TrialRecord) -> None:
        """One more training has ended; what failed is replaced by another network, a known one by none."""
        expected = self._known.pop(record.architecture.id, self._each) if record.repeat == 0 else self._each
        begun = self._begun.pop(record.number, time.monotonic())
        self._through.pop(record.number, None)
        if record.repeat:
            self.repeats = max(0, self.repeats - 1)
        elif record.state != "failed":
            self.done += 1
        if record.state != "failed":
            self._expected += expected
            self._spent += time.monotonic() - begun

    def left(self) -> str:
        """Time left, in words."""
        return duration(self.seconds_left()) if self._each else "an unknown time"  # where nothing could be measured

    def seconds_left(self) -> float:
        """Seconds left."""
        pace = self._spent / self._expected if self._expected else 1.0
        searched = max(0, self.total - self.done - len(self._known))
        trainings = len(self._known) + searched + self.repeats
        work = sum(self._known.values()) + self._each * (searched + self.repeats - sum(self._through.values()))
        return pace * max(0.0, work) / max(1, min(self.workers, trainings))
