"""The real controller with real actors of Ray whose trainings sleep: trials a second, and how long workers wait."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.report_time import stand_in
from benchmarks.runner import Task, run_tasks
from benchmarks.scale import studies
from benchmarks.scale.durations import duration
from benchmarks.scale.parts import watched
from benchmarks.scale.stand_in import Sleeper
from benchmarks.scale.virtual import Virtual, tell_epochs
from igcnas.network.architecture import Architecture
from igcnas.search.cluster.cluster import LOCAL, Cluster, RaySettings
from igcnas.search.evaluation import Outcome
from igcnas.search.evaluation.seam import Told
from igcnas.system.resources import usable_cores

# (workers, mean seconds of a training, trials): some that the controller keeps up with, some that it does not.
RUNS = ((1, 1.0, 60), (10, 5.0, 150), (10, 1.0, 150), (50, 20.0, 200), (50, 2.0, 200))
# The same without waiting: only the controller's time counts.
VIRTUAL_RUNS = ((100, 250),)
CACHE = "actors.jsonl"


class Actors:
    """An Evaluator on a cluster of its own."""

    def __init__(self, cluster: Cluster, workers: int, mean: float) -> None:
        self.slots, self._cluster, self._mean = workers, cluster, mean
        (node,) = cluster.nodes("cpu").values()
        self._free = [cluster.spawn(node, "cpu", Sleeper) for _ in range(workers)]
        for handle in self._free:
            cluster.answer(handle.ready.remote(), 600.0)
        self._flying: dict[Any, tuple[int, Any, Architecture, Path]] = {}
        self._ended: dict[Any, float] = {}  # when an actor ended its last training
        self.waits: list[float] = []
        self.begun: float | None = None

    def submit(self, number: int, architecture: Architecture, folder: Path, repeat: int = 0) -> None:
        """Give it to a free actor."""
        self.begun = self.begun or time.time()
        handle = self._free.pop()
        reference = handle.train.remote(duration(0, number, self._mean))
        self._flying[reference] = (number, handle, architecture, folder)

    def wait(self, told: Told) -> tuple[int, Outcome]:
        """The next that ends."""
        import ray

        done, _ = ray.wait(list(self._flying), num_returns=1)
        number, handle, architecture, folder = self._flying.pop(done[0])
        begin, end = self._cluster.answer(done[0], 60.0)
        if handle in self._ended:
            self.waits.append(begin - self._ended[handle])
        self._ended[handle] = end
        self._free.append(handle)
        outcome = stand_in(architecture, folder, lambda _report: None)
        tell_epochs(number, outcome, told)
        return number, outcome


def run_one(task: Task) -> Task:
    """One search from its first trial on."""
    workers, trials = task["workers"], task["trials"]
    with tempfile.TemporaryDirectory() as root:
        if task["mean"] is None:
            search = studies.search(Path(root) / "study", Virtual(workers), studies.settings())
            begin = time.perf_counter()
            search.run(trials)
            return {"seconds": time.perf_counter() - begin}
        with Cluster(RaySettings(where=LOCAL, cpus=usable_cores() / workers)) as cluster, watched() as parts:
            actors = Actors(cluster, workers, task["mean"])
            search = studies.search(Path(root) / "study", actors, studies.settings())
            begin = time.time()
            search.run(trials)
            seconds = time.time() - begin
            told = parts.told()
    return {
        "seconds": seconds,
        "mean_wait": statistics.fmean(actors.waits),
        "waits": len(actors.waits),
        "core": {part: round(value / trials, 6) for part, value in told["core"].items()},
    }


def measured(arguments: argparse.Namespace) -> list[Task]:
    """Run what is missing."""
    real = [{"strategy": "actors", "workers": w, "mean": mean, "trials": trials} for w, mean, trials in RUNS]
    virtual = [{"strategy": "virtual", "workers": w, "mean": None, "trials": trials} for w, trials in VIRTUAL_RUNS]
    return run_tasks([*real, *virtual], run_one, cache=arguments.work / CACHE, workers=1)
