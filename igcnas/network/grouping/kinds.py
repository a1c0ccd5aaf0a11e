"""Every kind of grouping by its name: those of igcnas, and those that installed packages add.

A kind of another package is an entry point of the group igcnas.groupings, under the name of its `kind`
(docs/extending.md). It is imported when a network that has it is read.
"""

from __future__ import annotations

from igcnas.errors import AdditionError
from igcnas.network.grouping.base import Grouping
from igcnas.network.grouping.condensing import Condensing
from igcnas.network.grouping.dgc import DynamicChannels
from igcnas.network.grouping.dgconv import KroneckerGrouping
from igcnas.network.grouping.fixed import Dense, Group
from igcnas.network.grouping.flgc import LearnedGrouping
from igcnas.network.grouping.interleaved import Interleaved
from igcnas.network.grouping.msgc import MultiSpectral
from igcnas.network.grouping.product import SparseProduct
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
_KINDS: dict[str, type[Grouping]] = {cls.kind: cls for cls in GROUPINGS}


def known_kinds() -> list[str]:
    """The names of all kinds."""
    return [*_KINDS, *(name for name in additions.names(additions.GROUPINGS) if name not in _KINDS)]


def grouping_of_kind(kind: str) -> type[Grouping] | None:
    """The class of this kind; None where neither igcnas nor an installed package has it."""
    found = _KINDS.get(kind)
    if found is None:
        added = additions.addition(additions.GROUPINGS, kind)
        if added is None:
            return None
        loaded = added.load(type)
        if not issubclass(loaded, Grouping) or getattr(loaded, "kind", None) != kind:
            raise AdditionError(
                f"the {added} must be a class that derives from igcnas.network.grouping.Grouping, with kind = "
                f"{kind!r}; update that package, or remove it: pip uninstall {added.package}"
            )
        found = _KINDS[kind] = loaded
    return found


def is_known(value: object) -> bool:
    """Whether this is a grouping whose kind leads back to its class, so that a stored network can be read again."""
    return isinstance(value, Grouping) and grouping_of_kind(value.kind) is type(value)
