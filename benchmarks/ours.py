"""Our search on a table: the proposer of igcnas, with trainings that are looked up.

It differs from `igcnas search` in nothing but that a network is a row of a table and a training a look-up: proposals,
judging, rejection and memory are those of igcnas.search.proposals. `play` ends when no training is left, or no network.
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
from igcnas.search.proposals import Candidate, Domain, Observation, Proposer, Tally, resolve_sampler


@dataclass(frozen=True, slots=True)
class CellDomain:
    """The cells of NAS-Bench-201: nothing is solved, a cell is within the target or not."""

    cells: Cells

    def suggest(self, trial: optuna.trial.BaseTrial) -> dict[str, Any]:
        """One operation for each edge."""
        return self.cells.suggest(trial)

    def solve(self, parameters: Mapping[str, Any], target: int) -> Candidate[str] | None:
        """The cell, where it is within the target."""
        cell = self.cells.cell(parameters)
        macs = self.cells.macs[cell]
        return Candidate(key=cell, macs=macs, network=cell) if macs <= target else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A network that is trained first and that the sampler does not see, as those of the literature are."""

    key: str
    target: int


def play(
    problem: Problem,
    domain: Domain[str],
    *,
    sampler: str,
    seed: int,
    images: int,
    spread: bool = False,
    lowest_target: int = 1,
    known: Sequence[Known] = (),
) -> Tally:
    """Let it train until no training is left, or until it finds no new network; what became of its proposals.

    spread: a front is drawn, and networks are judged at their MACs; else all compete at the budget.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    budget = int(problem.budget) if math.isfinite(problem.budget) else max(problem.space.macs.values())
    proposer = Proposer(
        domain,
        budget=budget,
        lowest_target=lowest_target,
        spread=spread,
        sampler=resolve_sampler(sampler),
        seed=seed,
        images=images,
    )
    observations: list[Observation] = []

    def train(key: str, target: int, parameters: Mapping[str, Any]) -> None:
        observations.append(
            Observation(
                parameters=parameters,
                target=target,
                cost=problem.space.macs[key] if spread else budget,
                accuracies=(problem.train(key),),
                complete=True,
                known=not parameters,
            )
        )

    try:
        for network in known:
            train(network.key, network.target, {})
        while (proposal := proposer.propose(observations, problem.counts.keys())) is not None:
            problem.asked_so_far = proposer.tally.asked
            train(proposal.candidate.key, proposal.target, proposal.parameters)
    except Finished:
        pass
    return proposer.tally
