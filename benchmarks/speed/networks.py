"""Which networks are trained: those of the literature that speed is quoted for, and random ones of a space.

On CIFAR-sized images the named ones are the published networks; on smaller ones the widest of each that fits a budget.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from igcnas.errors import BudgetError
from igcnas.network import literature
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.baselines import baselines
from igcnas.network.blocks import BasicBlock, InvertedResidual
from igcnas.network.budget import macs_budget
from igcnas.network.canonical import canonical_id
from igcnas.network.cost import count
from igcnas.network.grouping import Dense, Group, Interleaved, SparseProduct
from igcnas.network.plan import plan
from igcnas.network.primitives import Convolution
from igcnas.network.width import widest
from igcnas.search.space import BasicFamily, InterleavedFamily, InvertedFamily, ProductFamily, SearchSpace, load_space

# The fixed groupings of the default space: peers written in plain PyTorch train no learned ones.
FIXED = SearchSpace(
    name="fixed",
    families=(
        BasicFamily(),
        InterleavedFamily(),
        ProductFamily(),
        InvertedFamily(name="mobilenetv2", expand_activation=True),
        InvertedFamily(name="igcv3", G1=(2, 4), G2=(2, 4), expand_activation=False),
    ),
)
_HALF = "1-2-3-4-3-3-1"  # repeats of the shallower IGCV3-D that a port calls 0.5x
_TRIES = 200
# Random networks have between this share of the budget and all of it: 40 to 100 MMACs for a budget of 100.
_LEAST = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A network, what a table calls it, and its MACs."""

    name: str
    architecture: Architecture
    macs: int


def published() -> dict[str, Callable[[], Architecture]]:
    """The networks of the literature at 32x32 with 10 classes."""
    return {
        "IGCV3-D 1.0": literature.igcv3,
        "MobileNetV2": literature.mobilenetv2,
        "IGCV3-D 0.5": lambda: literature.igcv3(width=0.5),
        "IGC-L24M2 D20": literature.igc,
        "IGCV2 C64": lambda: literature.igcv2(width=64),
        "ResNet-20": literature.resnet,
    }


def known(shape: tuple[int, int, int], classes: int, budget: int) -> list[Named]:
    """The published networks on 32x32 images in colour; on others their like, as wide as the budget allows."""
    if shape == (3, 32, 32) and classes == 10:
        return [_named(name, build()) for name, build in published().items()]
    channels, height, width = shape
    image = {"size": min(height, width), "channels": channels, "classes": classes}
    found = {name: fit.architecture for name, fit in baselines(shape, classes, macs_budget(budget)).items()}
    more: dict[str, Callable[[int], Architecture]] = {
        "IGCV3-D, half the blocks": lambda n: literature.igcv3(width=n / 256, repeats=_HALF, scale_head=True, **image),
        "IGCV2": lambda n: literature.igcv2(width=8 * n, **image),
    }
    for name, build in more.items():
        fit = widest(build, macs_budget(budget), most=1 << 12)
        if fit is not None:
            found[name] = fit.architecture
    return [_named(name, architecture) for name, architecture in found.items()]


def sample(
    shape: tuple[int, int, int], classes: int, budget: int, number: int, *, seed: int = 0, space: str | None = None
) -> list[Named]:
    """So many different random networks of a space (None: FIXED) between 0.4 of the budget and all of it."""
    chosen = FIXED if space is None else load_space(space)
    draws = random.Random(seed)
    found: dict[str, Named] = {}
    for _ in range(_TRIES * number):
        if len(found) == number:
            break
        target = round(budget * draws.uniform(_LEAST, 1.0))
        fit = chosen.decode(_parameters(chosen, draws), shape, classes).fit(macs_budget(target))
        if fit is None or fit.used < _LEAST * budget:
            continue
        name = f"random {len(found) + 1} {fit.architecture.family}"
        found.setdefault(canonical_id(fit.architecture), Named(name=name, architecture=fit.architecture, macs=fit.used))
    if len(found) < number:
        raise BudgetError(
            f"found no more than {len(found)} networks up to {budget:,} MACs; ask for fewer, or for more MACs"
        )
    return list(found.values())


def _parameters(space: SearchSpace, draws: random.Random) -> dict[str, Any]:
    """A value of each choice, evenly; without Optuna, which a machine with a GPU may not have."""
    family = draws.choice(space.families)
    return {"block": family.name} | {axis: draws.choice(options) for axis, options in space.axes(family).items()}


def tiny(shape: tuple[int, int, int], classes: int) -> Architecture:
    """A network that is in no list, to warm a process up on: a block of each kind, both strides."""
    blocks = (
        BasicBlock(grouping=Dense()),
        BasicBlock(grouping=Interleaved(L=4, M=2)),
        BasicBlock(grouping=SparseProduct(K=(1, 2, 4))),
        InvertedResidual(expansion=2, expand=Group(groups=2), project=Group(groups=2)),
        InvertedResidual(expansion=2, expand=Dense(), project=Dense()),
    )
    stages = tuple(Stage(block=block, width=8, repeats=2, stride=1 + number % 2) for number, block in enumerate(blocks))
    return Architecture(
        family="warm-up", input_shape=shape, num_classes=classes, stem_channels=8, stages=stages, activation="relu6"
    )


def learns_groups(architecture: Architecture) -> bool:
    """Whether training decides a grouping of this network."""
    return any(isinstance(layer, Convolution) and layer.learned is not None for _, layer in plan(architecture).layers())


def _named(name: str, architecture: Architecture) -> Named:
    return Named(name=name, architecture=architecture, macs=count(architecture).macs)
