"""Samplers that change one choice of a good network: regularized evolution, local search, the best few; and random.

Each is a generator of choices, the most wanted first, without a state of its own: all is read from the finished
networks and the seed, so that a search that was interrupted goes on as if it had not been.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from igcnas.search.proposals.choices import change, draw, mutation, neighbours, recall
from igcnas.search.proposals.mirror import POPULATION
from igcnas.search.proposals.samplers.knowledge import Knowledge, Scored

TOURNAMENT = 5
FEW = 5


def at_random(known: Knowledge) -> Iterator[dict[str, Any]]:
    """Every structure equally likely, choice by choice."""
    draws = known.draws("random")
    while True:
        yield draw(known.domain, draws).parameters


def local_search(known: Knowledge) -> Iterator[dict[str, Any]]:
    """The neighbours of where the walk stands, in random order; where none is left, a random structure: a new start.

    The walk moves to the first neighbour that is better, as in White et al., UAI 2021, who found it hard to beat on
    tabular benchmarks. Neighbours that are known already are passed over by whoever asks.
    """
    draws = known.draws("local")
    here = _standing(known)
    if here is not None:
        changes = list(neighbours(recall(known.domain, here.network.parameters)))
        draws.shuffle(changes)
        for name, value in changes:
            yield change(known.domain, here.network.parameters, name, value, draws).parameters
    yield from at_random(known)


def local_search_starts(known: Knowledge) -> bool:
    """Before the walk stands anywhere; its later new starts are steps of the search."""
    return _standing(known) is None


def _standing(known: Knowledge) -> Scored | None:
    """Where the walk stands: read off the networks in the order in which they were trained."""
    here: Scored | None = None
    for scored in known.scored:
        if not scored.network.complete:
            continue
        if here is None or not _are_neighbours(here, scored) or scored.score > here.score:
            here = scored
    return here


def _are_neighbours(one: Scored, other: Scored) -> bool:
    """Whether one choice differs; what hangs on it does not count."""
    first, second = one.network.parameters, other.network.parameters
    common = first.keys() & second.keys()
    return [first[name] != second[name] for name in common].count(True) == 1


def regularized_evolution(known: Knowledge) -> Iterator[dict[str, Any]]:
    """The best of a few random members of the last networks, with one change (Real et al., AAAI 2019).

    The first population is random. It is small, because a search trains tens of networks.
    """
    draws = known.draws("evolution")
    if evolution_starts(known):
        yield from at_random(known)
    members = [scored for scored in known.scored if scored.network.complete][-POPULATION:]
    while True:
        parent = max(draws.sample(members, TOURNAMENT), key=lambda scored: scored.score)
        yield mutation(known.domain, parent.network.parameters, draws).parameters


def evolution_starts(known: Knowledge) -> bool:
    """Before there is a population."""
    return sum(scored.network.complete for scored in known.scored) < POPULATION


def best_few(known: Knowledge) -> Iterator[dict[str, Any]]:
    """One of the best few networks, with one change: what to try when a sampler repeats itself."""
    draws = known.draws("few")
    parents = known.best_first()[:FEW]
    while parents:
        yield mutation(known.domain, draws.choice(parents).network.parameters, draws).parameters
