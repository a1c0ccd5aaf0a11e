"""Modules and their imports, read from the code without running it.

`from a.b import c` imports a.b.c where that is a module, else a.b. That Python also runs the package a.b on the way to
a.b.c counts for nothing. What is imported by a name in a string is not seen.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("igcnas", "analysis", "benchmarks", "search_spaces", "tests")


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Import:
    """One import, at its line.

    Attributes:
        module: what is imported: a module of the tree, or the name as written for one of a library.
        line: where in the file.
        typing: for the type checker alone, under `if TYPE_CHECKING`.
        late: inside a function, so that it happens at the first call.
    """

    module: str
    line: int
    typing: bool = False
    late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A file: its dotted name, path, number of lines and imports."""

    name: str
    path: Path
    lines: int
    imports: tuple[Import, ...]


def modules(root: Path = ROOT, folders: Collection[str] = FOLDERS) -> dict[str, Module]:
    """Every module of these folders by its name, a package under the name of its folder.

    Args:
        root: the tree.
        folders: those of its folders that are read; what is imported from others counts as a library.
    """
    files = {
        _name(path.relative_to(root)): path for folder in folders for path in sorted((root / folder).rglob("*.py"))
    }
    return {name: _read(name, path, files.keys()) for name, path in files.items()}


def circles(found: Mapping[str, Module]) -> list[tuple[str, ...]]:
    """Modules that import each other in a circle, each by name; every kind of import counts."""
    return groups({name: {imported.module for imported in module.imports} for name, module in found.items()})


def groups(arrows: Mapping[str, Collection[str]]) -> list[tuple[str, ...]]:
    """The strongly connected components of more than one member; arrows to what has none of its own do not count."""
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names = sorted(arrows)
    place = {name: number for number, name in enumerate(names)}
    pairs = [(place[one], place[other]) for one in names for other in arrows[one] if other in place]
    rows, columns = np.array(pairs, dtype=int).reshape(-1, 2).T
    shape = (len(names), len(names))
    _, labels = connected_components(
        coo_array((np.ones(len(pairs)), (rows, columns)), shape=shape), connection="strong"
    )
    members: dict[int, list[str]] = {}
    for name, label in zip(names, labels, strict=True):
        members.setdefault(int(label), []).append(name)
    return sorted(tuple(group) for group in members.values() if len(group) > 1)


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _read(name: str, path: Path, known: Collection[str]) -> Module:
    text = path.read_text(encoding="utf-8")
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    imports = _imports(ast.parse(text, str(path)), package, known)
    return Module(name=name, path=path, lines=len(text.splitlines()), imports=tuple(sorted(set(imports))))


def _imports(
    node: ast.AST, package: str, known: Collection[str], *, typing: bool = False, late: bool = False
) -> Iterator[Import]:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        for module in _imported(node, package, known):
            yield Import(module=module, line=node.lineno, typing=typing, late=late)
        return
    late = late or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
    checked = node.body if isinstance(node, ast.If) and _asks_for_typing(node.test) else []
    for child in ast.iter_child_nodes(node):
        yield from _imports(child, package, known, typing=typing or child in checked, late=late)


def _asks_for_typing(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _imported(node: ast.Import | ast.ImportFrom, package: str, known: Collection[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    above = package.split(".")[: len(package.split(".")) - (node.level - 1)] if node.level else []
    source = ".".join([*above, *([node.module] if node.module else [])])
    for alias in node.names:
        name = f"{source}.{alias.name}"
        yield name if name in known else source
