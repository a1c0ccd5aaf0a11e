"""What is searched, as a proposer sees it: choices, and the network that they mean at a target.

A target is a number of what the first limit of the budget counts: multiply-accumulates where they are limited.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import optuna

from igcnas.network.architecture import Architecture
from igcnas.network.budget import Budget
from igcnas.network.canonical import canonical_id
from igcnas.network.cost import count
from igcnas.search.space import SearchSpace

NetworkT = TypeVar("NetworkT")
NetworkT_co = TypeVar("NetworkT_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate(Generic[NetworkT_co]):
    """A network that keeps its target. Equal networks have equal keys, however they were described.

    fills: whether it uses its target; one that does not is trained only where nothing else is left.
    """

    key: str
    macs: int
    network: NetworkT_co
    fills: bool = True


class Domain(Protocol[NetworkT_co]):
    """Choices, and what they mean. A search space of this program, or in a benchmark a table of someone else's."""

    def suggest(self, trial: optuna.trial.BaseTrial) -> dict[str, Any]:
        """Ask for a value of each choice."""
        ...

    def solve(self, parameters: Mapping[str, Any], target: int) -> Candidate[NetworkT_co] | None:
        """The network of these choices at or under the target; None where there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceDomain:
    """A search space for images of a shape: the budget, with its first limit at the target, fixes the width.

    fill: share of the target that a network should use, so that all lie in one band of cost and accuracies compare. One
    that is as wide as the space lets it be uses all that it can.
    """

    space: SearchSpace
    input_shape: tuple[int, int, int]
    num_classes: int
    budget: Budget
    fill: float = 0.0

    def suggest(self, trial: optuna.trial.BaseTrial) -> dict[str, Any]:
        """Ask for a value of each choice."""
        return self.space.suggest(trial)

    def solve(self, parameters: Mapping[str, Any], target: int) -> Candidate[Architecture] | None:
        """The widest network of these choices at or under the target."""
        structure = self.space.decode(parameters, self.input_shape, self.num_classes)
        fit = structure.fit(self.budget.below(target))
        if fit is None:
            return None
        fills = fit.used >= self.fill * target or fit.n == structure.most
        return Candidate(
            key=canonical_id(fit.architecture), macs=count(fit.architecture).macs, network=fit.architecture, fills=fills
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One network of a study.

    parameters: the choices it was proposed with, empty for a baseline. cost: what the front compares at (MACs,
    parameters or milliseconds). accuracies: validation accuracy in percent after each epoch so far. complete: trained
    to the end; if it is not, it was pruned, or failed where it has no accuracy. known: a network of the literature.
    pending: it is in training, and nothing but its cost as planned is known.
    """

    parameters: Mapping[str, Any]
    target: int
    cost: float
    accuracies: tuple[float, ...]
    complete: bool
    known: bool
    pending: bool = False
