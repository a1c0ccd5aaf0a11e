"""What a strategy is given on a table: trainings until none is left. What it did is written down, not what it says.

A strategy calls `asked()` for each proposal that it makes, reads `macs`, which are known before training, and calls
`train`, which raises Finished once the trainings are used up. It sees one observed accuracy a training, never the mean.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import optuna

# A strategy that proposes nothing new must end too.
_MOST_ASKS = 20_000


class Finished(Exception):  # noqa: N818  not an error: the trainings are used up
    """No training is left."""


class Space(Protocol):
    """Networks by key, what they cost, and how to get from one to another."""

    @property
    def macs(self) -> dict[str, int]:
        """MACs by key."""

    def suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        """Ask for the parameters of a network."""

    def cell(self, parameters: dict[str, Any]) -> str:
        """The key of the network that the parameters mean."""

    def random(self, draws: random.Random) -> str:
        """Any network."""

    def neighbours(self, cell: str) -> list[str]:
        """Networks that differ in one choice."""


class Told(NamedTuple):
    """A network of the literature that was trained first."""

    cell: str
    parameters: dict[str, Any]
    accuracy: float


class Problem:
    """Trainings of networks of a table within a budget of MACs (math.inf for none)."""

    def __init__(
        self, space: Space, observe: Callable[[str, int], float], *, trainings: int, budget: float = math.inf
    ) -> None:
        self.space, self.budget, self.trainings = space, budget, trainings
        self._observe = observe
        self.counts: Counter[str] = Counter()
        self.trained: list[str] = []
        self.observed: list[float] = []
        self.asks: list[int] = []  # how many proposals were made until each training
        self.told: list[Told] = []  # networks that were trained before the strategy began, and what was observed
        self.asked_so_far = 0

    def fits(self, cell: str) -> bool:
        """Whether it is within the budget: known before training."""
        return self.space.macs[cell] <= self.budget

    def excess(self, cell: str) -> float:
        """MACs above the budget in millions: the value of a constraint, 0 or less within."""
        return (self.space.macs[cell] - self.budget) / 1e6

    def asked(self, proposals: int = 1) -> None:
        """Count a proposal."""
        self.asked_so_far += proposals
        if self.asked_so_far > _MOST_ASKS:
            raise Finished

    def train(self, cell: str) -> float:
        """Validation accuracy in percent of one more training of this network."""
        if len(self.trained) >= self.trainings:
            raise Finished
        accuracy = self._observe(cell, self.counts[cell])
        self.counts[cell] += 1
        self.trained.append(cell)
        self.observed.append(accuracy)
        self.asks.append(self.asked_so_far)
        return accuracy
