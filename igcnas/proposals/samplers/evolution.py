"""Samplers that change one choice of a good network: regularized evolution, local search, the best few; and random.

Each is a generator of choices, the most wanted first, without a state of its own: all is read from the finished
networks and the seed, so that a search that was interrupted goes on as if it had not been.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from igcnas.proposals.choices import change, draw, mutation, neighbours, recall
from igcnas.proposals.mirror import POPULATION
from igcnas.proposals.samplers.knowledge import Knowledge

TOURNAMENT = 5
FEW = 5


def at_random(known: Knowledge) -> Iterator[dict[str, Any]]:
    """Every structure equally likely, choice by choice."""
    draws = known.draws("random")
    while True:
        yield draw(known.domain, draws).parameters


def local_search(known: Knowledge) -> Iterator[dict[str, Any]]:
    """The neighbours of the best network in random order, then those of the second best, and so on.

    Best-first local search (White et al., UAI 2021, found local search hard to beat on tabular benchmarks): a neighbour
    that is better becomes the best at once. Those that are known already are passed over by whoever asks.
    """
    draws = known.draws("local")
    for parent in known.best_first():
        asked = recall(known.domain, parent.network.parameters)
        changes = list(neighbours(asked))
        draws.shuffle(changes)
        for name, value in changes:
            yield change(known.domain, asked.parameters, name, value, draws).parameters


def regularized_evolution(known: Knowledge) -> Iterator[dict[str, Any]]:
    """The best of a few random members of the last networks, with one change (Real et al., AAAI 2019).

    The first population is random. It is small, because a search trains tens of networks.
    """
    draws = known.draws("evolution")
    members = [scored for scored in known.scored if scored.network.complete][-POPULATION:]
    if len(members) < POPULATION:
        yield from at_random(known)
    while True:
        parent = max(draws.sample(members, TOURNAMENT), key=lambda scored: scored.score)
        yield mutation(known.domain, parent.network.parameters, draws).parameters


def best_few(known: Knowledge) -> Iterator[dict[str, Any]]:
    """One of the best few networks, with one change: what to try when a sampler repeats itself."""
    draws = known.draws("few")
    parents = known.best_first()[:FEW]
    while parents:
        yield mutation(known.domain, draws.choice(parents).network.parameters, draws).parameters
