"""How far a list of trainings is, and how long it will still take with so many workers."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

from igcnas.cli.common import duration

if TYPE_CHECKING:
    from igcnas.search.records import TrialRecord


class Pace:
    """The time that trainings took, from begin to end, against what was expected of them: it corrects the rest.

    So pruning shortens it, and workers that hinder each other lengthen it, and so does what a worker waits for between
    two trainings: that the next network is proposed, and that what the last one left is stored. What is left is shared
    by the `workers`.
    """

    def __init__(self, workers: int = 1) -> None:
        self.workers = workers
        self.through: dict[Hashable, float] = {}  # share of each training that is done
        self._begun: dict[Hashable, float] = {}
        self._waiting: deque[float] = deque()  # since when workers have had nothing to do
        self._spent, self._expected = 0.0, 0.0

    def begin(self, key: Hashable) -> None:
        """A training begins."""
        self._begun[key] = self._waiting.popleft() if self._waiting else time.monotonic()
        self.through[key] = 0.0

    def reach(self, key: Hashable, share: float) -> None:
        """So much of it is done."""
        self.through[key] = share

    def end(self, key: Hashable, expected: float | None) -> None:
        """It has ended; so many seconds were expected of it, None where it says nothing of the others."""
        now = time.monotonic()
        begun = self._begun.pop(key, now)
        self.through.pop(key, None)
        self._waiting.append(now)
        if expected is not None:
            self._expected += expected
            self._spent += now - begun

    def seconds(self, work: float, trainings: int, *, usual: float = 1.0, also: tuple[float, float] = (0, 0)) -> float:
        """What so many trainings will take, of so many expected seconds together.

        usual: the pace before anything is known of it. also: seconds, and expected seconds, of what is not ended.
        """
        spent, expected = self._spent + also[0], self._expected + also[1]
        pace = spent / expected if expected else usual
        return pace * max(0.0, work) / max(1, min(self.workers, trainings))


class Clock:
    """Of a search.

    `each` is the seconds that a searched network is expected to take, `known` those of the baselines still to be
    trained, by architecture id, `repeats` how many repeats may follow.
    """

    def __init__(
        self, done: int, total: int, each: float, known: dict[str, float], *, repeats: int = 0, workers: int = 1
    ) -> None:
        self.done, self.total, self.repeats = done, total, repeats
        self._each, self._known, self._pace = each, dict(known), Pace(workers)

    def started(self, record: TrialRecord) -> None:
        """A training begins."""
        self._pace.begin(record.number)

    def reached(self, record: TrialRecord, epoch: int) -> None:
        """It has done so many epochs."""
        self._pace.reach(record.number, epoch / record.epochs)

    def finished(self, record: TrialRecord) -> None:
        """One more training has ended; what failed is replaced by another network, a known one by none."""
        expected = self._known.pop(record.architecture.id, self._each) if record.repeat == 0 else self._each
        if record.repeat:
            self.repeats = max(0, self.repeats - 1)
        elif record.state != "failed":
            self.done += 1
        self._pace.end(record.number, expected if record.state != "failed" else None)

    def left(self) -> str:
        """Time left, in words."""
        return duration(self.seconds_left()) if self._each else "an unknown time"  # where nothing could be measured

    def seconds_left(self) -> float:
        """Seconds left."""
        searched = max(0, self.total - self.done - len(self._known))
        work = sum(self._known.values()) + self._each * (searched + self.repeats - sum(self._pace.through.values()))
        return self._pace.seconds(work, len(self._known) + searched + self.repeats)


class ListClock:
    """Of a fixed list. expected: seconds of each training that is still to be done; NaN where nothing is known.

    relative: these are no seconds, but right in proportion: how long it takes is known when the first has ended.
    """

    def __init__(self, expected: Mapping[str, float], *, workers: int = 1, relative: bool = False) -> None:
        self._expected, self._pace, self._usual = dict(expected), Pace(workers), math.nan if relative else 1.0
        self._taken_up: set[str] = set()
        self._heard: dict[str, tuple[float, float]] = {}  # when each was first heard of in this run, and how far it was
        self._now: dict[str, float] = {}  # when it was last heard of

    def started(self, key: str, *, taken_up: bool) -> None:
        """A training begins; one that is taken up takes less than the whole, and says nothing of the pace."""
        self._pace.begin(key)
        if taken_up:
            self._taken_up.add(key)

    def reached(self, key: str, share: float) -> None:
        """So much of it is done."""
        self._pace.reach(key, share)
        self._now[key] = time.monotonic()
        self._heard.setdefault(key, (self._now[key], share))

    def finished(self, key: str) -> None:
        """It has ended."""
        expected = self._expected.pop(key)
        self._heard.pop(key, None)
        self._pace.end(key, None if key in self._taken_up or math.isnan(expected) else expected)

    def left(self) -> str:
        """Time left, in words."""
        # Of copies: a display asks in a thread of its own.
        expected, through, heard = dict(self._expected), dict(self._pace.through), dict(self._heard)
        work = sum(seconds * (1 - through.get(key, 0.0)) for key, seconds in expected.items())
        # From the first epoch that is heard of on: what came before is the start of a process.
        told = [key for key in heard.keys() & expected.keys() & through.keys() if key not in self._taken_up]
        spent = sum(self._now[key] - heard[key][0] for key in told)
        done = sum(expected[key] * (through[key] - heard[key][1]) for key in told)
        seconds = self._pace.seconds(work, len(expected), usual=self._usual, also=(spent, done))
        return "an unknown time" if math.isnan(work) or math.isnan(seconds) else duration(seconds)
