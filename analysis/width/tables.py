"""Rows as aligned text, as Markdown and as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from igcnas.system.files import replacing

from .lattice import Row

Columns = Mapping[str, str]  # key of a row -> heading


def number(value: float | str) -> str:
    """Real numbers with two decimals, small ones with three; integers and words as they are."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.{3 if 0 < abs(value) < 1 else 2}f}"


def text(rows: Sequence[Row]) -> str:
    """Rows as aligned text."""
    cells = [list(rows[0]), *([number(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join("  ".join(cell.rjust(w) for cell, w in zip(line, widths, strict=True)) for line in cells)


def markdown(rows: Sequence[Row], columns: Columns) -> str:
    """The named columns as a Markdown table; numbers of four digits and more with commas, words to the left."""

    def cell(value: float | str) -> str:
        if isinstance(value, float) and value >= 1000:
            return f"{value:,.2f}"
        return f"{value:,}" if isinstance(value, int) else number(value)

    marks = ["---" if isinstance(rows[0][key], str) else "---:" for key in columns]
    lines = [list(columns.values()), marks, *([cell(row[key]) for key in columns] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write_csv(path: Path, rows: Iterable[Row]) -> int:
    """Write rows, which may be a generator of millions, under the names of the first; returns how many."""
    count = 0
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="ascii") as file:
        writer: csv.DictWriter[str] | None = None
        for row in rows:
            count += 1
            if writer is None:
                writer = csv.DictWriter(file, list(row))
                writer.writeheader()
            writer.writerow(row)
    return count
