"""Torch modules that torch does not have: one file each. LEARNED says which module trains which learned grouping."""

from collections.abc import Callable

from igcnas.grouping import LearnedGrouping
from igcnas.layers.condensing import CondensingLinear
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

LEARNED: dict[type, Callable[[Convolution], LearnedModule]] = {LearnedGrouping: FullyLearnableGroupConv}

__all__ = [
    "LEARNED",
    "Add",
    "AppendChannels",
    "CondensingLinear",
    "FullyLearnableGroupConv",
    "GatedSequential",
    "GatherChannels",
    "GlobalAveragePool",
    "LearnedModule",
    "NormalizeInput",
    "PadChannels",
    "SplitConv",
]
