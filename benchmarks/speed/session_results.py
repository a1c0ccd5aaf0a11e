"""What a session on a GPU trains, how much of it, and what it finds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.speed.checks import Check
from benchmarks.speed.machine import Rates, plain_rates
from benchmarks.speed.networks import Named, known, sample
from benchmarks.speed.outcome import Failure, Outcome
from benchmarks.speed.processes import Throughput
from benchmarks.speed.variants import EAGER, GRAPH, LOADER
from benchmarks.speed.workload import Workload

KNOWN = ("IGCV3-D", "MobileNetV2", "IGC-L", "ResNet-20")  # how their names begin
HOWS = (LOADER, EAGER, GRAPH)
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
