"""Who may talk to whom: every kind of grouping a convolution can have, one module a kind.

A grouping is frozen data with one reading: `layers(...)`, the primitive layers that a kernel x kernel convolution with
this grouping consists of. To add a kind: a module here, its class in GROUPINGS, and, when it learns its groups, a torch
module in igcnas/layers.
"""

from igcnas.grouping.base import Grouping
from igcnas.grouping.fixed import Dense, Group
from igcnas.grouping.interleaved import Interleaved
from igcnas.grouping.learned import LearnedGrouping

GROUPINGS: tuple[type[Grouping], ...] = (Dense, Group, Interleaved, LearnedGrouping)

__all__ = ["GROUPINGS", "Dense", "Group", "Grouping", "Interleaved", "LearnedGrouping"]
