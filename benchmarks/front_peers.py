"""Plain Optuna 5 over accuracy and MACs: two objectives, the level of MACs one choice among the others, nothing solved.

What does not fit any level gets the worst of both objectives and a violated constraint, and is not trained.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import optuna
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler

from benchmarks.peers import Peer, trial_of
from benchmarks.problem import Problem

_NO_END = 1_000_000
_WORST = 0.0


def tpe(problem: Problem, seed: int) -> None:
    """Multi-objective TPE; what was trained before is trained again."""
    _optimize(problem, TPESampler(seed=seed), remembers=False)


def tpe_remembers(problem: Problem, seed: int) -> None:
    """Multi-objective TPE; what was trained before is told its old accuracy."""
    _optimize(problem, TPESampler(seed=seed), remembers=True)


def nsga2(problem: Problem, seed: int) -> None:
    """NSGA-II as Optuna has it (population 50); what was trained before is told its old accuracy."""
    _optimize(problem, NSGAIISampler(seed=seed), remembers=True)


def random_rejecting(problem: Problem, seed: int) -> None:
    """Networks and levels at random; what does not fit or was trained before is thrown back."""
    draws = random.Random(seed)
    while True:
        problem.asked()
        cell = problem.space.random(draws)
        if problem.fits(cell) and not problem.counts[cell]:
            problem.train(cell)


FRONT_PEERS: dict[str, Peer] = {
    "Optuna TPE, two objectives": tpe,
    "Optuna TPE, two objectives, repeats from memory": tpe_remembers,
    "Optuna NSGA-II, repeats from memory": nsga2,
    "random, rejecting": random_rejecting,
}


def _optimize(problem: Problem, sampler: BaseSampler, *, remembers: bool) -> None:
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    macs = problem.space.macs
    told = [trial_of(problem, network, [network.accuracy, macs[network.cell]]) for network in problem.told]
    study.add_trials(told)
    known = {network.cell: network.accuracy for network in problem.told}
    study.optimize(_objective(problem, known if remembers else None), n_trials=_NO_END)  # ends by Finished


def _objective(problem: Problem, known: dict[str, float] | None) -> Callable[[optuna.Trial], tuple[float, float]]:
    def objective(trial: optuna.Trial) -> tuple[float, float]:
        cell = problem.space.cell(problem.space.suggest(trial))
        problem.asked()
        trial.set_constraint("fits", -1.0 if problem.fits(cell) else 1.0)
        if not problem.fits(cell):
            return _WORST, problem.budget
        if known is None:
            return problem.train(cell), problem.space.macs[cell]
        if cell not in known:
            known[cell] = problem.train(cell)
        return known[cell], problem.space.macs[cell]

    return objective
