"""What installed packages add to igcnas: found by entry points, imported when its name is asked for.

A package says in its pyproject.toml what it adds, under which name, and where that is (docs/extending.md):

    [project.entry-points."igcnas.samplers"]
    greedy = "package.module:GREEDY"

Whoever has things of one kind by name asks `addition` for a name. A name belongs to one: an addition that bears a name
of igcnas, or of another package's, is refused. Each fault is one line that names the package and how to remove it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from igcnas.errors import AdditionError

BLOCKS = "igcnas.blocks"
FAMILIES = "igcnas.families"
GROUPINGS = "igcnas.groupings"
SAMPLERS = "igcnas.samplers"
DATA = "igcnas.data"
LIMITS = "igcnas.limits"
EXPORTERS = "igcnas.exporters"
# Each group of entry points, and what one of it is called.
GROUPS = {
    BLOCKS: "block",
    FAMILIES: "block family",
    GROUPINGS: "grouping",
    SAMPLERS: "sampler",
    DATA: "data set",
    LIMITS: "limit",
    EXPORTERS: "exporter",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """What a package adds under a name. place: where it is, as 'package.module:NAME'."""

    group: str
    name: str
    package: str
    version: str
    place: str

    def __str__(self) -> str:
        return f"{GROUPS[self.group]} {self.name!r} of {self.package} {self.version}"

    def load(self, wanted: type | tuple[type, ...]) -> Any:
        """The object; AdditionError where it cannot be imported, or is no `wanted`."""
        from importlib.metadata import EntryPoint

        try:
            found = EntryPoint(self.name, self.place, self.group).load()
        except Exception as error:  # whatever the code of others raises when it is imported
            reason = " ".join(str(error).split())
            raise AdditionError(
                f"the {self} cannot be loaded ({type(error).__name__}: {reason}); update that package, or "
                f"remove it: pip uninstall {self.package}"
            ) from error
        if not isinstance(found, wanted):
            kinds = wanted if isinstance(wanted, tuple) else (wanted,)
            raise AdditionError(
                f"the {self} must be a {' or '.join(kind.__name__ for kind in kinds)}, but {self.place} is a "
                f"{type(found).__name__}; update that package, or remove it: pip uninstall {self.package}"
            )
        return found


def additions(group: str | None = None) -> tuple[Addition, ...]:
    """All that installed packages add, to one group or to any, in the order of their names."""
    return tuple(one for name in GROUPS if group in (None, name) for one in _installed(name))


def names(group: str) -> list[str]:
    """The names of a group's additions."""
    return sorted({one.name for one in additions(group)})


def addition(group: str, name: str, *, own: Container[str] = ()) -> Addition | None:
    """What an installed package adds under this name; None where there is no such thing.

    own: the names that igcnas has itself. AdditionError where two bear the name.
    """
    found = [one for one in additions(group) if one.name == name]
    if found and name in own:
        raise AdditionError(f"{_clash(found)} the name of one of igcnas; remove it: pip uninstall {found[0].package}")
    if len(found) > 1:
        raise AdditionError(f"{_clash(found)} one name; remove one: pip uninstall {found[-1].package}")
    return found[0] if found else None


def faults(own: dict[str, Container[str]]) -> list[str]:
    """What is wrong with the names of additions, a line each; own: the names that igcnas has, by group."""
    found: dict[str, None] = {}
    for one in additions():
        try:
            addition(one.group, one.name, own=own.get(one.group, ()))
        except AdditionError as error:
            found[str(error)] = None
    return list(found)


def _clash(found: Iterable[Addition]) -> str:
    several = " and the ".join(map(str, found))
    return f"the {several} {'bear' if ' and the ' in several else 'bears'}"


@lru_cache
def _installed(group: str) -> tuple[Addition, ...]:
    """Looked for once in a process; only names are read, nothing is imported."""
    from importlib.metadata import entry_points  # takes a tenth of a second

    found = []
    for entry in entry_points(group=group):
        package = entry.dist.name if entry.dist is not None else entry.module.partition(".")[0]
        version = entry.dist.version if entry.dist is not None else ""
        found.append(Addition(group=group, name=entry.name, package=package, version=version, place=entry.value))
    return tuple(sorted(found, key=lambda one: (one.name, one.package)))
