"""Rows as aligned text, as Markdown and as CSV."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from pathlib import Path

from igcnas.results.table import Column, Table
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
    return _table(rows, {key: key for key in rows[0]}, number).text()


def markdown(rows: Sequence[Row], columns: Columns) -> str:
    """The named columns as a Markdown table; numbers of four digits and more with commas."""

    def cell(value: float | str) -> str:
        if isinstance(value, float) and value >= 1000:
            return f"{value:,.2f}"
        return f"{value:,}" if isinstance(value, int) else number(value)

    return _table(rows, columns, cell).markdown()


def _table(rows: Sequence[Row], columns: Columns, say: Callable[[float | str], str]) -> Table:
    """The named columns, words to the left."""
    made = [
        (Column.words if isinstance(rows[0][key], str) else Column.numbers)(heading, itemgetter(key), say)
        for key, heading in columns.items()
    ]
    return Table.of(made, rows)


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
