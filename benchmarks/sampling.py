"""Our search beside what else a person would run, on NAS-Bench-201 under a budget of MACs: regret over trained networks.

python -m benchmarks.sampling --table nasbench201-cifar10.csv.gz --work sampling-work --out benchmarks/results

A training observes one of up to three seeds, drawn by (run, cell, how often it was trained). Regret is the best mean over
seeds of a cell within the budget, minus that of the pick: the trained cell within the budget that was *observed* best. A
run that has seen none yet picks chance, 10 %. Each run is a line in the work folder, so that it can be stopped, and
strategies be added.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks import nb201, ours, peers
from benchmarks.problem import Problem
from benchmarks.runner import Task, run_tasks
from benchmarks.summary import Mean, header, mean, paired

COUNTS = (25, 50, 100)
OURS = "igcnas "
SAMPLERS = ("auto", "tpe", "gp", "random", "evolution", "local", "nsga2")
_SLOW = (*peers.SLOW, OURS + "gp")


def run_one(task: Task) -> Task:
    """One run of one strategy; the cells that it trained, in order, and how many proposals it made."""
    cells = nb201.read(Path(task["table"]))
    run, strategy = task["run"], task["strategy"]
    problem = Problem(
        cells,
        lambda cell, count: cells.observed(run, cell, count),
        trainings=task["trainings"],
        budget=_macs(task["budget"]),
    )
    start = time.process_time()
    if strategy.startswith(OURS):
        sampler, domain = strategy.removeprefix(OURS), ours.CellDomain(cells)
        ours.play(problem, domain, sampler=sampler, seed=run, images=nb201.VALIDATION_IMAGES)
    else:
        peers.play(peers.PEERS[strategy], problem, run)
    return {"cells": problem.trained, "asks": problem.asks, "seconds": round(time.process_time() - start, 3)}


def measures(cells: nb201.Cells, result: Task, count: int) -> dict[str, float]:
    """What a run had after `count` trainings. One that ended before has nothing."""
    return _measures_from(cells, result)[count]


def _measures_from(cells: nb201.Cells, result: Task) -> dict[int, dict[str, float]]:
    budget = _macs(result["budget"])
    best = _best(cells, budget)
    trained: list[str] = result["cells"]
    seen: dict[str, int] = {}
    pick: tuple[float, str] | None = None
    found: dict[int, dict[str, float]] = {}
    outside = 0
    for number, cell in enumerate(trained, start=1):
        observed = cells.observed(result["run"], cell, seen.get(cell, 0))
        seen[cell] = seen.get(cell, 0) + 1
        if cells.macs[cell] > budget:
            outside += 1
        elif pick is None or observed > pick[0]:
            pick = (observed, cell)
        found[number] = {
            "regret": best - (cells.mean(pick[1]) if pick else nb201.CHANCE),
            "outside": outside / number,
            "repeats": 1 - len(seen) / number,
            "asks": result["asks"][number - 1] / number,
        }
    return found


_BEST: dict[float, float] = {}


def _best(cells: nb201.Cells, budget: float) -> float:
    if budget not in _BEST:
        _BEST[budget] = cells.best(budget)
    return _BEST[budget]


def tasks(arguments: argparse.Namespace) -> list[Task]:
    """Every run, those of the first seeds first; fewer of what is slow."""
    strategies = [*(OURS + name for name in arguments.samplers), *peers.PEERS]
    strategies = [name for name in strategies if not arguments.strategies or name in arguments.strategies]
    return [
        {"strategy": name, "budget": budget, "run": run, "trainings": max(COUNTS), "table": str(arguments.table)}
        for run in range(arguments.runs)
        for budget in arguments.budgets
        for name in strategies
        if run < arguments.slow_runs or name not in _SLOW
        if budget != "none" or name not in peers.ONLY_WITH_A_BUDGET
    ]
