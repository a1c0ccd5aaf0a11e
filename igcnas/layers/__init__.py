"""Torch modules that torch does not have: one file each. LEARNED says which module trains which learned grouping."""

from collections.abc import Callable

from igcnas.grouping import Condensing, KroneckerGrouping, LearnedGrouping
from igcnas.layers.condensing import CondensingLinear, LearnedGroupConv
from igcnas.layers.dgconv import GroupableConv
from igcnas.layers.flgc import FullyLearnableGroupConv
from igcnas.layers.learned import LearnedModule
from igcnas.layers.simple import (
    Add,
    AppendChannels,
    GatedSequential,
    GatherChannels,
    GlobalAveragePool,
    NormalizeInput,
    PadChannels,
    SplitConv,
)
from igcnas.primitives import Convolution

LEARNED: dict[type, Callable[[Convolution], LearnedModule]] = {
    LearnedGrouping: FullyLearnableGroupConv,
    KroneckerGrouping: GroupableConv,
    Condensing: LearnedGroupConv,
}

__all__ = [
    "LEARNED",
    "Add",
    "AppendChannels",
    "CondensingLinear",
    "FullyLearnableGroupConv",
    "GatedSequential",
    "GatherChannels",
    "GlobalAveragePool",
    "GroupableConv",
    "LearnedGroupConv",
    "LearnedModule",
    "NormalizeInput",
    "PadChannels",
    "SplitConv",
]
