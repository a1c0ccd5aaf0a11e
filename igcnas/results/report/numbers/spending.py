"""What a study cost, and what of it was wasted.

Every training belongs to one purpose; seconds are those of the training itself, as its worker counted them, and of a
failed one those by the clock from its beginning to its end (nothing else is recorded; pauses between runs included).
Waste is what gave nothing that the study uses: failed trainings, and networks that came out above the budget. What the
pruner ended early is not waste but the price of a decision; what it saved is estimated from the seconds of an epoch.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from igcnas.network.budget import Budget
from igcnas.search.records import TrialRecord
from igcnas.search.study import Study

# In the order of the table: key, words, whether it is waste.
PURPOSES = (
    ("searched", "searched networks, first training", False),
    ("baseline", "baselines, first training", False),
    ("repeat", "repeats with further seeds", False),
    ("spared", "finished only to check the pruner", False),
    ("pruned", "pruned early", False),
    ("over budget", "came out above the budget", True),
    ("failed", "failed", True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What trainings were for. share: of all seconds, 0 where there are none."""

    key: str
    words: str
    waste: bool
    trainings: int
    seconds: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """Seconds of training by purpose; all purposes that occur.

    saved: what the pruned trainings would have taken further, estimated. clock: seconds in which at least one training
    was open. span: from the first beginning to the last end. in_training: open now, in no sum. devices: names with
    numbers of trainings; steps: the same of what trained them (`TrialRecord.steps`), where it is recorded.
    peak_memory_mb: the highest of a training; None where none is recorded.
    """

    purposes: tuple[Purpose, ...]
    seconds: float
    wasted: float
    saved: float
    clock: float
    span: float
    in_training: int
    devices: tuple[tuple[str, int], ...]
    steps: tuple[tuple[str, int], ...]
    peak_memory_mb: float | None

    @property
    def wasted_share(self) -> float:
        """Of all seconds of training."""
        return self.wasted / self.seconds if self.seconds else 0.0

    @property
    def at_once(self) -> float | None:
        """Trainings that went on at once, on average; None where the clock tells nothing."""
        return self.seconds / self.clock if self.clock else None


def spending_of(study: Study) -> Spending:
    """Of all trainings that ended."""
    ended = [record for record in study.records if record.state in ("complete", "pruned", "failed")]
    purposes = {record.number: purpose_of(record, study.budget) for record in ended}
    seconds = {record.number: _seconds(study, record) for record in ended}
    total = math.fsum(seconds.values())
    found = []
    for key, words, waste in PURPOSES:
        own = [number for number, purpose in purposes.items() if purpose == key]
        if own:
            spent = math.fsum(seconds[number] for number in own)
            part = spent / total if total else 0.0
            found.append(Purpose(key=key, words=words, waste=waste, trainings=len(own), seconds=spent, share=part))
    spans = [(start, end) for start, end in (study.times[r.number] for r in ended) if start and end]
    return Spending(
        purposes=tuple(found),
        seconds=total,
        wasted=math.fsum(one.seconds for one in found if one.waste),
        saved=math.fsum(map(_saved, ended)),
        clock=open_seconds(spans),
        span=(max(end for _, end in spans) - min(start for start, _ in spans)).total_seconds() if spans else 0.0,
        in_training=sum(record.state == "running" for record in study.records),
        devices=_numbers(record.device for record in ended),
        steps=_numbers(record.steps for record in ended),
        peak_memory_mb=max((r.peak_memory_mb for r in ended if r.peak_memory_mb is not None), default=None),
    )


def purpose_of(record: TrialRecord, budget: Budget) -> str:
    """The one purpose of a training that ended."""
    if record.state in ("failed", "pruned"):
        return record.state
    if not record.within(budget):
        return "over budget"
    if record.repeat:
        return "repeat"
    if record.spared_at is not None:
        return "spared"
    return "baseline" if record.baseline is not None else "searched"


def open_seconds(spans: Sequence[tuple[datetime, datetime]]) -> float:
    """Length of the union of spans.

    >>> from datetime import datetime, timedelta
    >>> at = [datetime(2026, 1, 1) + timedelta(seconds=second) for second in (0, 2, 1, 3, 7, 8)]
    >>> open_seconds([(at[0], at[1]), (at[2], at[3]), (at[4], at[5])])
    4.0
    """
    total, until = 0.0, None
    for start, end in sorted(spans):
        if until is None or start > until:
            total += (end - start).total_seconds()
            until = end
        elif end > until:
            total += (end - until).total_seconds()
            until = end
    return total


def _numbers(words: Iterable[str | None]) -> tuple[tuple[str, int], ...]:
    """How often each occurs, the most frequent first."""
    return tuple(Counter(word for word in words if word is not None).most_common())


def _seconds(study: Study, record: TrialRecord) -> float:
    if record.seconds is not None:
        return record.seconds
    start, end = study.times[record.number]
    return (end - start).total_seconds() if start is not None and end is not None else 0.0


def _saved(record: TrialRecord) -> float:
    """Of the epochs that a pruned training did not get."""
    if record.state != "pruned" or record.seconds is None or not record.pruned_at:
        return 0.0
    return record.seconds / record.pruned_at * (record.epochs - record.pruned_at)
