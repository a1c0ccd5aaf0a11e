"""What else a person would run: plain Optuna 5, random search, regularized evolution and local search, under a budget.

Written as a user of Optuna would write them: one study in memory, one seed, `study.optimize`. The three that are not
Optuna's reject what does not fit before it is trained. Sources: regularized evolution Real et al., AAAI 2019; local
search White et al., UAI 2021.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable

import optuna
from optuna.samplers import BaseSampler, GPSampler, TPESampler

from benchmarks.problem import Finished, Problem, Told

Peer = Callable[[Problem, int], None]
_NO_END = 1_000_000
# RE(20, 5): population, sample.
_POPULATION, _SAMPLE = 20, 5


def trains_everything(problem: Problem, seed: int) -> None:
    """TPE with Optuna's constraint, which is soft: what does not fit is trained all the same."""

    def objective(trial: optuna.Trial) -> float:
        cell = problem.space.cell(problem.space.suggest(trial))
        problem.asked()
        if math.isfinite(problem.budget):
            trial.set_constraint("macs", problem.excess(cell))
        return problem.train(cell)

    _optimize(problem, objective, TPESampler(seed=seed))


def skips(problem: Problem, seed: int) -> None:
    """TPE told the constraint; what does not fit is not trained and gets the worst accuracy."""
    _optimize(problem, _skipping(problem), TPESampler(seed=seed))


def skips_and_remembers(problem: Problem, seed: int) -> None:
    """The same; a network that was trained before is told its old accuracy and not trained again."""
    known = {network.cell: network.accuracy for network in problem.told}
    _optimize(problem, _skipping(problem, known), TPESampler(seed=seed))


def gp(problem: Problem, seed: int) -> None:
    """Optuna's Gaussian process told the constraint; what does not fit is not trained and gets the worst accuracy."""
    _optimize(problem, _skipping(problem), GPSampler(seed=seed))


def prunes(problem: Problem, seed: int) -> None:
    """TPE where a network that does not fit raises TrialPruned before training."""

    def objective(trial: optuna.Trial) -> float:
        cell = problem.space.cell(problem.space.suggest(trial))
        problem.asked()
        if not problem.fits(cell):
            raise optuna.TrialPruned
        return problem.train(cell)

    _optimize(problem, objective, TPESampler(seed=seed))


def random_rejecting(problem: Problem, seed: int) -> None:
    """Networks at random, those that do not fit thrown back."""
    draws = random.Random(seed)
    while True:
        problem.train(_fitting(problem, draws))


def evolution(problem: Problem, seed: int) -> None:
    """Regularized evolution, RE(20, 5): of 5 of the living the best is mutated in one choice; the oldest dies."""
    draws = random.Random(seed)
    told = [(network.accuracy, network.cell) for network in problem.told]
    population: deque[tuple[float, str]] = deque(told, maxlen=_POPULATION)
    while True:
        if len(population) < _POPULATION:
            cell = _fitting(problem, draws)
        else:
            _, parent = max(draws.sample(list(population), _SAMPLE))
            cell = _mutant(problem, parent, draws)
        population.append((problem.train(cell), cell))


def local_search(problem: Problem, seed: int) -> None:
    """Neighbours in random order, moving to the first that is better; a new start where none is. Nothing twice."""
    draws = random.Random(seed)
    known = {network.cell: network.accuracy for network in problem.told}
    start = max(known, key=lambda cell: known[cell], default=None)

    def accuracy(cell: str) -> float:
        if cell not in known:
            known[cell] = problem.train(cell)
        return known[cell]

    while True:
        better = start or _fitting(problem, draws)
        start = None
        while better is not None:
            here, better = better, None
            accuracy(here)
            neighbours = problem.space.neighbours(here)
            draws.shuffle(neighbours)
            for cell in neighbours:
                problem.asked()
                if problem.fits(cell) and accuracy(cell) > accuracy(here):
                    better = cell
                    break


PEERS: dict[str, Peer] = {
    "Optuna TPE, soft constraint, trains everything": trains_everything,
    "Optuna TPE, constraint told, training skipped": skips,
    "Optuna TPE, the same, repeats from memory": skips_and_remembers,
    "Optuna TPE, TrialPruned": prunes,
    "Optuna GP, constraint told, training skipped": gp,
    "random, rejecting": random_rejecting,
    "RE(20,5), rejecting": evolution,
    "local search, rejecting": local_search,
}
# Without a budget they are the first one again.
ONLY_WITH_A_BUDGET = ("Optuna TPE, constraint told, training skipped", "Optuna TPE, TrialPruned")
SLOW = ("Optuna GP, constraint told, training skipped",)


def play(peer: Peer, problem: Problem, seed: int) -> None:
    """Let it train until no training is left."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        peer(problem, seed)
    except Finished:
        return


def trial_of(problem: Problem, network: Told, values: list[float]) -> optuna.trial.FrozenTrial:
    """A network that was trained before, as a trial of a study."""
    recorded = optuna.trial.FixedTrial(network.parameters)
    problem.space.suggest(recorded)
    return optuna.trial.create_trial(params=network.parameters, distributions=recorded.distributions, values=values)


def _optimize(problem: Problem, objective: Callable[[optuna.Trial], float], sampler: BaseSampler) -> None:
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.add_trials([trial_of(problem, network, [network.accuracy]) for network in problem.told])
    study.optimize(objective, n_trials=_NO_END)  # ends by Finished


def _skipping(problem: Problem, known: dict[str, float] | None = None) -> Callable[[optuna.Trial], float]:
    def objective(trial: optuna.Trial) -> float:
        cell = problem.space.cell(problem.space.suggest(trial))
        problem.asked()
        if math.isfinite(problem.budget):
            trial.set_constraint("macs", problem.excess(cell))
        if not problem.fits(cell):
            return 0.0
        if known is None:
            return problem.train(cell)
        if cell not in known:
            known[cell] = problem.train(cell)
        return known[cell]

    return objective


def _fitting(problem: Problem, draws: random.Random) -> str:
    while True:
        problem.asked()
        cell = problem.space.random(draws)
        if problem.fits(cell):
            return cell


def _mutant(problem: Problem, parent: str, draws: random.Random) -> str:
    neighbours = problem.space.neighbours(parent)
    while True:
        problem.asked()
        cell = draws.choice(neighbours)
        if problem.fits(cell):
            return cell
