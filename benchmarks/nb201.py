"""NAS-Bench-201 on CIFAR-10: 15,625 cells of 6 edges with 5 operations, each trained by its authors with up to 3 seeds.

Dong and Yang, ICLR 2020. The table is given by its path and is no part of this project: a CSV file with the columns
`cell` (six digits, one an edge), `macs`, and `cifar10_valid_acc_0` to `_2` in percent after 200 epochs.
"""

from __future__ import annotations

import hashlib
import math
import random
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import optuna
import pandas as pd

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = 6
VALIDATION_IMAGES = 25_000
# What a run is worth that has seen no network within the budget: a guess among ten classes.
CHANCE = 10.0


@dataclass(frozen=True, slots=True, eq=False)  # equal only to itself: it is a key of caches
class Cells:
    """The table: MACs and trained accuracies by cell. Cells are words of six digits."""

    macs: dict[str, int]
    accuracies: dict[str, tuple[float, ...]]

    def mean(self, cell: str) -> float:
        """The truth: mean accuracy over the seeds."""
        values = self.accuracies[cell]
        return sum(values) / len(values)

    def best(self, budget: float) -> float:
        """Best mean of a cell within the budget."""
        return max(self.mean(cell) for cell, macs in self.macs.items() if macs <= budget)

    def observed(self, run: int, cell: str, count: int) -> float:
        """Accuracy of one training: the seed is drawn by (run, cell, how often the run has trained the cell before)."""
        values = self.accuracies[cell]
        return values[draw(run, cell, count) % len(values)]

    def suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        """One operation for each edge."""
        return {f"edge{edge}": trial.suggest_categorical(f"edge{edge}", OPERATIONS) for edge in range(EDGES)}

    def cell(self, parameters: dict[str, Any]) -> str:
        """The cell that these operations mean."""
        return "".join(str(OPERATIONS.index(parameters[f"edge{edge}"])) for edge in range(EDGES))

    def random(self, draws: random.Random) -> str:
        """Any cell."""
        return "".join(str(draws.randrange(len(OPERATIONS))) for _ in range(EDGES))

    def neighbours(self, cell: str) -> list[str]:
        """The cells that differ in one edge."""
        others = (str(operation) for operation in range(len(OPERATIONS)))
        return [
            cell[:edge] + operation + cell[edge + 1 :]
            for operation in others
            for edge in range(EDGES)
            if operation != cell[edge]
        ]


def draw(run: int, network: str, count: int) -> int:
    """A number drawn by (run, network, how often the run has trained the network before)."""
    return int.from_bytes(hashlib.sha256(f"{run}/{network}/{count}".encode()).digest()[:4], "big")


@lru_cache(maxsize=1)
def read(path: Path) -> Cells:
    """The table in a file; a seed that is missing there is left out."""
    lines = pd.read_csv(path, dtype={"cell": str}).to_dict("records")
    columns = [column for column in lines[0] if str(column).startswith("cifar10_valid_acc_")]
    return Cells(
        macs={line["cell"]: int(line["macs"]) for line in lines},
        accuracies={
            line["cell"]: tuple(line[column] for column in columns if not math.isnan(line[column])) for line in lines
        },
    )
