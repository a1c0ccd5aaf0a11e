"""Our search beside what else a person would run, on NAS-Bench-201 under a budget of MACs.

python -m benchmarks.sampling --table nasbench201-cifar10.csv.gz --work sampling-work --out benchmarks/results

A training observes one of up to three seeds, drawn by (run, cell, how often it was trained). Regret is the best mean
over seeds of a cell within the budget, minus that of the pick: the trained cell within the budget that was *observed*
best. A run that has seen none yet picks chance, 10 %. Each run is a line in the work folder, so that the benchmark can
be stopped, and strategies be added.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from benchmarks import nb201, ours, peers
from benchmarks.problem import Problem
from benchmarks.runner import Task, run_tasks
from benchmarks.summary import Mean, header, mean, paired

COUNTS = (25, 50, 100)
OURS = "igcnas "
SAMPLERS = ("gp", "tpe", "random", "evolution", "local", "nsga2")


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


def measures(cells: nb201.Cells, result: Task) -> dict[int, dict[str, float]]:
    """Regret, share outside the budget, share of repeats and proposals a training, after each of COUNTS trainings.

    What a run that ended early has not reached is left out.
    """
    budget = _macs(result["budget"])
    best = _best(cells, budget)
    counts: Counter[str] = Counter()
    pick: tuple[float, str] | None = None
    outside, found = 0, {}
    for number, cell in enumerate(result["cells"], start=1):
        observed = cells.observed(result["run"], cell, counts[cell])
        counts[cell] += 1
        if cells.macs[cell] > budget:
            outside += 1
        elif pick is None or observed > pick[0]:
            pick = (observed, cell)
        if number in COUNTS:
            found[number] = {
                "regret": best - (cells.mean(pick[1]) if pick else nb201.CHANCE),
                "outside": outside / number,
                "repeats": 1 - len(counts) / number,
                "asks": result["asks"][number - 1] / number,
            }
    return found


@cache
def _best(cells: nb201.Cells, budget: float) -> float:
    return cells.best(budget)


def _macs(budget: str) -> float:
    return math.inf if budget == "none" else float(budget) * 1e6


def tasks(arguments: argparse.Namespace) -> list[Task]:
    """Every run, those of the first seeds first; fewer of what is slow."""
    strategies = [*(OURS + name for name in arguments.samplers), *peers.PEERS]
    strategies = [name for name in strategies if not arguments.strategies or name in arguments.strategies]
    return [
        {"strategy": name, "budget": budget, "run": run, "trainings": max(COUNTS), "table": str(arguments.table)}
        for run in range(arguments.runs)
        for budget in arguments.budgets
        for name in strategies
        if run < arguments.slow_runs or name not in peers.SLOW
        if budget != "none" or name not in peers.ONLY_WITH_A_BUDGET
    ]


def page(cells: nb201.Cells, results: Sequence[Task]) -> str:
    """A table for each budget: every strategy, then ours against the best of the others."""
    text = []
    for budget in dict.fromkeys(result["budget"] for result in results):
        runs: dict[str, dict[int, dict[int, dict[str, float]]]] = {}
        seconds: dict[str, list[float]] = {}
        for result in results:
            if result["budget"] == budget:
                runs.setdefault(result["strategy"], {})[result["run"]] = measures(cells, result)
                seconds.setdefault(result["strategy"], []).append(result["seconds"])
        text.append(_section(cells, budget, runs, seconds))
    return "\n".join(text)


Runs = dict[str, dict[int, dict[int, dict[str, float]]]]


def _section(cells: nb201.Cells, budget: str, runs: Runs, seconds: dict[str, list[float]]) -> str:
    within = sum(macs <= _macs(budget) for macs in cells.macs.values())
    title = "Without a budget" if budget == "none" else f"Budget {budget} MMACs"
    lines = [
        f"## {title}\n",
        f"{within:,} of {len(cells.macs):,} cells fit; the best has a mean of {_best(cells, _macs(budget)):.3f} %.\n",
        "| strategy | n | regret at 25 | at 50 | at 100 | outside | repeats | asks a training | CPU seconds a run |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, by_run in runs.items():
        last = {key: mean(_column(by_run, max(COUNTS), key)).value for key in ("outside", "repeats", "asks")}
        regrets = " | ".join(mean(_column(by_run, count, "regret")).text() for count in COUNTS)
        lines.append(
            f"| {name} | {len(by_run)} | {regrets} | {last['outside']:.0%} | {last['repeats']:.0%} "
            f"| {last['asks']:.1f} | {sum(seconds[name]) / len(seconds[name]):.1f} |"
        )
    lines += ["", *_against(runs)]
    return "\n".join(lines) + "\n"


def _against(runs: Runs) -> list[str]:
    """Ours minus the best of the others at each count, over the runs that both have; less is better."""
    lines = ["| ours minus the best of the others, same runs | at 25 | at 50 | at 100 |", "|---|---|---|---|"]
    bests = {count: _best_peer(runs, count) for count in COUNTS}
    if None in bests.values():
        return []
    lines.append(f"| the best of the others | {' | '.join(str(bests[count]) for count in COUNTS)} |")
    for name, by_run in runs.items():
        if name.startswith(OURS):
            cells = []
            for count in COUNTS:
                difference = paired(_regrets(by_run, count), _regrets(runs[str(bests[count])], count))
                cells.append(f"{difference.text(sign=True)}{_verdict(difference)}")
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _best_peer(runs: Runs, count: int) -> str | None:
    peer_names = [name for name in runs if not name.startswith(OURS)]
    return min(peer_names, key=lambda name: mean(_column(runs[name], count, "regret")).value, default=None)


def _verdict(difference: Mean) -> str:
    if abs(difference.value) <= 2 * difference.error or math.isnan(difference.error):
        return ""
    return " ahead" if difference.value < 0 else " **behind**"


def _regrets(by_run: dict[int, dict[int, dict[str, float]]], count: int) -> dict[int, float]:
    return {run: found[count]["regret"] for run, found in by_run.items() if count in found}


def _column(by_run: dict[int, dict[int, dict[str, float]]], count: int, key: str) -> list[float]:
    return [found[count][key] for found in by_run.values() if count in found] or [math.nan]


HOW = """Regret in points of accuracy: mean over n runs, standard error in brackets. "ahead" and "behind" where a
difference is more than two standard errors; the best of the others is chosen after the fact, at each count anew, which
favours them. outside: share of trainings above the budget; repeats: share of trainings of a cell that the run had
trained before; both after 100 trainings, with the proposals made a training. It is a table of someone else's space: it
shows faults in how a search proposes, rejects and remembers, not that one sampler is best.
"""


def main() -> None:
    """Run what is missing, print and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, required=True, help="the CSV file of NAS-Bench-201")
    parser.add_argument("--runs", type=int, default=100, help="of each strategy at each budget (default: 100)")
    parser.add_argument("--slow-runs", type=int, default=20, help="of Optuna's Gaussian process (default: 20)")
    parser.add_argument("--budgets", type=lambda text: text.split(","), default=["20", "30", "50", "none"])
    parser.add_argument("--samplers", type=lambda text: text.split(","), default=list(SAMPLERS), help="of igcnas")
    parser.add_argument("--strategies", nargs="*", help="run only these (default: all)")
    parser.add_argument("--redo", nargs="*", default=(), help="strategies to run again, because they changed")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--work", type=Path, required=True, help="folder for the runs so far")
    parser.add_argument("--out", type=Path, help="folder for sampling-nb201.md (default: print it only)")
    arguments = parser.parse_args()
    results = run_tasks(
        tasks(arguments),
        run_one,
        cache=arguments.work / "sampling-nb201.jsonl",
        workers=arguments.workers,
        redo=arguments.redo,
    )
    text = page(nb201.read(arguments.table), results)
    if arguments.out is not None:
        path = arguments.out / "sampling-nb201.md"
        path.write_text(
            f"# Samplers on NAS-Bench-201\n\n{header('benchmarks.sampling')}\n{HOW}\n{text}", encoding="utf-8"
        )
    print(text)


if __name__ == "__main__":
    main()
