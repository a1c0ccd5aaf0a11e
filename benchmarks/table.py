"""A table of trained networks: 1,232 small networks of this program on handwritten digits, each with three seeds.

With it, samplers and pruners are compared on interleaved group convolutions in seconds. `benchmarks/data/digits.csv.gz`
has one row a network; `python -m benchmarks.make_table` makes it. A row's `id` is that of the architecture that SPACE
gives for its choices and target, and reading the table checks it: a table of other networks is refused.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from igcnas.network.architecture import Architecture
from igcnas.network.budget import macs_budget
from igcnas.network.cost import count
from igcnas.search.space import (
    BasicFamily,
    GroupableFamily,
    InterleavedFamily,
    InvertedFamily,
    ProductFamily,
    SearchSpace,
)

PATH = Path(__file__).parent / "data" / "digits.csv.gz"
SEEDS = 3
TARGETS = (25_000, 50_000, 100_000, 200_000)
INPUT_SHAPE, CLASSES = (1, 8, 8), 10
SPACE = SearchSpace(
    name="digits-table",
    families=(
        BasicFamily(),
        InterleavedFamily(M=(1, 2, 4, 8), residual=(True,)),
        ProductFamily(K=(2, 4), kernels=(2,), residual=(True,)),
        InvertedFamily(name="mobilenetv2", expansion=(2, 4), expand_activation=True),
        InvertedFamily(name="igcv3", expansion=(2, 4), G1=(2, 4), G2=(2, 4), expand_activation=False),
        GroupableFamily(groups=(2, 4, 8), ratio=(1,), learned=(False,)),
    ),
    stages=2,
    depths=(1, 2),
    growths=(1.0, 2.0),
    final_sizes=(4,),
    head_ratios=(0, 4),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A network of the space: what was chosen, the MACs that its width was solved for, and the network."""

    parameters: Mapping[str, Any]
    target: int
    architecture: Architecture


@lru_cache(maxsize=1)
def choices() -> dict[str, Choice]:
    """Every network of the space at every target, by id; of choices that mean the same network the first."""
    found: dict[str, Choice] = {}
    for target in TARGETS:
        for parameters in structures():
            fit = SPACE.decode(parameters, INPUT_SHAPE, CLASSES).fit(macs_budget(target))
            if fit is not None:
                choice = Choice(parameters=parameters, target=target, architecture=fit.architecture)
                found.setdefault(fit.architecture.id, choice)
    return found


def structures() -> Iterator[dict[str, Any]]:
    """Every combination of choices."""
    for family in SPACE.families:
        axes = SPACE.axes(family)
        for values in itertools.product(*axes.values()):
            yield {"block": family.name} | dict(zip(axes, values, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What is known of a network. curves[seed][epoch] and tests[seed] are images classified rightly."""

    id: str
    macs: int
    params: int
    curves: tuple[tuple[int, ...], ...]
    tests: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The rows by id, and how many images they were judged on."""

    rows: Mapping[str, Row]
    validation_images: int
    test_images: int

    def accuracy(self, network: str, seed: int) -> float:
        """Validation accuracy in percent after the last epoch, of one training."""
        return 100.0 * self.rows[network].curves[seed][-1] / self.validation_images

    def curve(self, network: str, seed: int) -> list[float]:
        """Validation accuracy in percent after each epoch, of one training."""
        return [100.0 * right / self.validation_images for right in self.rows[network].curves[seed]]

    def mean(self, network: str) -> float:
        """Mean validation accuracy over all seeds: what a sampler should find."""
        return sum(self.accuracy(network, seed) for seed in range(SEEDS)) / SEEDS


def read(path: Path = PATH) -> Table:
    """The table that is shipped; ValueError where it is of other networks than SPACE has."""
    with_sizes = pd.read_csv(path, dtype={"id": str})
    rows = {}
    for line in with_sizes.to_dict("records"):
        curves = tuple(tuple(map(int, line[f"curve_{seed}"].split())) for seed in range(SEEDS))
        rows[line["id"]] = Row(
            id=line["id"],
            macs=line["macs"],
            params=line["params"],
            curves=curves,
            tests=tuple(line[f"test_{seed}"] for seed in range(SEEDS)),
        )
    expected = choices()
    if rows.keys() != expected.keys():
        raise ValueError(f"{path} has other networks than the space of benchmarks/table.py; make it anew")
    sizes = {(line["validation_images"], line["test_images"]) for line in with_sizes.to_dict("records")}
    ((validation, test),) = sizes
    return Table(rows=rows, validation_images=validation, test_images=test)


def write(rows: Mapping[str, Row], path: Path, *, validation_images: int, test_images: int) -> None:
    """One line a network: id, what was chosen, costs, and for each seed the curve and the test result."""
    lines = []
    for name, choice in choices().items():
        row = rows[name]
        line: dict[str, Any] = {"id": name, "target_macs": choice.target, "macs": row.macs, "params": row.params}
        line |= {"label": choice.architecture.label(), "validation_images": validation_images}
        line |= {"test_images": test_images}
        for seed in range(SEEDS):
            line |= {f"curve_{seed}": " ".join(map(str, row.curves[seed])), f"test_{seed}": row.tests[seed]}
        lines.append(line)
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(lines).to_csv(path, index=False, compression={"method": "gzip", "mtime": 0})


def costs(architecture: Architecture) -> tuple[int, int]:
    """MACs and parameters."""
    cost = count(architecture)
    return cost.macs, cost.params
