"""What an audit knows of each network: its short training, its long ones, and what was known before any training."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from igcnas.results.audit.folder import LongResult, Sample
from igcnas.search.records import TrialRecord, trained

# By the names that `scores` has them under, which needs torch as a report does not.
COUNTED = ("macs", "params")
BASELINES = (*COUNTED, "synflow", "naswot", "snip")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One network. Accuracies in percent; `short` is the search's own training, `repeats` are further short ones.

    scores: of the untrained network, by name; macs is what it costs in the end.
    """

    number: int
    name: str
    band: int
    macs: int
    short: float
    long: tuple[float, ...]
    repeats: tuple[float, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        """Mean of the long trainings: the truth, as far as it is known."""
        return statistics.fmean(self.long)

    @property
    def sd(self) -> float:
        """Standard deviation between the seeds of the long trainings; NaN for one."""
        return statistics.stdev(self.long) if len(self.long) > 1 else float("nan")


def first_trainings(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Of each network that was trained to the end, its first training."""
    found: dict[str, TrialRecord] = {}
    for record in sorted(trained(records), key=lambda record: record.number):
        found.setdefault(record.architecture.id, record)
    return list(found.values())


def rows(
    sample: Sample,
    records: Sequence[TrialRecord],
    trainings: Sequence[LongResult],
    scores: Mapping[int, Mapping[str, float]],
) -> tuple[list[Row], list[str]]:
    """The networks whose long trainings all have a result, and a line for each that is left out, with the reason."""
    by_number = {record.number: record for record in records}
    shorts: dict[str, list[float]] = {}
    for record in sorted(trained(records), key=lambda record: record.number):
        shorts.setdefault(record.architecture.id, []).append(record.val_accuracy or 0.0)
    found, left_out = [], []
    for member in sample.members:
        mine = sorted((t for t in trainings if t.number == member.number), key=lambda training: training.seed)
        failed = [f"network {t.number}, seed {t.seed}: {t.failed}" for t in mine if t.val_accuracy is None]
        left_out += failed
        if failed:
            continue
        record = by_number[member.number]
        found.append(
            Row(
                number=member.number,
                name=record.baseline or record.architecture.label(),
                band=member.band,
                macs=record.final_macs,
                short=record.val_accuracy or 0.0,
                long=tuple(t.val_accuracy for t in mine if t.val_accuracy is not None),
                repeats=tuple(shorts[record.architecture.id][1:]),
                scores=scores[member.number],
            )
        )
    return found, left_out
