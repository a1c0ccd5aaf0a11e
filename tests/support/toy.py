"""A small domain of 36 networks, and what is known of some of them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import optuna

from igcnas.search.proposals import Candidate, Observation
from igcnas.search.proposals.choices import draw
from igcnas.search.proposals.mirror import Mirror
from igcnas.search.proposals.samplers.knowledge import Knowledge, Scored

BUDGET = 1_000


class Toy:
    """36 networks: two kinds, of which each has a choice of its own; what they cost follows from the choices."""

    def __init__(self, tails: str = "xy") -> None:
        self.tails = tuple(tails)

    def suggest(self, trial: optuna.trial.BaseTrial) -> dict[str, Any]:
        chosen: dict[str, Any] = {"kind": trial.suggest_categorical("kind", ("a", "b"))}
        chosen["depth"] = trial.suggest_int("depth", 1, 3)
        if chosen["kind"] == "a":
            chosen["a.groups"] = trial.suggest_categorical("a.groups", (1, 2, 4, 8))
        else:
            chosen["b.learned"] = trial.suggest_categorical("b.learned", (False, True))
        chosen["tail"] = trial.suggest_categorical("tail", self.tails)
        return chosen

    def solve(self, parameters: Mapping[str, Any], target: int) -> Candidate[str] | None:
        macs = 100 * parameters["depth"] + 50 * parameters.get("a.groups", 3)
        name = ",".join(f"{key}={value}" for key, value in sorted(parameters.items()))
        return Candidate(key=name, macs=macs, network=name) if macs <= target else None


def known(cost: float, *accuracies: float) -> Observation:
    return Observation(parameters={}, target=BUDGET, cost=cost, accuracies=accuracies, complete=True, known=True)


def trained(number: int, *accuracies: float, complete: bool = True, pending: bool = False) -> Observation:
    return Observation(
        parameters=draw(Toy(), random.Random(number)).parameters,
        target=500,
        cost=400.0 + number,
        accuracies=accuracies,
        complete=complete,
        known=False,
        pending=pending,
    )


def knowledge(*scores: float | None, number: int = 7, seed: int = 0, target: int = BUDGET) -> Knowledge:
    """Of networks with these scores, None for a pruned one that scored 0."""
    scored = [
        Scored(network=trained(place, 50.0, complete=score is not None), score=score or 0.0)
        for place, score in enumerate(scores)
    ]
    return Knowledge(
        domain=Toy(),
        scored=scored,
        pending=(),
        number=number,
        target=target,
        targets=(150, BUDGET),
        seed=seed,
        mirror=lambda: Mirror(Toy(), targets=None),
    )
