"""Every kind of grouping by its name: those of igcnas, and those that installed packages add (igcnas.groupings)."""

from __future__ import annotations

from igcnas.network.grouping.base import Grouping
from igcnas.network.grouping.condensing import Condensing
from igcnas.network.grouping.dgc import DynamicChannels
from igcnas.network.grouping.dgconv import KroneckerGrouping
from igcnas.network.grouping.fixed import Dense, Group
from igcnas.network.grouping.flgc import LearnedGrouping
from igcnas.network.grouping.interleaved import Interleaved
from igcnas.network.grouping.msgc import MultiSpectral
from igcnas.network.grouping.product import SparseProduct
from igcnas.network.kinds import Kinds
from igcnas.system import additions

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
KINDS: Kinds[Grouping] = Kinds(additions.GROUPINGS, Grouping, GROUPINGS)
