"""Optuna's samplers, asked in an in-memory mirror of the study: TPE and NSGA-II."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import optuna

from igcnas.proposals.mirror import POPULATION
from igcnas.proposals.samplers.knowledge import Knowledge

# TPE draws anew at each ask, and milliseconds; what is not new by then is found sooner by changing a good network.
_ATTEMPTS = 20


def tpe(known: Knowledge) -> Iterator[dict[str, Any]]:
    """Tree-structured Parzen estimator (Bergstra et al., 2011), as Optuna 5 has it: multivariate where it can be."""
    yield from _asks(known, lambda seed: optuna.samplers.TPESampler(seed=seed), anew=False)


def nsga2(known: Knowledge) -> Iterator[dict[str, Any]]:
    """Genetic algorithm with non-dominated sorting (Deb et al., 2002).

    The mirror is built anew: Optuna keeps the parents of a generation in the study, in another order than it finds
    them.
    """
    yield from _asks(
        known, lambda seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=POPULATION), anew=True
    )


def _asks(
    known: Knowledge, make: Callable[[int], optuna.samplers.BaseSampler], *, anew: bool
) -> Iterator[dict[str, Any]]:
    mirror = known.mirror(anew)
    for attempt in range(_ATTEMPTS):
        yield mirror.ask(make(known.draw_seed("optuna", attempt)))
