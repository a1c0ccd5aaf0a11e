"""Torch modules that torch does not have: one file each. LEARNED says which module trains which learned grouping."""

from torch import nn

from igcnas.grouping import LearnedGrouping
from igcnas.layers.flgc import FullyLearnableGroupConv
from igcnas.layers.simple import Add, GatherChannels, GlobalAveragePool, NormalizeInput, SplitConv

LEARNED: dict[type, type[nn.Module]] = {LearnedGrouping: FullyLearnableGroupConv}

__all__ = [
    "LEARNED",
    "Add",
    "FullyLearnableGroupConv",
    "GatherChannels",
    "GlobalAveragePool",
    "NormalizeInput",
    "SplitConv",
]
