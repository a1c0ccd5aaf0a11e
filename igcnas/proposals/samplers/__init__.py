"""Who proposes structures: Optuna's samplers and our own behind one name.

A sampler is made anew for each ask, from a seed and the number of the attempt: it has no state but the finished trials.
To add one: a function in SAMPLERS.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import optuna

from igcnas.errors import IgcnasError, unknown_name
from igcnas.proposals.samplers.evolution import BestFew, LocalSearch, RegularizedEvolution

__all__ = ["AUTO", "SAMPLERS", "BestFew", "Sampler", "resolve_sampler", "sampler_named"]

AUTO = "auto"
POPULATION = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    """make(seed, attempt) is the sampler of one ask; after `attempts` misfits and repeats others are asked.

    multi_objective: it is told accuracy and cost, and chooses the MAC target itself; it cannot be pruned.
    learns_from_pruned: a pruned network teaches it something.
    """

    make: Callable[[int, int], optuna.samplers.BaseSampler]
    attempts: int
    sentence: str
    multi_objective: bool = False
    learns_from_pruned: bool = False


def _tpe(seed: int, attempt: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.TPESampler(seed=seed)


def _gp(seed: int, attempt: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.GPSampler(seed=seed, warn_independent_sampling=False)


def _random(seed: int, attempt: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.RandomSampler(seed=seed)


def _nsga2(seed: int, attempt: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.NSGAIISampler(seed=seed, population_size=POPULATION)


SAMPLERS = {
    "tpe": Sampler(
        make=_tpe,
        attempts=20,
        learns_from_pruned=True,
        sentence="tree-structured Parzen estimator: models good and bad choices",
    ),
    "gp": Sampler(make=_gp, attempts=3, sentence="Gaussian process: slow, for full trainings in spaces of one block"),
    "random": Sampler(make=_random, attempts=500, sentence="every structure equally likely"),
    "evolution": Sampler(
        make=lambda seed, attempt: RegularizedEvolution(seed=seed, attempt=attempt),
        attempts=100,
        sentence="regularized evolution: the best of 5 of the last 20, one choice changed",
    ),
    "local": Sampler(
        make=lambda seed, attempt: LocalSearch(seed=seed, attempt=attempt),
        attempts=500,
        sentence="local search: every network one choice away from the best",
    ),
    "nsga2": Sampler(
        make=_nsga2, attempts=100, multi_objective=True, sentence="genetic algorithm on accuracy and cost"
    ),
    "tpe-mo": Sampler(
        make=_tpe, attempts=20, multi_objective=True, sentence="TPE on accuracy and cost, which chooses the MAC target"
    ),
}


def sampler_named(name: str) -> Sampler:
    """The sampler; an unknown name lists the known ones."""
    if name not in SAMPLERS:
        raise IgcnasError(unknown_name("sampler", name, (AUTO, *SAMPLERS)))
    return SAMPLERS[name]


def resolve_sampler(name: str) -> str:
    """The sampler that `auto` stands for; other names as they are. What a study was started with is kept in it."""
    if name == AUTO:
        return "tpe"
    sampler_named(name)
    return name


# Optuna marks what is younger than some releases; we pin its major version.
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
