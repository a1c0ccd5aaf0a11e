"""Our own table: samplers at one budget, ways to draw a front, and pruning, on networks of this program on digits.

python -m benchmarks.tabular --work tabular-work --out benchmarks/results

Every run starts with the same baselines of the table (`tablespace.known`), which count as trainings; plain Optuna
is told them. A training observes one of three seeds, drawn by (run, network, how often it was trained); a network is
worth its mean over the seeds. Runs are lines in the work folder, so that the benchmark can be stopped and strategies be
added.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import front_peers, ours, peers, pruning, table, tablespace
from benchmarks.problem import Problem, Told
from benchmarks.runner import Task, run_tasks
from benchmarks.summary import header
from benchmarks.tabular_page import AUTO_NAME, COUNTS, EPOCHS, OURS, page

SAMPLERS = {
    "accuracy": ("gp", "tpe", "random", "evolution", "local", "nsga2"),
    "front": ("gp", "tpe", "random", "evolution", "local", "nsga2", "tpe-mo"),
}
_PEERS = {
    "accuracy": {
        name: peers.PEERS[name]
        for name in (
            "Optuna TPE, constraint told, training skipped",
            "Optuna TPE, the same, repeats from memory",
            "random, rejecting",
            "RE(20,5), rejecting",
            "local search, rejecting",
        )
    },
    "front": front_peers.FRONT_PEERS,
}
NO_KNOWN = " without baselines"
MIN_EPOCHS = (None, 1, 2, 3, 5)


def run_one(task: Task) -> Task:
    """One run: the networks that it trained, in order."""
    space = tablespace.read(Path(task["table"]))
    start = time.process_time()
    if task["kind"] == "pruning":
        trained = pruning.play(
            space,
            run=task["run"],
            sampler=task["sampler"],
            spread=task["objective"] == "front",
            min_epochs=task["min_epochs"],
            epochs=task["epochs"],
        )
        return {"trained": trained, "seconds": _since(start)}
    problem = Problem(
        space,
        lambda network, count: space.observed(task["run"], network, count),
        trainings=task["trainings"],
        budget=tablespace.BUDGET,
    )
    _play(space, problem, task)
    return {"networks": problem.trained, "asks": problem.asks, "seconds": _since(start)}


def _play(space: tablespace.TableSpace, problem: Problem, task: Task) -> None:
    strategy, spread = task["strategy"], task["kind"] == "front"
    known = [] if strategy.endswith(NO_KNOWN) else space.known(spread=spread)
    if strategy.startswith(OURS):
        ours.play(
            problem,
            tablespace.TableDomain(space),
            sampler=strategy.removeprefix(OURS).removesuffix(NO_KNOWN),
            seed=task["run"],
            images=space.table.validation_images,
            spread=spread,
            lowest_target=tablespace.LOWEST,
            known=known,
        )
    else:
        for network in known:
            parameters = dict(space.parameters[network.key])
            problem.told.append(Told(network.key, parameters, problem.train(network.key)))
        peers.play(_PEERS[task["kind"]][strategy], problem, task["run"])


def _since(start: float) -> float:
    return round(time.process_time() - start, 3)


def tasks(arguments: argparse.Namespace) -> Iterator[Task]:
    """Every run, those of the first seeds first."""
    whole = str(arguments.table)
    for run in range(arguments.runs):
        for kind in ("accuracy", "front"):
            names = [OURS + name for name in SAMPLERS[kind]]
            names += [AUTO_NAME + NO_KNOWN, *_PEERS[kind]]
            for name in names:
                yield {"kind": kind, "strategy": name, "run": run, "trainings": max(COUNTS[kind]), "table": whole}
        for objective in ("accuracy", "front"):
            for sampler in arguments.pruned_samplers:
                for min_epochs in MIN_EPOCHS:
                    name = f"{objective} {sampler} {min_epochs}"
                    yield {
                        "kind": "pruning",
                        "strategy": name,
                        "objective": objective,
                        "sampler": sampler,
                        "min_epochs": min_epochs,
                        "run": run,
                        "epochs": max(EPOCHS),
                        "table": whole,
                    }


def main() -> None:
    """Run what is missing, print and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, default=table.PATH, help="the table (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=100, help="of each strategy (default: 100)")
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=["accuracy", "front", "pruning"])
    parser.add_argument("--pruned-samplers", type=lambda text: text.split(","), default=["gp", "tpe", "random"])
    parser.add_argument("--strategies", nargs="*", help="run only these (default: all)")
    parser.add_argument("--redo", nargs="*", default=(), help="strategies to run again, because they changed")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--work", type=Path, required=True, help="folder for the runs so far")
    parser.add_argument("--out", type=Path, help="folder for tabular.md (default: print it only)")
    arguments = parser.parse_args()
    wanted = [
        task
        for task in tasks(arguments)
        if task["kind"] in arguments.kinds
        if not arguments.strategies or task["strategy"] in arguments.strategies
    ]
    cache = arguments.work / "tabular.jsonl"
    results = run_tasks(wanted, run_one, cache=cache, workers=arguments.workers, redo=arguments.redo)
    text = page(tablespace.read(arguments.table), results)
    if arguments.out is not None:
        path = arguments.out / "tabular.md"
        path.write_text(
            f"# Samplers and pruning on our own table\n\n{header('benchmarks.tabular')}\n{text}", encoding="utf-8"
        )
    print(text)


if __name__ == "__main__":
    main()
