"""Who may talk to whom: every kind of grouping a convolution can have, one module a kind.

A grouping is frozen data with one reading: `layers(...)`, the primitive layers that a kernel x kernel convolution with
this grouping consists of. To add a kind: a module here, its class in GROUPINGS, and, when it learns its groups, a torch
module in igcnas/modules/layers.
"""

from igcnas.network.grouping.base import Grouping
from igcnas.network.grouping.condensing import Condensing
from igcnas.network.grouping.dgc import DynamicChannels
from igcnas.network.grouping.dgconv import KroneckerGrouping
from igcnas.network.grouping.fixed import DENSE, Dense, Group
from igcnas.network.grouping.flgc import LearnedGrouping
from igcnas.network.grouping.interleaved import Interleaved
from igcnas.network.grouping.msgc import MultiSpectral
from igcnas.network.grouping.product import SparseProduct

GROUPINGS: tuple[type[Grouping], ...] = (
    Dense,
    Group,
    Interleaved,
    SparseProduct,
    LearnedGrouping,
    KroneckerGrouping,
    Condensing,
    MultiSpectral,
    DynamicChannels,
)

__all__ = [
    "DENSE",
    "GROUPINGS",
    "Condensing",
    "Dense",
    "DynamicChannels",
    "Group",
    "Grouping",
    "Interleaved",
    "KroneckerGrouping",
    "LearnedGrouping",
    "MultiSpectral",
    "SparseProduct",
]
