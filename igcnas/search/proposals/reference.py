"""A network is judged by its errors beside those of the baselines at the same cost.

score = log(errors of the reference at this cost) - log(errors of the network), at the same epoch of the same schedule:
0 is as good as the baselines, log 2 = 0.69 half of their errors. So one study serves all MAC targets: a cheap
network is not bad for being cheap. The reference is a line of log errors over log cost, through the baselines,
which are trained first; without them, through the first networks of the search. Then it is fixed: scores do not move.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from igcnas.search.proposals.domain import Observation

# Searched networks that lay the reference where there are too few known ones; samplers draw at random until then.
LAYING = 10
# Baselines that lie within this factor of cost say nothing about a slope.
_LEAST_RANGE = 1.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """log errors = level + slope * log cost."""

    level: float
    slope: float

    @staticmethod
    def through(points: Sequence[tuple[float, float]]) -> Line:
        """Least squares through (cost, log errors); level where costs are alike, and never rising with cost."""
        if not points:
            return Line(level=0.0, slope=0.0)
        costs = [math.log(cost) for cost, _ in points]
        mean_cost, mean = sum(costs) / len(points), sum(error for _, error in points) / len(points)
        slope = 0.0
        if max(costs) - min(costs) > math.log(_LEAST_RANGE):
            spread = sum((cost - mean_cost) ** 2 for cost in costs)
            together = sum((cost - mean_cost) * (error - mean) for cost, (_, error) in zip(costs, points, strict=True))
            slope = min(0.0, together / spread)
        return Line(level=mean - slope * mean_cost, slope=slope)

    def at(self, cost: float) -> float:
        """Log errors of the reference at this cost."""
        return self.level + self.slope * math.log(cost)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Scores of networks: one line an epoch, and how many images an accuracy was measured on."""

    lines: tuple[Line, ...]
    images: int

    @staticmethod
    def of(observations: Sequence[Observation], *, images: int) -> Judge:
        """The reference that these networks lay, in the order in which they were trained.

        Baselines that were trained to the end; where they are fewer than two, the first searched ones.
        """
        layers = laying(observations)
        epochs = min((len(network.accuracies) for network in layers), default=0)
        lines = tuple(
            Line.through([(network.cost, log_errors(network.accuracies[epoch], images)) for network in layers])
            for epoch in range(epochs)
        )
        return Judge(lines=lines, images=images)

    def score(self, accuracy: float, cost: float, *, epoch: int | None = None) -> float:
        """How much better than the reference after this epoch, counted from 1; None: after the last."""
        errors = log_errors(accuracy, self.images)
        if not self.lines:
            return -errors
        line = self.lines[-1 if epoch is None else min(epoch, len(self.lines)) - 1]
        return line.at(cost) - errors


def laying(observations: Sequence[Observation]) -> list[Observation]:
    """The networks that lay the reference: they do not change once they are trained."""
    complete = [network for network in observations if network.complete and network.accuracies]
    known = [network for network in complete if network.known]
    return known if len(known) > 1 else [network for network in complete if not network.known][:LAYING]


def log_errors(accuracy: float, images: int) -> float:
    """Log of the share of errors; half an error is added, so that none at all has a logarithm."""
    return math.log(((100.0 - accuracy) / 100.0 * images + 0.5) / (images + 1))
