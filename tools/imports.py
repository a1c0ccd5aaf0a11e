"""Who imports whom: all modules of the repository, and what each imports anywhere, also for the type checker alone.

Nothing is run. `from igcnas.network import plan` names igcnas.network.plan if that is a module, else igcnas.network.
What runs besides, the `__init__` of the packages above it, is no arrow, and what is imported by a name in a string is
not seen.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("igcnas", "search_spaces", "analysis", "benchmarks", "tools")

Imports = dict[str, frozenset[str]]


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Import:
    """One import of a module of the repository.

    Attributes:
        module: what is imported.
        line: where in the file.
        typing: for the type checker alone, under `if TYPE_CHECKING`.
        late: inside a function, so that it happens when that is called.
    """

    module: str
    line: int
    typing: bool = False
    late: bool = False


def modules(root: Path = ROOT, folders: Sequence[str] = FOLDERS) -> dict[str, Path]:
    """Every module below these folders, by its dotted name."""
    found = {}
    for path in sorted(path for folder in folders for path in (root / folder).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(known: Mapping[str, Path]) -> Imports:
    """For each module those of `known` that it imports, wherever the import stands."""
    return {name: frozenset(imported.module for imported in imports_of(name, known)) - {name} for name in known}


def imports_of(name: str, known: Mapping[str, Path]) -> list[Import]:
    """Each import of a module of `known` in this one of them, in the order of their names and lines."""
    path = known[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return sorted(set(_walk(ast.parse(path.read_text(encoding="utf-8"), str(path)), package, known)))


def circles(graph: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Modules that import each other, by any way around; none where imports go one way."""
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names = sorted(graph)
    place = {name: number for number, name in enumerate(names)}
    pairs = [(place[name], place[other]) for name in names for other in graph[name] if other in place]
    ends = np.array(pairs, dtype=int).reshape(-1, 2).T
    arrows = coo_array((np.ones(len(pairs)), tuple(ends)), shape=(len(names), len(names)))
    _, labels = connected_components(arrows, connection="strong")
    members: dict[int, list[str]] = {}
    for name, label in zip(names, labels, strict=True):
        members.setdefault(int(label), []).append(name)
    return sorted(group for group in members.values() if len(group) > 1)


def _walk(
    node: ast.AST, package: str, known: Mapping[str, Path], *, typing: bool = False, late: bool = False
) -> Iterator[Import]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        for module in _named(node, package, known):
            yield Import(module=module, line=node.lineno, typing=typing, late=late)
        return
    late = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    checked = node.body if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING") else []
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, package, known, typing=typing or child in checked, late=late)


def _named(node: ast.Import | ast.ImportFrom, package: str, known: Mapping[str, Path]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in known)
        return
    above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
    source = ".".join([*above, *([node.module] if node.module else [])])
    for alias in node.names:
        inside = f"{source}.{alias.name}"
        if inside in known or source in known:
            yield inside if inside in known else source
