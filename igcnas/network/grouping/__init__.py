"""Who may talk to whom: every kind of grouping a convolution can have, one module a kind.

A grouping is frozen data with one reading: `layers(...)`, the primitive layers that a kernel x kernel convolution with
this grouping consists of. To add a kind: a module here, its class in GROUPINGS (kinds.py), and, when training decides
its groups, a torch module in igcnas/modules/layers. base.py says what it is asked.
"""

from igcnas.network.grouping.base import ChosenByImage, DecidedOnce, Grouping
from igcnas.network.grouping.condensing import Condensing
from igcnas.network.grouping.dgc import DynamicChannels
from igcnas.network.grouping.dgconv import KroneckerGrouping
from igcnas.network.grouping.fixed import DENSE, Dense, Group
from igcnas.network.grouping.flgc import LearnedGrouping
from igcnas.network.grouping.interleaved import Interleaved
from igcnas.network.grouping.kinds import GROUPINGS, KINDS
from igcnas.network.grouping.msgc import MultiSpectral
from igcnas.network.grouping.product import SparseProduct

__all__ = [
    "DENSE",
    "GROUPINGS",
    "KINDS",
    "ChosenByImage",
    "Condensing",
    "DecidedOnce",
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
