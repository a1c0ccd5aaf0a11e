"""Our search on a table: the proposer of igcnas, with trainings that are looked up. The same code that searches for real.

It differs from `igcnas search` in nothing but that a network is a row of a table and a training a look-up: proposals,
judging, rejection and memory are those of igcnas.proposals. `play` ends when no training is left, or no network.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna

from benchmarks.nb201 import Cells
from benchmarks.problem import Finished, Problem
from igcnas.proposals import Candidate, Domain, Observation, Proposer




@dataclass(frozen=True, slots=True)
class CellDomain:
    """The cells of NAS-Bench-201: nothing is solved, a cell is within the target or not."""

    cells: Cells

    def suggest(self, trial: optuna.trial.BaseTrial) -> dict[str, Any]:
        """One operation for each edge."""
        return self.cells.suggest(trial)

    def solve(self, parameters: Mapping[str, Any], target_macs: int) -> Candidate[str] | None:
        """The cell, where it is within the target."""
        cell = self.cells.cell(parameters)
        macs = self.cells.macs[cell]
        return Candidate(key=cell, macs=macs, network=cell) if macs <= target_macs else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A network that is trained first and that the sampler does not see, as those of the literature are."""

    key: str
    target_macs: int


def play(
    problem: Problem,
    domain: Domain[Any],
    *,
    sampler: str,
    seed: int,
    images: int,
    objective: str = "accuracy",
    lowest_target: int = 1,
    known: Sequence[Known] = (),
) -> None:
    """Let it train until no training is left, or until it finds no new network."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    budget = int(problem.budget) if math.isfinite(problem.budget) else max(problem.space.macs.values())
    proposer = Proposer(
        domain,
        budget_macs=budget,
        objective=objective,
        sampler=sampler,
        seed=seed,
        lowest_target=lowest_target,
        images=images,
    )
    observations: list[Observation] = []
    seen: set[str] = set()
    try:
        for network in known:
            accuracy = problem.train(network.key)
            seen.add(network.key)
            macs = problem.space.macs[network.key]
            observations.append(_observation({}, network.target_macs, macs, (accuracy,), known=True))
        while (proposal := proposer.propose(observations, seen)) is not None:
            problem.asked(proposer.tally.asked - problem.asked_so_far)
            candidate = proposal.candidate
            accuracy = problem.train(candidate.key)
            seen.add(candidate.key)
            observations.append(
                _observation(proposal.parameters, proposal.target_macs, candidate.macs, (accuracy,), known=False)
            )
    except Finished:
        return


def _observation(
    parameters: Mapping[str, Any], target_macs: int, macs: int, accuracies: tuple[float, ...], *, known: bool
) -> Observation:
    return Observation(
        parameters=parameters,
        target_macs=target_macs,
        cost=macs,
        accuracies=accuracies,
        complete=True,
        known=known,
    )
