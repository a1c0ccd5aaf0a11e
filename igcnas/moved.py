"""Import paths of earlier versions: they keep working, with a DeprecationWarning that says where to import from.

Only what README or docs named. A whole module is found under its earlier name by `Finder`; a name that a package lent
is lent by `lending`, which the package makes its `__getattr__`.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

MODULES = {
    "igcnas.architecture": "igcnas.network.architecture",
    "igcnas.composition": "igcnas.modules.composition",
    "igcnas.cost": "igcnas.network.cost",
    "igcnas.grouping": "igcnas.network.grouping",
    "igcnas.literature": "igcnas.network.literature",
    "igcnas.noise": "igcnas.statistics.noise",
    "igcnas.paths": "igcnas.network.paths",
    "igcnas.plan": "igcnas.network.plan",
    "igcnas.proposals": "igcnas.search.proposals",
    "igcnas.provenance": "igcnas.search.provenance",
    "igcnas.racing": "igcnas.statistics.racing",
    "igcnas.recipes": "igcnas.training.recipes",
    "igcnas.records": "igcnas.search.records",
    "igcnas.report": "igcnas.results.report",
    "igcnas.runs": "igcnas.training.runs",
    "igcnas.settings": "igcnas.training.settings",
    "igcnas.space": "igcnas.search.space",
}


class Moved(ModuleType):
    """A module under its earlier name: it asks the one of today for everything.

    It can be called, too: `igcnas.plan` is a function, and was a module.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(importlib.import_module(today(self.__name__)), name)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """What the function of the same name answers."""
        return getattr(self, self.__name__.rpartition(".")[2])(*arguments, **options)


class Finder(MetaPathFinder, Loader):
    """Finds the modules of MODULES, and those inside of them."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module of that name, if an earlier version had it and today's has it elsewhere."""
        new = today(fullname)
        return ModuleSpec(fullname, self, is_package=True) if new != fullname and find_spec(new) else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """A stand-in, whose names are those of the module of today."""
        return Moved(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Imports the module of today, and says once where it is."""
        new = today(module.__name__)
        module.__doc__ = importlib.import_module(new).__doc__
        warnings.warn(f"{module.__name__} is now {new}", DeprecationWarning, stacklevel=2)


def today(name: str) -> str:
    """The name that a module has today."""
    for old, new in MODULES.items():
        if name == old or name.startswith(f"{old}."):
            return new + name.removeprefix(old)
    return name


def lending(package: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package that once held `names`; each with the module that holds it today."""

    def getter(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        warnings.warn(f"{package}.{name} is now {names[name]}.{name}", DeprecationWarning, stacklevel=2)
        return getattr(importlib.import_module(names[name]), name)

    return getter


def called(package: str, *, by: str) -> None:
    """Let a call of this package be one of the function `by`, as in 'module:function', which is imported then."""
    module, _, function = by.partition(":")

    class Callable(ModuleType):
        """A module that can be called."""

        def __call__(self, *arguments: Any, **options: Any) -> Any:
            return getattr(importlib.import_module(module), function)(*arguments, **options)

        @property
        def __wrapped__(self) -> Any:
            """What `help` and `inspect.signature` look at."""
            return getattr(importlib.import_module(module), function)

    sys.modules[package].__class__ = Callable


def install() -> None:
    """Let Python ask here before it looks for files."""
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        # First: what an upgrade leaves of an earlier folder would be found as a package.
        sys.meta_path.insert(0, Finder())
