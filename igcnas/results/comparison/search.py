"""A study as it is compared: its settings, its trainings, and when each of them ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from igcnas.search.records import TrialRecord, networks, records_of
from igcnas.search.study import StudySettings, open_study


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Searched:
    """One search. ended: by number, when a training ended, in seconds on the clock of its machine; not of others."""

    name: str
    settings: StudySettings
    records: tuple[TrialRecord, ...]
    ended: Mapping[int, float]

    @property
    def seed(self) -> int:
        """Of proposals and trainings, and of the split into training and validation images."""
        return self.settings.seed

    @property
    def in_order(self) -> list[TrialRecord]:
        """The trainings that ended, in the order in which they did."""
        over = [record for record in self.records if record.number in self.ended]
        return sorted(over, key=lambda record: (self.ended[record.number], record.number))

    @property
    def running(self) -> int:
        """Trainings that are queued or go on, or were left by a run that was killed."""
        return sum(record.state == "running" for record in self.records)

    def first(self, count: int) -> list[TrialRecord]:
        """The first so many networks that ended, pruned ones too, with all their repeats; in the order of numbers."""
        firsts = [r.number for r in self.in_order if r.repeat == 0 and r.state in ("complete", "pruned")]
        chosen = set(firsts[:count])
        return [r for r in self.records if (r.number if r.repeat_of is None else r.repeat_of) in chosen]


def read(folder: Path) -> Searched:
    """The study of a folder, as it is now; it may be running."""
    settings = StudySettings.read(folder)
    trials = open_study(folder).get_trials(deepcopy=False)
    every = tuple(records_of(trials, where=folder))
    over = {r.number for r in every if r.state != "running"}
    times = {t.number: t.datetime_complete.timestamp() for t in trials if t.datetime_complete and t.number in over}
    return Searched(name=folder.resolve().name, settings=settings, records=every, ended=times)


def costs_and_means(every: list[TrialRecord], *, limit_macs: int, objective: str) -> tuple[list[float], list[float]]:
    """Cost and mean accuracy of every network at or under the limit, and whose cost was measured."""
    fitting = [n for n in networks(every) if n.record.within(limit_macs) and n.record.cost(objective) > 0]
    return [n.record.cost(objective) for n in fitting], [n.mean for n in fitting]
