"""What `benchmarks.trial` measured."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.speed.machine import Rates, plain_rates
from benchmarks.speed.networks import Named
from benchmarks.speed.outcome import Failure, Outcome
from benchmarks.speed.processes import Throughput
from benchmarks.speed.variants import Variant
from benchmarks.speed.workload import Workload


@dataclass(slots=True)
class Results:
    """Everything that was measured, as it grows."""

    workload: Workload
    device: str
    cores: tuple[int, ...]
    machine: dict[str, Any]
    rates: Rates
    networks: list[Named]
    variants: list[Variant]
    trials: dict[str, dict[str, Outcome | Failure]] = field(default_factory=dict)
    fleets: list[tuple[str, str, Throughput]] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "workload": asdict(self.workload),
            "device": self.device,
            "cores": self.cores,
            "machine": self.machine,
            "rates": plain_rates(self.rates),
            "networks": {network.name: network.macs for network in self.networks},
            "trials": {
                variant: {network: asdict(outcome) for network, outcome in row.items()}
                for variant, row in self.trials.items()
            },
            "throughput": [{"variant": variant, "mode": mode, **asdict(fleet)} for variant, mode, fleet in self.fleets],
            "absent": self.absent,
        }
