"""Who proposes structures, behind one name each.

A sampler is a generator of choices from what is known, the most wanted first; whoever asks takes the first that fits
and is new. It has no state of its own. To add one: a generator, and a row in SAMPLERS; from another package, an
entry point of the group igcnas.samplers, a `Sampler` (docs/extending.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from igcnas.errors import IgcnasError, unknown_name
from igcnas.search.proposals.samplers.bayesian import gp, gp_starts
from igcnas.search.proposals.samplers.evolution import (
    at_random,
    best_few,
    evolution_starts,
    local_search,
    local_search_starts,
    regularized_evolution,
)
from igcnas.search.proposals.samplers.knowledge import Knowledge, Scored
from igcnas.search.proposals.samplers.of_optuna import nsga2, nsga2_starts, tpe, tpe_starts
from igcnas.system import additions

__all__ = ["AUTO", "SAMPLERS", "Knowledge", "Sampler", "Scored", "at_random", "best_few", "resolve_sampler"]

AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    """asks: choices from what is known. sentence: for --help.

    starts: whether it has too little to go by yet, so that what it asks now is drawn at random, whatever is known.
    chooses_target: where a front is searched, it is told accuracy and cost and proposes the MAC target too; a study
    with it cannot be pruned.
    """

    asks: Callable[[Knowledge], Iterator[dict[str, Any]]]
    starts: Callable[[Knowledge], bool]
    sentence: str
    chooses_target: bool = False


SAMPLERS = {
    "gp": Sampler(
        asks=gp,
        starts=gp_starts,
        sentence="Gaussian process over the choices, ranking what fits the budget and is new",
    ),
    "tpe": Sampler(asks=tpe, starts=tpe_starts, sentence="Optuna's tree-structured Parzen estimator"),
    "random": Sampler(asks=at_random, starts=lambda known: True, sentence="every structure equally likely"),
    "evolution": Sampler(
        asks=regularized_evolution,
        starts=evolution_starts,
        sentence="regularized evolution: one change of the best of 5 of the last 20",
    ),
    "local": Sampler(
        asks=local_search,
        starts=local_search_starts,
        sentence="local search: one change after the other, kept if it is better, with new starts",
    ),
    "nsga2": Sampler(
        asks=nsga2,
        starts=nsga2_starts,
        sentence="Optuna's NSGA-II on accuracy and cost",
        chooses_target=True,
    ),
    "tpe-mo": Sampler(asks=tpe, starts=tpe_starts, sentence="TPE on accuracy and cost at once", chooses_target=True),
}


def sampler_named(name: str) -> Sampler:
    """The sampler, also of another package; an unknown name lists the known ones."""
    added = additions.addition(additions.SAMPLERS, name, own=(AUTO, *SAMPLERS))
    if added is not None:
        sampler: Sampler = added.load(Sampler)
        return sampler
    if name not in SAMPLERS:
        raise IgcnasError(unknown_name("sampler", name, (AUTO, *SAMPLERS, *additions.names(additions.SAMPLERS))))
    return SAMPLERS[name]


def resolve_sampler(name: str) -> str:
    """The sampler that `auto` stands for; other names as they are. What a study was started with is kept in it."""
    if name == AUTO:
        return "gp"
    sampler_named(name)
    return name
