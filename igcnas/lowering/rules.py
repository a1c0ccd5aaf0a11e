"""Which function lowers which learned grouping: (layer, its trained module, names its new neighbours must avoid)."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from igcnas.grouping import DynamicChannels, LearnedGrouping, MultiSpectral
from igcnas.lowering.flgc import lower_flgc
from igcnas.lowering.gated import lower_dgc, lower_msgc
from igcnas.lowering.replacement import Replacement
from igcnas.primitives import Convolution

RULES: dict[type, Callable[[Convolution, nn.Module, set[str]], Replacement]] = {
    LearnedGrouping: lower_flgc,
    MultiSpectral: lower_msgc,
    DynamicChannels: lower_dgc,
}
