"""Optuna's samplers, asked in an in-memory mirror of the study: TPE and NSGA-II."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import optuna

from igcnas.search.proposals.mirror import POPULATION
from igcnas.search.proposals.samplers.knowledge import Knowledge

# Its default; passed on so that `tpe_starts` and Optuna agree.
_STARTUP = 10
# TPE draws anew at each ask, and milliseconds; what is not new by then is found sooner by changing a good network.
_ATTEMPTS = 20


def tpe(known: Knowledge) -> Iterator[dict[str, Any]]:
    """Tree-structured Parzen estimator (Bergstra et al., 2011), as Optuna 5 has it: multivariate where it can be."""
    yield from _asks(known, lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=_STARTUP))


def tpe_starts(known: Knowledge) -> bool:
    """Optuna draws at random until so many networks have a score."""
    return len(known.scored) < _STARTUP


def nsga2(known: Knowledge) -> Iterator[dict[str, Any]]:
    """Genetic algorithm with non-dominated sorting (Deb et al., 2002).

    Optuna looks for the parents of a generation in those of the one before, and so on: deeper than Python may go after
    some thousand networks. They are looked up from the first generation on; each is then kept in the mirror.
    """
    sampler = optuna.samplers.NSGAIISampler(population_size=POPULATION)
    mirror = known.mirror()
    for generation in range(1, mirror.generations + 1):
        sampler.get_parent_population(mirror.study, generation)
    yield from _asks(known, lambda seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=POPULATION))


def nsga2_starts(known: Knowledge) -> bool:
    """Optuna draws the first generation at random."""
    return known.mirror().generations == 0


def _asks(known: Knowledge, make: Callable[[int], optuna.samplers.BaseSampler]) -> Iterator[dict[str, Any]]:
    mirror = known.mirror()
    for attempt in range(_ATTEMPTS):
        yield mirror.ask(make(known.draw_seed("optuna", attempt)))
