"""A page of results: title, command, machine, tables; and the raw figures as JSON beside it. Written whole, renamed."""

from __future__ import annotations

import json
import math
import os
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any


def command(module: str, words: Sequence[str] | None = None) -> str:
    """The command line of this process, for a page; paths by their last part."""
    given = sys.argv[1:] if words is None else words
    return "    " + shlex.join(["python", "-m", module, *map(_plain, given)]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def number(value: float | None, digits: int = 3) -> str:
    """So many significant digits without an exponent; a dash where there is none."""
    if value is None or math.isnan(value):
        return "-"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(decimals, 9)}f}"


def write(folder: Path, name: str, text: str, data: Any) -> None:
    """name.md and name.json in the folder, each whole at any moment."""
    folder.mkdir(parents=True, exist_ok=True)
    _whole(folder / f"{name}.md", text)
    _whole(folder / f"{name}.json", json.dumps(_finite(data), indent=1) + "\n")


def _whole(path: Path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def _finite(data: Any) -> Any:
    """NaN is no JSON: null. Floats to six significant digits keep the files small."""
    if isinstance(data, float):
        return float(f"{data:.6g}") if math.isfinite(data) else None
    if isinstance(data, dict):
        return {str(key): _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return data


def _plain(word: str) -> str:
    """A page tells nothing of the folders of the machine that made it."""
    kind, colon, path = word.partition(":")
    if colon and os.sep in path:
        return f"{kind}:{Path(path).name}"
    return Path(word).name if os.sep in word else word
