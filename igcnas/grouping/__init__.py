"""Who may talk to whom: every kind of grouping a convolution can have, one module a kind.

A grouping is frozen data with one reading: `layers(...)`, the primitive layers that a kernel x kernel convolution with
this grouping consists of. To add a kind: a module here, its class in GROUPINGS, and, when it learns its groups, a torch
module in igcnas/layers.
"""

from igcnas.grouping.base import Grouping, Learned, Overhead
from igcnas.grouping.condensing import Condensing
from igcnas.grouping.dgc import DynamicChannels
from igcnas.grouping.dgconv import KroneckerGrouping
from igcnas.grouping.fixed import DENSE, Dense, Group
from igcnas.grouping.flgc import LearnedGrouping
from igcnas.grouping.interleaved import Interleaved
from igcnas.grouping.msgc import MultiSpectral
from igcnas.grouping.product import SparseProduct

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
    "Learned",
    "LearnedGrouping",
    "MultiSpectral",
    "Overhead",
    "SparseProduct",
]
