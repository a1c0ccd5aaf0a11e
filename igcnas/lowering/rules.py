"""Which function lowers which learned layer: (layer, its trained module, names its new neighbours must avoid)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from torch import nn

from igcnas.grouping import Condensing, DynamicChannels, KroneckerGrouping, LearnedGrouping, MultiSpectral
from igcnas.lowering.condensing import lower_condensing, lower_linear
from igcnas.lowering.dgconv import lower_dgconv
from igcnas.lowering.flgc import lower_flgc
from igcnas.lowering.gated import lower_dgc, lower_msgc
from igcnas.lowering.replacement import Replacement
from igcnas.primitives import Convolution, Layer, Linear

Rule: TypeAlias = Callable[[Any, nn.Module, set[str]], Replacement]

RULES: dict[type, Callable[[Convolution, nn.Module, set[str]], Replacement]] = {
    LearnedGrouping: lower_flgc,
    KroneckerGrouping: lower_dgconv,
    Condensing: lower_condensing,
    MultiSpectral: lower_msgc,
    DynamicChannels: lower_dgc,
}


def rule_for(layer: Layer) -> Rule | None:
    """The function for this layer; None for a layer that learns no connections."""
    if isinstance(layer, Convolution) and layer.learned is not None:
        return RULES[type(layer.learned)]
    if isinstance(layer, Linear) and layer.factor > 1:
        return lower_linear
    return None
