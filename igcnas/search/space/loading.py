"""Search spaces by name (search_spaces/NAME.py) or by the path of a user's own file.

By name always those that come with igcnas: a folder `search_spaces/` of a user's is never looked at, wherever it lies.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from pathlib import Path
from types import ModuleType

from igcnas.errors import SpaceError, unknown_name
from igcnas.search.space.space import SearchSpace

_PACKAGE = "igcnas.search_spaces"


def known_spaces() -> list[str]:
    """Names of the spaces that come with igcnas."""
    package = importlib.import_module(_PACKAGE)
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def load_space(name_or_path: str) -> SearchSpace:
    """The value SPACE of search_spaces/NAME.py, or of the file at this path."""
    if name_or_path.endswith(".py") or any(separator in name_or_path for separator in "/\\"):
        module = _load_file(Path(name_or_path))
    elif name_or_path in known_spaces():
        module = importlib.import_module(f"{_PACKAGE}.{name_or_path}")
    else:
        message = unknown_name("search space", name_or_path, known_spaces())
        raise SpaceError(f"{message}; or give the path of a .py file")
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
