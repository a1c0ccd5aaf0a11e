"""Numbers as static tables of C."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from igcnas.errors import ExportError
from igcnas.export.c.operations import Numbers

_WIDTH = 120


def integers(name: str, values: Iterable[int]) -> str:
    """A table of ints."""
    return _table("int", name, map(str, values))


def floats(name: str, values: Numbers) -> str:
    """A table of floats: rounded once, nine digits, by which each is the same when it is read."""
    rounded = np.asarray(values, np.float32).ravel()
    if not np.isfinite(rounded).all():
        raise ExportError(f"{name} of model.c would not be finite; check the training for overflow")
    return _table("float", name, (f"{value:.9g}" for value in rounded.tolist()))


def blocks(weight: Numbers) -> Numbers:
    """A weight (outputs, inputs, kernel, kernel) as kernels/sums.h reads it: four outputs at a time, [term][output]."""
    flat = weight.reshape(len(weight), -1)
    parts = [flat[first : first + 4].T.ravel() for first in range(0, len(flat), 4)]
    return np.concatenate(parts) if parts else np.zeros(0)


def text(value: str) -> str:
    """A string of C: UTF-8, whatever is not plain as octal."""
    plain = "".join(
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}" for byte in value.encode()
    )
    return f'"{plain}"'


def wrapped(items: Iterable[str], indent: int = 4) -> list[str]:
    """Lines of items, each with a comma behind it."""
    lines: list[str] = []
    current: list[str] = []
    length = indent
    for item in items:
        if current and length + len(item) + 2 > _WIDTH:
            lines.append(" " * indent + " ".join(current))
            current, length = [], indent
        current.append(f"{item},")
        length += len(item) + 2
    return [*lines, " " * indent + " ".join(current)] if current else lines


def _table(kind: str, name: str, values: Iterable[str]) -> str:
    lines = wrapped(values) or ["    0,"]  # C has no empty tables
    return "\n".join([f"static const {kind} {name}[] = {{", *lines, "};"])
