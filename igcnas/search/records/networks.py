"""Networks with all their trainings: the mean over seeds decides which are best."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from igcnas.network.budget import Budget
from igcnas.search.objective import FRONT, Objective
from igcnas.search.records.trial import TrialRecord
from igcnas.statistics.pareto import pareto_front


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network that was trained to the end. record: its first training. accuracies: in percent, by repeat."""

    record: TrialRecord
    accuracies: tuple[float, ...]

    @property
    def n(self) -> int:
        """Number of trainings."""
        return len(self.accuracies)

    @property
    def mean(self) -> float:
        """Mean accuracy over them, in percent."""
        return math.fsum(self.accuracies) / self.n

    @property
    def sd(self) -> float | None:
        """Sample standard deviation (n - 1) of the accuracies; None of a single one."""
        if self.n < 2:
            return None
        return math.sqrt(math.fsum((accuracy - self.mean) ** 2 for accuracy in self.accuracies) / (self.n - 1))


def trained(all_records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """First trainings that ended with an accuracy: one record a network."""
    return [r for r in all_records if _finished(r) and r.repeat == 0]


def repeats(all_records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Further trainings of networks, finished or not."""
    return [r for r in all_records if r.repeat > 0]


def counted(all_records: Iterable[TrialRecord]) -> int:
    """Networks as --networks counts them: known and searched, trained to the end or pruned."""
    return sum(r.repeat == 0 and (_finished(r) or r.state == "pruned") for r in all_records)


def networks(all_records: Iterable[TrialRecord]) -> list[Network]:
    """Every network that was trained to the end, with the accuracies of its repeats, in the order of the numbers."""
    every = list(all_records)
    further: dict[int, list[TrialRecord]] = {}
    for record in every:
        if record.repeat_of is not None and _finished(record):
            further.setdefault(record.repeat_of, []).append(record)
    found = []
    for first in trained(every):
        trainings = [first, *sorted(further.get(first.number, ()), key=lambda record: record.repeat)]
        found.append(Network(record=first, accuracies=tuple(r.val_accuracy or 0.0 for r in trainings)))
    return found


def champions(all_records: Iterable[TrialRecord], budget: Budget, objective: Objective = FRONT) -> list[Network]:
    """The Pareto front by mean accuracy of the networks that keep the budget, cheapest first."""
    fitting = [n for n in networks(all_records) if n.record.within(budget)]
    fitting = [n for n in fitting if not math.isnan(objective.cost(n.record))]
    chosen = pareto_front([objective.cost(n.record) for n in fitting], [n.mean for n in fitting])
    return [fitting[index] for index in chosen]


def front(all_records: Iterable[TrialRecord], budget: Budget, objective: Objective = FRONT) -> list[TrialRecord]:
    """The first trainings of the `champions`."""
    return [network.record for network in champions(all_records, budget, objective)]


def best(all_records: Iterable[TrialRecord], budget: Budget) -> TrialRecord | None:
    """The first training of the most accurate network (by the mean) in the budget; of equal ones the cheapest."""
    chosen = front(all_records, budget)
    return chosen[-1] if chosen else None


def _finished(record: TrialRecord) -> bool:
    return record.state == "complete" and record.val_accuracy is not None
