"""What is said of a network's cost: what its study limits, then what it compares at."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from igcnas.network.budget import TIME, Budget, limit_named
from igcnas.search.objective import Counted, Objective


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCost:
    """One cost.

    Attributes:
        unit: behind a number, or over a column.
        size: what one unit is.
        of: the cost of a network as it would run; NaN while it is not measured.
        planned: before its training; None where only a measurement tells.
    """

    unit: str
    size: float
    of: Callable[[Counted], float]
    planned: Callable[[Counted], float] | None

    def shown(self, record: Counted) -> str:
        """The number without its unit, in three significant digits; a dash while it is not measured."""
        value = self.of(record) / self.size
        return "-" if math.isnan(value) else f"{value:.3g}"


@dataclass(frozen=True, slots=True)
class Costs:
    """Of the networks of a study."""

    budget: Budget
    objective: Objective

    @property
    def each(self) -> tuple[ShownCost, ...]:
        """The limits of the budget, in order, and the axis of the objective if none of them bounds it."""
        limits = [limit_named(name) for name in self.budget.limits]
        found = [
            ShownCost(
                unit=one.unit,
                size=one.shown_size,
                of=lambda record, name=one.name: record.used(name),  # type: ignore[misc]
                planned=lambda record, name=one.name: record.planned(name),  # type: ignore[misc]
            )
            for one in limits
        ]
        axis = self.objective.axis
        if axis.limit not in self.budget.limits:
            compared = ShownCost(
                unit=axis.unit, size=axis.size, of=self.objective.measured, planned=self.objective.planned
            )
            found.append(compared)
        return tuple(found)

    def words(self, record: Counted) -> str:
        """As it would run, such as '0.2 MFLOPs, 1.5 ms'; a time that is limited also as it was predicted."""
        words = ", ".join(f"{one.shown(record)} {one.unit}" for one in self.each)
        if TIME.name not in self.budget.limits or record.latency_ms is None:
            return words
        return f"{words} (predicted {TIME.show(record.planned(TIME.name))})"

    def planned_words(self, record: Counted) -> str:
        """What is known before the training."""
        known = [one for one in self.each if one.planned is not None]
        return ", ".join(f"{one.planned(record) / one.size:.3g} {one.unit}" for one in known if one.planned is not None)
