"""What a study compares its networks by: accuracy, and at which cost. To add an objective, add it to OBJECTIVES.

A cost that is a limit of a budget (`network.budget`) needs no more: `record.planned` and `record.used` know it, and
workers measure it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from igcnas.errors import IgcnasError, unknown_name


class Counted(Protocol):
    """What an objective reads of a training: counts as planned, those of the network as it would run, and its time."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates as planned."""

    @property
    def params(self) -> int:
        """Parameters as planned."""

    @property
    def final_macs(self) -> int:
        """Multiply-accumulates of the network as it would run."""

    @property
    def final_params(self) -> int:
        """Parameters of the network as it would run."""

    @property
    def latency_ms(self) -> float | None:
        """Milliseconds of one call; None while not measured."""

    def planned(self, limit: str) -> int:
        """What it uses of a limit of a budget, as planned."""

    def used(self, limit: str) -> int:
        """What the network as it would run uses of a limit of a budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostAxis:
    """How a cost is shown.

    Attributes:
        size: what one unit of the axis is, in the units of `Objective.cost`.
        title: of the axis of a figure.
        unit: behind a number.
        equal: what is meant by 'at equal ...'.
        limit: the name of the limit of a budget that bounds this axis (`network.budget`); None where none does.
    """

    size: float
    title: str
    unit: str
    equal: str
    limit: str | None = None

    def show(self, cost: float) -> str:
        """A cost of a network with its unit, in three significant digits."""
        return f"{cost / self.size:.3g} {self.unit}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Objective:
    """What networks are compared by.

    Attributes:
        name: by which a user chooses it.
        words: what it is, for a help text.
        axis: how its cost is shown.
        metric: what Optuna is told beside the accuracy; None where only accuracy counts, and all networks are at the
            budget. Else they lie between a lowest target and the budget.
        result: the result of a training that holds it, or the name of the limit of a budget that it is.
        planned: the cost as known before the training; None where it must be measured.
        measured: the cost of the network as it would run; NaN while it is not measured.
        timed: whether it is a time, so that nothing may disturb its measurement.
    """

    name: str
    words: str
    axis: CostAxis
    metric: str | None
    result: str
    planned: Callable[[Counted], float] | None
    measured: Callable[[Counted], float]
    timed: bool = False

    @property
    def spread(self) -> bool:
        """Whether networks lie between a lowest target and the budget, not all at the budget."""
        return self.metric is not None

    @property
    def metrics(self) -> list[str]:
        """What Optuna is told of a training that has ended."""
        return ["val_accuracy"] if self.metric is None else ["val_accuracy", self.metric]

    def cost(self, record: Counted) -> float:
        """What the front compares at, in MACs, parameters or milliseconds; NaN while it is not measured."""
        return self.measured(record)

    def judged_cost(self, record: Counted) -> float:
        """The cost at which a network is judged: that of the front; where only accuracy counts, the same for all.

        Else a network would gain by leaving a part of the budget unused.
        """
        return self.measured(record) if self.spread else 1.0

    def planned_cost(self, record: Counted) -> float:
        """As `judged_cost`, but known at any time."""
        if not self.spread:
            return 1.0
        if self.planned is None:
            raise IgcnasError(f"objective {self.name} has no cost before the training")
        return self.planned(record)

    def values(self, results: Mapping[str, Any]) -> list[float]:
        """What Optuna is told of the results of a training."""
        found = {**results, **results.get("measured_limits", {})}
        return [found["val_accuracy"]] + ([] if self.metric is None else [found[self.result]])


def _milliseconds(record: Counted) -> float:
    return math.nan if record.latency_ms is None else record.latency_ms


MACS = CostAxis(
    size=1e6,
    title="MFLOPs (millions of multiply-accumulates of convolutions and linear layers, one image)",
    unit="MFLOPs",
    equal="MACs",
    limit="macs",
)
PARAMS = CostAxis(size=1e3, title="thousands of parameters", unit="k params", equal="parameters", limit="params")
LATENCY = CostAxis(size=1.0, title="milliseconds, median", unit="ms", equal="latency")

FRONT = Objective(
    name="front",
    words="accuracy against MACs, networks from 10 % to 100 % of the budget",
    axis=MACS,
    metric="macs",
    result="measured_macs",
    planned=lambda record: float(record.macs),
    measured=lambda record: float(record.final_macs),
)
OBJECTIVES: dict[str, Objective] = {
    objective.name: objective
    for objective in (
        FRONT,
        Objective(
            name="accuracy",
            words="accuracy alone, every network at the budget",
            axis=MACS,
            metric=None,
            result="measured_macs",
            planned=lambda record: float(record.macs),
            measured=lambda record: float(record.final_macs),
        ),
        Objective(
            name="accuracy,params",
            words="as front, compared at equal parameters",
            axis=PARAMS,
            metric="params",
            result="measured_params",
            planned=lambda record: float(record.params),
            measured=lambda record: float(record.final_params),
        ),
        Objective(
            name="accuracy,latency",
            words="as front, compared at equal milliseconds of the exported network, measured in --runtime",
            axis=LATENCY,
            metric="latency_ms",
            result="latency_ms",
            planned=None,
            measured=_milliseconds,
            timed=True,
        ),
    )
}


def objective_named(name: str) -> Objective:
    """The objective of this name; IgcnasError names those known."""
    if name not in OBJECTIVES:
        raise IgcnasError(unknown_name("objective", name, tuple(OBJECTIVES)))
    return OBJECTIVES[name]
