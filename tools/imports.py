"""Who imports whom: all modules of the repository, and what each imports anywhere, also for the type checker alone.

`from igcnas.network import plan` names igcnas.network.plan if that is a module, else igcnas.network. What runs besides,
the `__init__` of the packages above it, is no arrow.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("igcnas", "search_spaces", "analysis", "benchmarks", "tools")

Imports = dict[str, frozenset[str]]


def modules(root: Path = ROOT, folders: Sequence[str] = FOLDERS) -> dict[str, Path]:
    """Every module below these folders, by its dotted name."""
    found = {}
    for path in sorted(path for folder in folders for path in (root / folder).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(known: Mapping[str, Path]) -> Imports:
    """For each module those of `known` that it imports, wherever the import stands."""
    return {name: frozenset(_imported(name, path, known)) - {name} for name, path in known.items()}


def _imported(name: str, path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inside = f"{source}.{alias.name}"
                if inside in known or source in known:
                    yield inside if inside in known else source


def circles(graph: Mapping[str, frozenset[str]]) -> list[list[str]]:
    """Modules that import each other, by any way around; none where imports go one way (Tarjan 1972)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        number[name] = lowest[name] = len(number)
        stack.append(name)
        for other in sorted(graph[name]):
            if other not in number:
                visit(other)
            if other in stack:
                lowest[name] = min(lowest[name], lowest[other])
        if lowest[name] == number[name]:
            start = stack.index(name)
            if len(stack) - start > 1:
                found.append(sorted(stack[start:]))
            del stack[start:]

    for name in graph:
        if name not in number:
            visit(name)
    return found
