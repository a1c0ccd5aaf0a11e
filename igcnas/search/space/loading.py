"""Search spaces by name (search_spaces/NAME.py), by the path of a user's own file, or of families of other packages.

A block family that an installed package adds (an entry point of the group igcnas.families, docs/extending.md) is a
space of that family alone; names joined by + are one space of the families of all: igcv3+NAME.

By name always those that come with igcnas: a folder `search_spaces/` of a user's is never looked at, wherever it lies.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from igcnas.errors import SpaceError, unknown_name
from igcnas.search.space.families import BlockFamily
from igcnas.search.space.space import SearchSpace
from igcnas.system import additions

_PACKAGE = "igcnas.search_spaces"


def known_spaces() -> list[str]:
    """Names of the spaces that come with igcnas."""
    package = importlib.import_module(_PACKAGE)
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def load_space(name_or_path: str) -> SearchSpace:
    """The value SPACE of search_spaces/NAME.py, or of the file at this path; or of families that packages add."""
    if _is_path(name_or_path):
        return _space_in(_load_file(Path(name_or_path)), name_or_path)
    first, *others = [_named(part) for part in name_or_path.split("+")]
    if not others:
        return first
    families = tuple(family for space in (first, *others) for family in space.families)
    return replace(first, name=name_or_path, families=families)


def _is_path(text: str) -> bool:
    return text.endswith(".py") or any(separator in text for separator in "/\\")


def _named(name: str) -> SearchSpace:
    """A space that comes with igcnas, or of a family that a package adds."""
    own = known_spaces()
    added = additions.addition(additions.FAMILIES, name, own=own)
    if added is not None:
        return SearchSpace(name=name, families=(added.load(BlockFamily),))
    if name not in own:
        message = unknown_name("search space", name, (*own, *additions.names(additions.FAMILIES)))
        raise SpaceError(f"{message}; or give the path of a .py file")
    return _space_in(importlib.import_module(f"{_PACKAGE}.{name}"), name)


def _space_in(module: ModuleType, name_or_path: str) -> SearchSpace:
    space = getattr(module, "SPACE", None)
    if not isinstance(space, SearchSpace):
        raise SpaceError(f"{name_or_path} must define SPACE = SearchSpace(...), as search_spaces/all.py does")
    return space


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise SpaceError(f"no search space at {path}; known by name: {', '.join(known_spaces())}")
    spec = importlib.util.spec_from_file_location(f"igcnas_user_space_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise SpaceError(f"{path} is not a Python file; a search space is a .py file with SPACE = SearchSpace(...)")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except SpaceError:
        raise
    except Exception as error:  # a user's file can raise anything; the message must say where
        reason = " ".join(str(error).split())  # one line
        raise SpaceError(f"{path} cannot be read: {type(error).__name__}: {reason}") from error
    return module
