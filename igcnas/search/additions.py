"""Which additions of other packages a study uses, so that a run without them says what to install.

studies/NAME/additions.json, in studies that use any: [{"group", "name", "package", "version"}, ...]. A block, a
grouping and a limit are needed to read the study at all; a sampler, a data set and a block family to go on with it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from igcnas.errors import AdditionError, StudyError
from igcnas.network import blocks, grouping
from igcnas.network.budget import LIMITS
from igcnas.search.space import BlockFamily, SearchSpace
from igcnas.system import additions
from igcnas.system.additions import Addition
from igcnas.system.files import read_back, write_text
from igcnas.system.reading import as_kind, read_json

_LOGGER = logging.getLogger(__name__)
FILE = "additions.json"
_KINDS = (additions.BLOCKS, additions.GROUPINGS)
_NEEDED = (*_KINDS, additions.LIMITS)  # to read a study at all


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """An addition that a study used."""

    group: str
    name: str
    package: str
    version: str

    @staticmethod
    def of(addition: Addition) -> Used:
        """Without its place: a later version may have it elsewhere."""
        return Used(group=addition.group, name=addition.name, package=addition.package, version=addition.version)

    def __str__(self) -> str:
        return f"{additions.GROUPS.get(self.group, 'addition')} {self.name!r} of {self.package} {self.version}"


def used(space: SearchSpace, *, sampler: str, data: str, limits: Iterable[str] = ()) -> tuple[Used, ...]:
    """What a search of this space by this sampler within these limits uses; data: as --data names it."""
    if not additions.additions():
        return ()
    asked = [(additions.SAMPLERS, sampler), (additions.DATA, data.partition(":")[0])]
    asked += [(group, kind) for group in _KINDS for kind in sorted(space.kinds())]
    asked += [(additions.LIMITS, name) for name in limits]
    families = {type(family) for family in space.families}
    roots = {family.__module__.partition(".")[0] for family in families}
    every = [one for one in additions.additions(additions.FAMILIES) if one.place.partition(".")[0] in roots]
    asked += [(one.group, one.name) for one in every if type(one.load(BlockFamily)) in families]
    own = {additions.BLOCKS: blocks.KINDS.own, additions.GROUPINGS: grouping.KINDS.own, additions.LIMITS: tuple(LIMITS)}
    found = (additions.addition(group, name, own=own.get(group, ())) for group, name in asked)
    return tuple(Used.of(one) for one in found if one is not None)


def recorded(folder: Path) -> tuple[Used, ...]:
    """What the study in this folder used; nothing for one that used none."""
    path = folder / FILE
    if not path.is_file():
        return ()
    advice = "restore it, or remove it where the study used no other package"
    return as_kind(read_json(path, list, advice=advice), tuple[Used, ...], where=str(path), advice=advice)


def record(folder: Path, uses: Iterable[Used]) -> None:
    """Write what a study uses, and say where a package is another version than before."""
    before = {(one.group, one.name): one for one in recorded(folder)}
    now = {(one.group, one.name): one for one in uses}
    for key, one in now.items():
        if key in before and before[key] != one:
            _LOGGER.warning("the study used the %s before, and goes on with the %s", before[key], one)
    if now:
        rows = [asdict(one) for one in (before | now).values()]
        text = json.dumps(rows, indent=2) + "\n"
        if read_back(folder / FILE) != text.encode():
            write_text(folder / FILE, text)


def require_kinds(folder: Path) -> None:
    """StudyError where what is needed to read the networks of this study, and its budget, is not installed."""
    for one in recorded(folder):
        if one.group in _NEEDED and one.name not in additions.names(one.group):
            raise StudyError(f"study {folder.name!r} {_missing(one)}")


def explain_missing(studies: Path, *, space: str, sampler: str, data: str, limits: Iterable[str] = ()) -> None:
    """AdditionError where one of these names is what an earlier study here had of a package that is gone."""
    asked = {(additions.SAMPLERS, sampler), (additions.DATA, data.partition(":")[0])}
    asked |= {(additions.FAMILIES, name) for name in space.split("+")}
    asked |= {(additions.LIMITS, name) for name in limits}
    for folder, one in _all_recorded(studies):
        if (one.group, one.name) in asked and one.name not in additions.names(one.group):
            raise AdditionError(f"study {folder.name!r} {_missing(one)}")


def _all_recorded(studies: Path) -> Iterator[tuple[Path, Used]]:
    for path in sorted(studies.glob(f"*/{FILE}")):
        try:
            uses = recorded(path.parent)
        except StudyError:  # of another study: its own commands say so
            continue
        yield from ((path.parent, one) for one in uses)


def _missing(one: Used) -> str:
    return f"uses the {one}, which is not installed: pip install {one.package}=={one.version}"
