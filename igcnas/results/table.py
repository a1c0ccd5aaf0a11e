"""A table: values in columns that know how to say them, for a terminal, Markdown, CSV, JSON or a page.

Words stand to the left, numbers to the right. Where a value is unknown (None or not a number) people read a dash, CSV
has an empty cell and JSON null.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from igcnas.results.plain import plain
from igcnas.system.harmless import cell, line, markdown

Side: TypeAlias = Literal["left", "right", "centre"]
Say: TypeAlias = str | Callable[[Any], str]

_RULES = {"left": "---", "right": "---:", "centre": ":---:"}


def _itself(record: Any) -> Any:
    return record


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    heading, unit: what stands over it. side: where its cells stand. say: how a value is said, a format ('.2f') or a
    function. of: the value of a record, for `Table.of`; by itself the record.
    """

    heading: str
    unit: str = ""
    side: Side = "right"
    say: Say = ""
    of: Callable[[Any], Any] = _itself

    @staticmethod
    def words(heading: str, of: Callable[[Any], Any] = _itself, say: Say = "") -> Column:
        """A column of words."""
        return Column(heading=heading, side="left", say=say, of=of)

    @staticmethod
    def numbers(heading: str, of: Callable[[Any], Any] = _itself, say: Say = "", *, unit: str = "") -> Column:
        """A column of numbers."""
        return Column(heading=heading, unit=unit, say=say, of=of)

    @property
    def head(self) -> str:
        """Heading and unit."""
        return f"{self.heading} {self.unit}".rstrip()

    def said(self, value: Any) -> str:
        """A value in words; a dash where it is unknown."""
        if value is None or value != value:
            return "-"
        return format(value, self.say) if isinstance(self.say, str) else self.say(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """rows: the values, one for each column. caption and note: above and below it on a page."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    caption: str = ""
    note: str = ""

    @staticmethod
    def of(columns: Sequence[Column], records: Iterable[Any], *, caption: str = "", note: str = "") -> Table:
        """A row for each record, in which every column finds its value."""
        rows = tuple(tuple(column.of(record) for column in columns) for record in records)
        return Table(columns=tuple(columns), rows=rows, caption=caption, note=note)

    @staticmethod
    def of_data(records: Sequence[Mapping[str, Any]]) -> Table:
        """A column for each key, in the order in which they first occur; what a record lacks is unknown."""
        keys = dict.fromkeys(key for record in records for key in record)
        columns = tuple(Column(heading=key) for key in keys)
        return Table(columns=columns, rows=tuple(tuple(record.get(key) for key in keys) for record in records))

    @property
    def heads(self) -> list[str]:
        """Heading and unit of each column."""
        return [column.head for column in self.columns]

    def cells(self) -> list[list[str]]:
        """Each value as its column says it."""
        return [[column.said(value) for column, value in zip(self.columns, row, strict=True)] for row in self.rows]

    def text(self) -> str:
        """Aligned columns for a terminal.

        >>> print(Table(columns=(Column.words("name"), Column.numbers("n")), rows=(("a", 10), ("bcdef", None))).text())
        name    n
        a      10
        bcdef   -
        """
        shown = [list(map(line, row)) for row in (self.heads, *self.cells())]
        widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
        sides = [column.side for column in self.columns]
        return "\n".join("  ".join(map(_placed, row, widths, sides)).rstrip() for row in shown)

    def markdown(self) -> str:
        """For a file or a paper."""
        shown = [list(map(markdown, row)) for row in (self.heads, *self.cells())]
        shown.insert(1, [_RULES[column.side] for column in self.columns])
        return "\n".join("| " + " | ".join(row) + " |" for row in shown)

    def csv(self) -> str:
        """For a spreadsheet: the values themselves."""
        output = io.StringIO()
        writer = csv.writer(output, lineterminator="\n")
        writer.writerow(map(cell, self.heads))
        writer.writerows([cell(None if value != value else value) for value in row] for row in self.rows)
        return output.getvalue()

    def data(self) -> list[dict[str, Any]]:
        """For JSON: each row by its headings."""
        return [dict(zip(self.heads, map(plain, row), strict=True)) for row in self.rows]

    def reworded(self, change: Callable[[str], str]) -> Table:
        """The same in words, every one of which went through `change`."""
        columns = tuple(replace(column, say="") for column in self.columns)
        rows = tuple(tuple(map(change, row)) for row in self.cells())
        return Table(columns=columns, rows=rows, caption=change(self.caption), note=change(self.note))


def _placed(text: str, width: int, side: Side) -> str:
    return text.rjust(width) if side == "right" else text.center(width) if side == "centre" else text.ljust(width)


def span(spec: str = ".2f", unit: str = "") -> Callable[[tuple[float, float]], str]:
    """How an interval is said: both ends in this format, the unit behind them; a dash where there are none.

    >>> span("+.1f")((-1.0, 2.5)), span()((float("-inf"), float("inf")))
    ('-1.0 to +2.5', '-')
    """

    def said(ends: tuple[float, float]) -> str:
        return f"{ends[0]:{spec}} to {ends[1]:{spec}}{unit}" if all(map(math.isfinite, ends)) else "-"

    return said


def p_value(p: float) -> str:
    """How a p value is said in a table.

    >>> p_value(0.0004), p_value(0.25)
    ('<0.001', '0.250')
    """
    return "<0.001" if p < 0.001 else f"{p:.3f}"
