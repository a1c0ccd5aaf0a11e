"""A sampler: the best network so far, with one choice drawn anew; at random until two networks are trained."""

from collections.abc import Iterator
from typing import Any

from igcnas.search.proposals.samplers import Knowledge, Sampler, at_random


def starts(known: Knowledge) -> bool:
    """Whether there is too little to go by."""
    return len(known.best_first()) < 2


def asks(known: Knowledge) -> Iterator[dict[str, Any]]:
    """Choices for the next network, the most wanted first. `draws` makes the search the same each time."""
    if starts(known):
        yield from at_random(known)
    best, draws = known.best_first()[0].network.parameters, known.draws("greedy")
    for drawn in at_random(known):
        if drawn["block"] == best["block"]:
            axis = draws.choice(sorted(best))
            yield {**best, axis: drawn[axis]}
        yield drawn


GREEDY = Sampler(asks=asks, starts=starts, sentence="one choice of the best network drawn anew")
