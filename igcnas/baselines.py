"""The known networks, scaled in width to a budget and trained first: no search ends below the literature."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from igcnas import literature
from igcnas.architecture import Architecture
from igcnas.width import Fit, widest

# n is the width of ResNet-20's stem, L of IGC-L(n)M2, and 1/256 of the width of the inverted residual networks.
# At n = 16, 24, 256 and 256 these are the published networks (IGCV3-D with a head of 1280).
_BUILDERS: dict[str, Callable[..., Architecture]] = {
    "ResNet-20": lambda n, **image: literature.resnet(width=n, **image),
    "IGC-LxM2 D20": lambda n, **image: literature.igc(L=n, M=2, **image),
    "MobileNetV2": lambda n, **image: literature.mobilenetv2(width=n / 256, **image),
    "IGCV3-D": lambda n, **image: literature.igcv3(width=n / 256, scale_head=True, **image),
}
_LIMIT = 1 << 16


def baselines(input_shape: tuple[int, int, int], num_classes: int, budget_macs: int) -> dict[str, Fit]:
    """Each known network at the largest width that fits the budget; those that fit at no width are left out."""
    fits = {}
    for name, builder in _BUILDERS.items():
        fit = widest(_at_shape(builder, input_shape, num_classes), budget_macs, limit=_LIMIT)
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
