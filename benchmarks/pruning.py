"""Our search on the table with learning curves: with the pruner and without, for the same number of epochs.

The rule is that of the search: baselines are never pruned; a searched one compares at a rung with the searched
ones before it; a share of what would be pruned is spared. Networks count as trained for the epochs they had.
"""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from typing import Any

import optuna

from benchmarks.tablespace import BUDGET, LOWEST, TableDomain, TableSpace
from igcnas.search.proposals import Halving, Judge, Observation, Proposer, is_spared, resolve_sampler


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What became of a network. epochs: how many it had. would_end: the rung at which the rule ends it, or None."""

    key: str
    epochs: int
    would_end: int | None
    known: bool


def play(
    space: TableSpace, *, run: int, sampler: str, spread: bool, min_epochs: int | None, epochs: int
) -> list[dict[str, Any]]:
    """Train until `epochs` are used up; the last training counts if it was begun before. No min_epochs: no pruner."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    images = space.table.validation_images
    proposer = Proposer(
        TableDomain(space),
        budget=BUDGET,
        lowest_target=LOWEST,
        spread=spread,
        sampler=resolve_sampler(sampler),
        seed=run,
        images=images,
    )
    halving = None if min_epochs is None else Halving(min_epochs=min_epochs)
    observations: list[Observation] = []
    done: list[Training] = []
    for known in space.known(spread=spread):
        curve = tuple(space.curve(run, known.key))
        observations.append(_observation(space, known.key, {}, known.target, curve, spread=spread, complete=True))
        done.append(Training(key=known.key, epochs=len(curve), would_end=None, known=True))
    while sum(training.epochs for training in done) < epochs:
        proposal = proposer.propose(observations, {training.key for training in done})
        if proposal is None:
            break
        key = proposal.candidate.key
        curve = tuple(space.curve(run, key))
        end = None
        if halving is not None:
            searched = [network for network in observations if not network.known]
            end = _end(halving, proposer.judge(observations), _cost(space, key, spread), curve, searched)
        stops = end is not None and not is_spared(run, key)
        seen = curve[:end] if stops else curve
        observations.append(
            _observation(space, key, proposal.parameters, proposal.target, seen, spread=spread, complete=not stops)
        )
        done.append(Training(key=key, epochs=len(seen), would_end=end, known=False))
    return [asdict(training) for training in done]


def _end(
    halving: Halving, judge: Judge, cost: float, curve: tuple[float, ...], searched: list[Observation]
) -> int | None:
    for rung in halving.rungs(len(curve)):
        others = [
            judge.score(other.accuracies[rung - 1], other.cost, epoch=rung)
            for other in searched
            if len(other.accuracies) >= rung
        ]
        if halving.prunes(judge.score(curve[rung - 1], cost, epoch=rung), others):
            return rung
    return None


def _cost(space: TableSpace, key: str, spread: bool) -> float:
    return space.macs[key] if spread else BUDGET


def _observation(
    space: TableSpace,
    key: str,
    parameters: dict[str, Any],
    target: int,
    accuracies: tuple[float, ...],
    *,
    spread: bool,
    complete: bool,
) -> Observation:
    return Observation(
        parameters=parameters,
        target=target,
        cost=_cost(space, key, spread),
        accuracies=accuracies,
        complete=complete,
        known=not parameters,
    )
