"""Networks drawn at random from search spaces, at budgets that are spread: what times are measured of."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from igcnas.network.architecture import Architecture
from igcnas.network.budget import macs_budget
from igcnas.search.space import SearchSpace, load_space

# A table is fitted to the families of these, each once, for images of these shapes and budgets of MACs.
SPACES = ("all", "learned", "dgconv", "condensing")
SHAPES = {(3, 32, 32): (3e5, 2e7), (1, 28, 28): (2e5, 1e7), (1, 8, 8): (3e4, 1e6)}
_CLASSES = 10
_TRIES = 1000


@dataclass(frozen=True, slots=True)
class Drawn:
    """One network, and the block family of its space that it is of."""

    family: str
    architecture: Architecture


def table_families() -> list[SearchSpace]:
    """Spaces of one family each."""
    return [replace(space, families=(one,)) for space in map(load_space, SPACES) for one in space.families]


def table_networks(shapes: Sequence[tuple[int, int, int]] = tuple(SHAPES)) -> Iterator[Drawn]:
    """Without end, the same on every machine: a network of each family, of one shape after the other."""
    draws = random.Random("times")
    families = table_families()
    while True:
        for shape in shapes:
            for space in families:
                yield _network(space, shape, _CLASSES, SHAPES[shape], draws)


def space_networks(space: SearchSpace, shape: tuple[int, int, int], most: float, number: int) -> list[Drawn]:
    """Of a space, at most `number` different ones; a family after the other, from a fiftieth of the MACs to all.

    The families have equal shares, and each its networks at budgets that are even on a log scale.
    """
    draws = random.Random(f"{space.name}/{number}")
    families = [replace(space, families=(one,)) for one in space.families]
    found: dict[str, Drawn] = {}
    for turn in range(2 * number):
        if len(found) == number:
            break
        one = _network(families[turn % len(families)], shape, _CLASSES, (most / 50, most), draws)
        found.setdefault(one.architecture.id, one)
    return list(found.values())


def _network(
    space: SearchSpace, shape: tuple[int, int, int], classes: int, macs: tuple[float, float], draws: random.Random
) -> Drawn:
    low, high = map(math.log, macs)
    for _ in range(_TRIES):
        axes = space.axes(space.families[0])
        parameters = {axis: draws.choice(options) for axis, options in axes.items()}
        parameters["block"] = space.families[0].name
        fit = space.decode(parameters, shape, classes).fit(macs_budget(int(math.exp(draws.uniform(low, high)))))
        if fit is not None:
            return Drawn(f"{space.families[0].name}", fit.architecture)
    raise AssertionError(f"no network of {space.name} keeps {macs} for images of {shape}")
