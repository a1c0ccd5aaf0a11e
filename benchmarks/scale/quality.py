"""How good a search stays when many networks are in training at once: on NAS-Bench-201, against random.

Workers are virtual: each training takes a time of its own, and as soon as one ends the next network is proposed, from
what has ended by then; those in training are told as pending, as `igcnas.search.observing` does. Regret is the best
mean over seeds of a cell minus that of the cell that was observed best.
"""

from __future__ import annotations

import argparse
import heapq
import math
import time
from pathlib import Path

from benchmarks import nb201
from benchmarks.ours import CellDomain
from benchmarks.runner import Task, run_tasks
from benchmarks.scale.durations import duration
from igcnas.search.proposals import Observation, Proposer

WORKERS = (1, 10, 100, 1000)
SAMPLERS = ("gp", "random")
# Regret is told after so many trainings have ended.
COUNTS = (50, 100, 300)
CACHE = "quality.jsonl"


def run_one(task: Task) -> Task:
    """One search: regret after each of COUNTS that it reaches, and seconds of a core."""
    cells = nb201.read(Path(task["table"]))
    start = time.process_time()
    ended = play(cells, task["sampler"], workers=task["workers"], trainings=task["trainings"], run=task["run"])
    best, top, regrets = cells.best(math.inf), (-math.inf, ""), {}
    for number, (cell, accuracy) in enumerate(ended, start=1):
        top = max(top, (accuracy, cell))
        if number in COUNTS:
            regrets[str(number)] = best - cells.mean(top[1])
    return {"regrets": regrets, "seconds": round(time.process_time() - start, 2)}


def play(cells: nb201.Cells, sampler: str, *, workers: int, trainings: int, run: int) -> list[tuple[str, float]]:
    """Cells and what was observed of them, in the order in which their trainings ended. All cells are in the budget."""
    budget = max(cells.macs.values())
    proposer = Proposer(
        CellDomain(cells),
        budget=budget,
        lowest_target=1,
        spread=False,
        sampler=sampler,
        seed=run,
        images=nb201.VALIDATION_IMAGES,
    )
    known: list[Observation] = []  # by number: as pending first, then as trained
    keys: list[str] = []
    seen: set[str] = set()
    flying: list[tuple[float, int]] = []
    ended: list[tuple[str, float]] = []
    now = 0.0
    while len(ended) < trainings:
        while len(flying) < workers:
            proposal = proposer.propose(known, seen)
            if proposal is None:
                break
            key = proposal.candidate.key
            heapq.heappush(flying, (now + duration(run, len(known), 1.0), len(known)))
            keys.append(key)
            seen.add(key)
            known.append(_observation(proposal.parameters, budget))
        if not flying:
            break
        now, number = heapq.heappop(flying)
        accuracy = cells.observed(run, keys[number], 0)
        known[number] = _observation(known[number].parameters, budget, accuracy)
        ended.append((keys[number], accuracy))
    return ended


def _observation(parameters: object, budget: int, accuracy: float | None = None) -> Observation:
    pending = accuracy is None
    return Observation(
        parameters=parameters,  # type: ignore[arg-type]
        target=budget,
        cost=budget,
        accuracies=() if accuracy is None else (accuracy,),
        complete=not pending,
        known=False,
        pending=pending,
    )


def tasks(table: Path, runs: int) -> list[Task]:
    """Every search, the first seeds first."""
    return [
        {
            "strategy": f"{sampler} {workers}",
            "sampler": sampler,
            "workers": workers,
            "trainings": max(COUNTS),
            "run": run,
            "table": str(table),
        }
        for run in range(runs)
        for workers in WORKERS
        for sampler in SAMPLERS
    ]


def measured(arguments: argparse.Namespace) -> list[Task]:
    """Run what is missing."""
    return run_tasks(tasks(arguments.table, arguments.runs), run_one, cache=arguments.work / CACHE, workers=1)
