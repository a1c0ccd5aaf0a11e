"""What a comparison reads of studies."""

from __future__ import annotations

from collections.abc import Sequence

from igcnas.network.budget import Budget
from igcnas.search.objective import Objective
from igcnas.search.records import TrialRecord, networks
from igcnas.search.study import Study


def first(study: Study, count: int) -> list[TrialRecord]:
    """The first so many networks that ended, pruned ones too, with all their repeats; in the order of numbers."""
    firsts = [r.number for r in study.in_order if r.repeat == 0 and r.state in ("complete", "pruned")]
    chosen = set(firsts[:count])
    return [r for r in study.records if (r.number if r.repeat_of is None else r.repeat_of) in chosen]


def common_budget(studies: Sequence[Study]) -> Budget:
    """The least that any of these studies allows, limit by limit."""
    limits: dict[str, int] = {}
    for study in studies:
        for name, most in study.budget.limits.items():
            limits[name] = min(most, limits.get(name, most))
    return Budget(limits)


def costs_and_means(
    every: Sequence[TrialRecord], *, budget: Budget, objective: Objective
) -> tuple[list[float], list[float]]:
    """Cost and mean accuracy of every network at or under the limit, and whose cost was measured."""
    fitting = [n for n in networks(every) if n.record.within(budget) and objective.cost(n.record) > 0]
    return [objective.cost(n.record) for n in fitting], [n.mean for n in fitting]
