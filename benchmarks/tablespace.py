"""Our own table as something to search: by our proposer, which solves the width, and by plain Optuna, which chooses it.

The MACs of a network of the table were solved for one of four levels. For our proposer a target means the level of its
quarter of the range, on a log scale; for plain Optuna the level is one more choice. Networks that do not fit a level
have the empty key, which is within no budget.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import optuna

from benchmarks import table
from benchmarks.nb201 import draw
from benchmarks.ours import Known
from igcnas.network.budget import macs_budget
from igcnas.search.proposals import Candidate

NONE = ""
LEVEL = "level"
BUDGET = table.TARGETS[-1]
LOWEST = table.TARGETS[0]
_TOO_MANY = 10**9
# As the papers build them, where the table has choices; in the same places as in igcnas/network/baselines.py: all at
# the budget, two at the lowest target, the other two in the middle.
_COMMON = {"depth1": 2, "depth2": 2, "growth": 2.0, "final_size": 4}
_LITERATURE: dict[str, dict[str, Any]] = {
    "resnet": {"head_ratio": 0, "resnet.residual": True},
    "igcv1": {"head_ratio": 0, "igcv1.M": 2, "igcv1.grows": "L", "igcv1.residual": True, "igcv1.learned": False},
    "mobilenetv2": {
        "head_ratio": 4,
        "mobilenetv2.expansion": 4,
        "mobilenetv2.G1": 1,
        "mobilenetv2.G2": 1,
        "mobilenetv2.learned": False,
    },
    "igcv3": {"head_ratio": 4, "igcv3.expansion": 4, "igcv3.G1": 2, "igcv3.G2": 2, "igcv3.learned": False},
}
_KNOWN = [(name, 3) for name in _LITERATURE] + [("igcv3", 1), ("igcv1", 1), ("resnet", 0), ("mobilenetv2", 0)]


@dataclass(frozen=True, slots=True, eq=False)
class TableSpace:
    """The table with its networks by what was chosen."""

    table: table.Table
    ids: Mapping[tuple[Any, ...], str]
    parameters: Mapping[str, Mapping[str, Any]]
    macs: dict[str, int] = field(default_factory=dict)

    def at(self, parameters: Mapping[str, Any], level: int) -> str:
        """The network of these choices at a level, counted from 0; NONE where it does not fit."""
        return self.ids.get(_key(parameters, level), NONE)

    def suggest(self, trial: optuna.trial.BaseTrial) -> dict[str, Any]:
        """The choices of the space, and the level: a whole number, because levels are in order."""
        chosen = table.SPACE.suggest(trial)
        return chosen | {LEVEL: trial.suggest_int(LEVEL, 0, len(table.TARGETS) - 1)}

    def cell(self, parameters: Mapping[str, Any]) -> str:
        """The network that these choices mean, of which one is the level."""
        chosen = dict(parameters)
        return self.at(chosen, chosen.pop(LEVEL))

    def random(self, draws: random.Random) -> str:
        """Choices at random, each as likely as in a study with a random sampler."""
        family = draws.choice(table.SPACE.families)
        chosen = {axis: draws.choice(options) for axis, options in table.SPACE.axes(family).items()}
        return self.at({"block": family.name} | chosen, draws.randrange(len(table.TARGETS)))

    def neighbours(self, cell: str) -> list[str]:
        """Networks of one other choice in the same family, or of the next level up or down; those that fit."""
        chosen = dict(self.parameters[cell])
        level = chosen.pop(LEVEL)
        family = next(family for family in table.SPACE.families if family.name == chosen["block"])
        found = [
            self.at(chosen | {axis: option}, level)
            for axis, options in table.SPACE.axes(family).items()
            for option in options
            if option != chosen[axis]
        ]
        found += [self.at(chosen, near) for near in (level - 1, level + 1) if 0 <= near < len(table.TARGETS)]
        return [other for other in dict.fromkeys(found) if other not in (NONE, cell)]

    def observed(self, run: int, network: str, count: int) -> float:
        """Accuracy of one training; the seed is drawn by (run, network, how often it was trained)."""
        return self.table.accuracy(network, draw(run, network, count) % table.SEEDS)

    def curve(self, run: int, network: str) -> list[float]:
        """Accuracy after each epoch of the first training in a run."""
        return self.table.curve(network, draw(run, network, 0) % table.SEEDS)

    def known(self, *, spread: bool) -> list[Known]:
        """The networks of the literature in the table: at the budget, and where a front is drawn at other levels."""
        found = []
        for name, level in _KNOWN if spread else _KNOWN[: len(_LITERATURE)]:
            key = self.at({"block": name} | _COMMON | _LITERATURE[name], level)
            if key != NONE:
                found.append(Known(key=key, target=table.TARGETS[level]))
        return found


@dataclass(frozen=True, slots=True)
class TableDomain:
    """The table for our proposer. spread: any level; else that of the budget."""

    space: TableSpace

    def suggest(self, trial: optuna.trial.BaseTrial) -> dict[str, Any]:
        """The choices of the space."""
        return table.SPACE.suggest(trial)

    def solve(self, parameters: Mapping[str, Any], target: int) -> Candidate[str] | None:
        """The network of these choices at the level of this target."""
        key = self.space.at(parameters, level_of(target))
        return None if key == NONE else Candidate(key=key, macs=self.space.macs[key], network=key)


def level_of(target: int) -> int:
    """The quarter of the range, from the lowest target to the budget on a log scale, that a target lies in.

    >>> [level_of(macs) for macs in (25_000, 42_000, 43_000, 71_000, 118_000, 119_000, 200_000)]
    [0, 0, 1, 2, 2, 3, 3]
    """
    share = math.log(target / LOWEST) / math.log(BUDGET / LOWEST)
    return min(len(table.TARGETS) - 1, max(0, int(share * len(table.TARGETS))))


@lru_cache(maxsize=1)
def read(path: Path = table.PATH) -> TableSpace:
    """The table that is shipped, or one of the same shape."""
    whole = table.read(path)
    ids: dict[tuple[Any, ...], str] = {}
    parameters: dict[str, dict[str, Any]] = {}
    for level, target in enumerate(table.TARGETS):
        for chosen in table.structures():
            fit = table.SPACE.decode(chosen, table.INPUT_SHAPE, table.CLASSES).fit(macs_budget(target))
            if fit is not None:
                ids[_key(chosen, level)] = fit.architecture.id
                parameters.setdefault(fit.architecture.id, chosen | {LEVEL: level})
    macs = {name: row.macs for name, row in whole.rows.items()} | {NONE: _TOO_MANY}
    return TableSpace(whole, ids, parameters, macs)


def _key(parameters: Mapping[str, Any], level: int) -> tuple[Any, ...]:
    return (level, *sorted(parameters.items()))
