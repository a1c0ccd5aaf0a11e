"""The figures of a session on a GPU: cold trials by every variant in turns, memory after many trials, and fleets.

Each part has a deadline; what is not measured by then is a note, and the next part starts. Every process that fails is
replaced, because an error of CUDA stays with its process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.speed.checks import Check
from benchmarks.speed.machine import Rates, available_cores, plain_rates
from benchmarks.speed.networks import Named, known, sample
from benchmarks.speed.outcome import Failure, Outcome
from benchmarks.speed.processes import Process, Setting, Throughput, run_fleet
from benchmarks.speed.variants import EAGER, GRAPH, LOADER
from benchmarks.speed.workload import Workload

KNOWN = ("IGCV3-D", "MobileNetV2", "IGC-L", "ResNet-20")  # how their names begin
HOWS = (LOADER, EAGER, GRAPH)
LOADERS = 2
_GRACE = 30.0  # seconds that a trial may take that began in time
Found = Outcome | Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much of everything. repeats: how often a fleet trains each random network."""

    images: dict[str, int]
    epochs: int
    batch: int
    budgets: dict[str, int]
    named: dict[str, int]
    random: int
    workers: tuple[int, ...]
    repeats: dict[str, int]
    trials: int


FULL = Scale(
    images={"8x8": 6000, "32x32": 10_000},
    epochs=4,
    batch=128,
    budgets={"8x8": 500_000, "32x32": 100_000_000},
    named={"8x8": 4, "32x32": 4},
    random=8,
    workers=(1, 4, 8),
    repeats={"8x8": 2, "32x32": 1},
    trials=50,
)
# So small that a test can run it on a CPU.
TINY = Scale(
    images={"8x8": 100, "32x32": 60},
    epochs=2,
    batch=16,
    budgets={"8x8": 100_000, "32x32": 2_000_000},
    named={"8x8": 1, "32x32": 0},
    random=1,
    workers=(2,),
    repeats={"8x8": 2},
    trials=4,
)


@dataclass(slots=True, kw_only=True)
class Size:
    """Images of one size: what is trained on them, and what was found, by variant and network."""

    name: str
    workload: Workload
    known: list[Named]
    random: list[Named]
    cold: dict[str, dict[str, Found]] = field(default_factory=dict)
    fleets: dict[str, Throughput] = field(default_factory=dict)

    @property
    def networks(self) -> list[Named]:
        """Those of the literature, then the random ones."""
        return [*self.known, *self.random]


@dataclass(slots=True, kw_only=True)
class Results:
    """Everything that was found, as it grows, by the names of variants. graph: the one that runs as the captured step.

    memory: megabytes allocated and reserved after each trial of one process.
    """

    device: str
    minutes: float
    machine: dict[str, Any]
    graph: str
    rates: Rates | None = None
    checks: list[Check] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)
    memory: dict[str, list[tuple[float, float] | None]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def well(self) -> bool:
        """Whether no check and no trial failed."""
        every = [found for size in self.sizes for row in size.cold.values() for found in row.values()]
        every += [found for size in self.sizes for fleet in size.fleets.values() for found in fleet.outcomes]
        failed = [found for found in every if isinstance(found, Failure) and not found.over]
        return not failed and all(check.state in ("ok", "skipped", "missing") for check in self.checks)

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "device": self.device,
            "minutes": self.minutes,
            "machine": self.machine,
            "rates": None if self.rates is None else plain_rates(self.rates),
            "graph": self.graph,
            "checks": [asdict(check) for check in self.checks],
            "sizes": [
                {
                    "name": size.name,
                    "workload": asdict(size.workload),
                    "networks": {network.name: network.macs for network in size.networks},
                    "cold": {name: {n: asdict(f) for n, f in row.items()} for name, row in size.cold.items()},
                    "fleets": {workers: asdict(fleet) for workers, fleet in size.fleets.items()},
                }
                for size in self.sizes
            ],
            "memory": self.memory,
            "notes": self.notes,
        }


def sizes(scale: Scale) -> list[Size]:
    """What is trained: the networks of the literature, or their like at the budget, and random ones."""
    found = []
    for name, kind in (("8x8", "synthetic-digits"), ("32x32", "synthetic-cifar")):
        workload = Workload(f"{kind}:{scale.images[name]}", scale.epochs, scale.batch)
        shape, classes, budget = workload.dataset.input_shape, workload.dataset.num_classes, scale.budgets[name]
        listed = known(shape, classes, budget) if scale.named[name] else []
        firsts = [next(n for n in listed if n.name.startswith(start)) for start in KNOWN[: scale.named[name]]]
        drawn = sample(shape, classes, budget, scale.random)
        found.append(Size(name=name, workload=workload, known=firsts, random=drawn))
    return found


@dataclass(slots=True)
class _Warm:
    """A process, and what was left on the device after each of its trials."""

    process: Process
    left: list[tuple[float, float] | None] = field(default_factory=list)


class Session:
    """Measures into `results`; `keep` hears of everything new. Times are those of time.monotonic."""

    def __init__(self, results: Results, scale: Scale, keep: Callable[[], None]) -> None:
        self.results, self.scale, self.keep = results, scale, keep

    def cold(self, size: Size, *, until: float, trials_until: float | None = None) -> None:
        """Each network by each variant, in turns; with `trials_until` the same processes then train many more."""
        with self._warm(size, until) as processes:
            for network, name in self._turns(size):
                if time.monotonic() > until:
                    self._note(f"{size.name}: time was over before {network.name}, {name}")
                    break
                found = self._trained(processes, name, network, until + _GRACE)
                if found is not None:
                    size.cold.setdefault(name, {})[network.name] = found
                    self.keep()
            if trials_until is not None:
                for name in (EAGER, GRAPH):
                    self._many(processes, name, size, trials_until)

    def fleet(self, size: Size, workers: int, *, mps: bool, until: float) -> None:
        """All random networks, some of them again, by so many processes of the captured step at once."""
        left = until - time.monotonic()
        if left < 0:
            self._note(f"{size.name}: time was over before {workers} workers")
            return
        networks = size.random * self.scale.repeats[size.name]
        setting = self._setting(size, GRAPH)
        name = f"{workers} worker{'s' if workers > 1 else ''}{', MPS' if mps else ''}"
        size.fleets[name] = run_fleet(setting, networks, processes=workers, repeat=0, limit=left, warm=left)
        self.keep()

    @staticmethod
    def _turns(size: Size) -> Iterator[tuple[Named, str]]:
        """The loader trains networks of the literature alone: it is slow, and what it costs is not in the network."""
        for network in size.networks:
            for name in HOWS:
                if name != LOADER or network in size.known:
                    yield network, name

    def _many(self, processes: dict[str, _Warm], name: str, size: Size, until: float) -> None:
        """Further trials of one process, until it has trained so many."""
        while (warm := processes.get(name)) is not None and len(warm.left) < self.scale.trials:
            if time.monotonic() > until:
                self._note(f"{name}: time was over after {len(warm.left)} trials in one process")
                break
            network = size.random[len(warm.left) % len(size.random)]
            if isinstance(self._trained(processes, name, network, until + _GRACE), Failure):
                break
            self.results.memory[name] = warm.left
        self.keep()

    def _trained(self, processes: dict[str, _Warm], name: str, network: Named, until: float) -> Found | None:
        """One trial, None where there is no such process; one that failed is replaced."""
        warm = processes.get(name)
        if warm is None:
            return None
        warm.process.ask(network, 0)
        found = warm.process.answer(until - time.monotonic())
        assert found is not None
        if isinstance(found, Outcome):
            warm.left.append(found.left_mb)
            return found
        warm.process.close()
        processes[name] = _Warm(Process(warm.process.setting))
        self._wait(processes, name, until)
        return found

    @contextmanager
    def _warm(self, size: Size, until: float) -> Iterator[dict[str, _Warm]]:
        """A process of each variant, all started at once; those that cannot start are notes."""
        names = [name for name in HOWS if name != LOADER or size.known]
        processes = {name: _Warm(Process(self._setting(size, name))) for name in names}
        try:
            for name in names:
                self._wait(processes, name, until)
            yield processes
        finally:
            for warm in processes.values():
                warm.process.close()

    def _wait(self, processes: dict[str, _Warm], name: str, until: float) -> None:
        failure = processes[name].process.ready(until - time.monotonic())
        if failure is not None:
            processes.pop(name).process.close()
            self._note(f"{name}: {failure.reason}")

    def _setting(self, size: Size, name: str) -> Setting:
        return Setting(
            variant=self.results.graph if name == GRAPH else name,
            workload=size.workload,
            device=self.results.device,
            cores=available_cores(),
            threads=1,
            loaders=LOADERS if name == LOADER else 0,
        )

    def _note(self, text: str) -> None:
        self.results.notes.append(text)
        self.keep()
