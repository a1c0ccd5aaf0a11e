"""Torch modules that torch does not have: one file each. LEARNED says which module trains which learned grouping."""

from collections.abc import Callable

from igcnas.modules.layers.condensing import CondensingLinear, LearnedGroupConv
from igcnas.modules.layers.dgc import DynamicConv
from igcnas.modules.layers.dgconv import GroupableConv
from igcnas.modules.layers.flgc import FullyLearnableGroupConv
from igcnas.modules.layers.gated import GATED, GatedConv, SalientConv, gated_arguments
from igcnas.modules.layers.layout import ChannelGather, ContextSequential, PaddedShortcut, PixelAverage
from igcnas.modules.layers.learned import LearnedModule
from igcnas.modules.layers.msgc import MultiSpectralConv
from igcnas.modules.layers.simple import (
    Add,
    AppendChannels,
    GatedSequential,
    GatherChannels,
    GlobalAveragePool,
    NormalizeInput,
    PadChannels,
    SplitConv,
)
from igcnas.network.grouping import Condensing, DynamicChannels, KroneckerGrouping, LearnedGrouping, MultiSpectral
from igcnas.network.primitives import Convolution

LEARNED: dict[type, Callable[[Convolution], LearnedModule]] = {
    LearnedGrouping: FullyLearnableGroupConv,
    MultiSpectral: MultiSpectralConv,
    DynamicChannels: DynamicConv,
    KroneckerGrouping: GroupableConv,
    Condensing: LearnedGroupConv,
}

__all__ = [
    "GATED",
    "LEARNED",
    "Add",
    "AppendChannels",
    "ChannelGather",
    "CondensingLinear",
    "ContextSequential",
    "DynamicConv",
    "FullyLearnableGroupConv",
    "GatedConv",
    "GatedSequential",
    "GatherChannels",
    "GlobalAveragePool",
    "GroupableConv",
    "LearnedGroupConv",
    "LearnedModule",
    "MultiSpectralConv",
    "NormalizeInput",
    "PadChannels",
    "PaddedShortcut",
    "PixelAverage",
    "SalientConv",
    "SplitConv",
    "gated_arguments",
]
