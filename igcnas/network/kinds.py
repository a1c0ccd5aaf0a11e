"""Classes of frozen data by their `kind`, the name that they have in stored networks: igcnas's, and those of packages.

A class of another package is an entry point under the name of its kind (docs/extending.md). It is imported when a
network that has it is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from igcnas.errors import AdditionError
from igcnas.system import additions

_T = TypeVar("_T")


class Kinds(Generic[_T]):
    """The classes of one base. group: of the entry points; own: those of igcnas."""

    def __init__(self, group: str, base: type, own: Iterable[type[_T]]) -> None:
        self.group, self.base = group, base
        self._known: dict[str, type[_T]] = {_kind(cls): cls for cls in own}
        self.own = tuple(self._known)

    def get(self, kind: str) -> type[_T] | None:
        """The class of this kind; None where neither igcnas nor an installed package has it."""
        found = self._known.get(kind)
        if found is None:
            added = additions.addition(self.group, kind)
            if added is None:
                return None
            found = added.load(type)
            if not issubclass(found, self.base) or _kind(found) != kind:
                raise AdditionError(
                    f"the {added} must be a class that derives from {self.base.__module__}.{self.base.__name__}, with "
                    f"kind = {kind!r}; update that package, or remove it: pip uninstall {added.package}"
                )
            self._known[kind] = found
        return found

    def names(self) -> list[str]:
        """All kinds, those of installed packages last."""
        return [*self.own, *(name for name in additions.names(self.group) if name not in self.own)]

    def holds(self, value: object) -> bool:
        """Whether its kind leads back to its class, so that a stored network which has it can be read again."""
        return isinstance(value, self.base) and self.get(_kind(type(value))) is type(value)


def _kind(cls: type) -> str:
    return str(getattr(cls, "kind", ""))
