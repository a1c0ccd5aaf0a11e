"""The baselines, scaled in width to a budget and trained first: no search ends below the literature.

Where a search covers a range of MACs, they also lay the curve that its networks are judged by, and so stand at several
places of that range.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

from igcnas.network import literature
from igcnas.network.architecture import Architecture
from igcnas.network.budget import Budget
from igcnas.network.width import Fit, widest

# n is the width of ResNet-20's stem, L of IGC-L(n)M2, and 1/256 of the width of the inverted residual networks.
# At n = 16, 24, 256 and 256 these are the published networks (IGCV3-D with a head of 1280).
_BUILDERS: dict[str, Callable[..., Architecture]] = {
    "ResNet-20": lambda n, **image: literature.resnet(width=n, **image),
    "IGC-LxM2 D20": lambda n, **image: literature.igc(L=n, M=2, **image),
    "MobileNetV2": lambda n, **image: literature.mobilenetv2(width=n / 256, **image),
    "IGCV3-D": lambda n, **image: literature.igcv3(width=n / 256, scale_head=True, **image),
}
_LIMIT = 1 << 16
# At a low target those first that are cheap at their narrowest; the others then stand in the middle.
_LOW = ("ResNet-20", "MobileNetV2", "IGC-LxM2 D20", "IGCV3-D")
_AT_A_LOWER_TARGET = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A baseline, solved to a target."""

    name: str
    target: int
    fit: Fit


def known_networks(
    input_shape: tuple[int, int, int], num_classes: int, budget: Budget, *, lowest_target: int | None = None
) -> tuple[Baseline, ...]:
    """The baselines that a search trains first: those that fit at the budget; eight at most.

    With a lowest target also two of them there, and two, if they fit others, at the geometric middle of both.
    """
    at_budget = baselines(input_shape, num_classes, budget)
    found = [Baseline(name=name, target=budget.most, fit=fit) for name, fit in at_budget.items()]
    if lowest_target is None or lowest_target >= budget.most:
        return tuple(found)
    low = _some(input_shape, num_classes, budget.below(lowest_target), _LOW)
    names = [known.name for known in low]
    order = (*(name for name in reversed(_LOW) if name not in names), *names)
    middle = _some(input_shape, num_classes, budget.below(math.isqrt(lowest_target * budget.most)), order)
    different: dict[str, Baseline] = {}
    for known in (*found, *middle, *low):
        different.setdefault(known.fit.architecture.id, known)
    return tuple(different.values())


def _some(
    input_shape: tuple[int, int, int], num_classes: int, budget: Budget, order: tuple[str, ...]
) -> list[Baseline]:
    """The first two of this order that keep the budget."""
    fits = baselines(input_shape, num_classes, budget)
    names = [name for name in order if name in fits][:_AT_A_LOWER_TARGET]
    return [Baseline(name=name, target=budget.most, fit=fits[name]) for name in names]


def baselines(input_shape: tuple[int, int, int], num_classes: int, budget: Budget) -> dict[str, Fit]:
    """Each baseline at the largest width that fits the budget; those that fit at no width are left out."""
    fits = {}
    for name, builder in _BUILDERS.items():
        fit = widest(_at_shape(builder, input_shape, num_classes), budget, most=_LIMIT)
        if fit is not None:
            fits[name] = fit
    return fits


def _at_shape(
    builder: Callable[..., Architecture], input_shape: tuple[int, int, int], num_classes: int
) -> Callable[[int], Architecture]:
    channels, height, width = input_shape

    def build(n: int) -> Architecture:
        square = builder(n, size=min(height, width), channels=channels, classes=num_classes)
        return dataclasses.replace(square, input_shape=input_shape)

    return build
