"""The baselines against the best of the search at or under their cost, all trained alike.

The searched network is the one of the highest mean accuracy among those that cost as much or less: chosen among many
by the accuracies that are compared, which flatters it. Where it was trained again, its further seeds alone are free of
the first choice (`further`). Published accuracies are of other recipes and are never compared with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from igcnas.results.report.words import fewer_errors
from igcnas.search.records import Network
from igcnas.search.study import Study
from igcnas.statistics.intervals import Difference, mean

# A better searched network, none that can be told apart, only a worse one, none as cheap.
Verdict = Literal["beaten", "open", "ahead", "alone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """The best searched network at or under the cost of a baseline.

    gap: its accuracy minus that of the baseline, with the noise of the study. fewer_errors: in percent; None where
    the baseline makes none. further: the same difference, in points, with the further seeds of the rival alone; None
    where it has none.
    """

    number: int
    cost: float
    macs: int
    accuracy: float
    n: int
    gap: Difference
    fewer_errors: float | None
    further: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineFacts:
    """One baseline. rival: None where no searched network is as cheap.

    reached_by, reached_cost: the cheapest searched network that is at least as accurate, None where none is. times:
    how many times cheaper that is.
    """

    number: int
    name: str
    cost: float
    macs: int
    accuracy: float
    n: int
    rival: Rival | None
    reached_by: int | None
    reached_cost: float | None

    @property
    def verdict(self) -> Verdict:
        """What the search has won against it, as far as the 95 % interval of the difference tells."""
        if self.rival is None:
            return "alone"
        if not self.rival.gap.shown:
            return "open"
        return "beaten" if self.rival.gap.difference > 0 else "ahead"

    @property
    def times(self) -> float | None:
        """Its cost over that of the cheapest searched network that is as accurate."""
        return None if self.reached_cost is None else self.cost / self.reached_cost


def compare_baselines(study: Study) -> tuple[BaselineFacts, ...]:
    """Every baseline that was trained, the most accurate first."""
    fitting = [one for one in study.networks if one.record.within(study.budget)]
    fitting = [one for one in fitting if study.cost(one.record) == study.cost(one.record)]  # NaN: not measured
    searched = [one for one in fitting if one.record.searched]
    baselines = [one for one in fitting if not one.record.searched]
    found = [_compared(study, one, searched) for one in baselines]
    return tuple(sorted(found, key=lambda one: (-one.accuracy, one.number)))


def _compared(study: Study, baseline: Network, searched: list[Network]) -> BaselineFacts:
    cost = study.cost(baseline.record)
    # Where only accuracy counts, every network is to use the budget, and whatever keeps it is a rival.
    cheaper = [one for one in searched if study.cost(one.record) <= cost or not study.objective.spread]
    rival = max(cheaper, key=lambda one: (one.mean, -study.cost(one.record)), default=None)
    reached = min(
        (one for one in searched if one.mean >= baseline.mean), key=lambda one: study.cost(one.record), default=None
    )
    return BaselineFacts(
        number=baseline.record.number,
        name=baseline.record.baseline or "",
        cost=cost,
        macs=baseline.record.final_macs,
        accuracy=baseline.mean,
        n=baseline.n,
        rival=None if rival is None else _rival(study, rival, baseline),
        reached_by=None if reached is None else reached.record.number,
        reached_cost=None if reached is None else study.cost(reached.record),
    )


def _rival(study: Study, rival: Network, baseline: Network) -> Rival:
    return Rival(
        number=rival.record.number,
        cost=study.cost(rival.record),
        macs=rival.record.final_macs,
        accuracy=rival.mean,
        n=rival.n,
        gap=study.noise.difference(rival.accuracies, baseline.accuracies),
        fewer_errors=fewer_errors(rival.mean, baseline.mean),
        further=mean(rival.accuracies[1:]) - baseline.mean if rival.n > 1 else None,
    )
