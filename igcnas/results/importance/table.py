"""A report as plain data and as a tidy table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from igcnas.results.importance.analysis import Report
from igcnas.results.plain import plain
from igcnas.results.table import Column, Table
from igcnas.system.reading import as_kind


def to_dict(report: Report) -> dict[str, Any]:
    """Plain data for JSON; an unknown interval is null."""
    found: dict[str, Any] = plain(report)
    for choice, source in zip(found["choices"], report.choices, strict=True):
        choice["above_chance"] = source.shown
    return found


def from_dict(data: Mapping[str, Any]) -> Report:
    """The report that `to_dict` described; StudyError where it is damaged."""
    return as_kind(_with_nan(data), Report, where="the kept analysis", advice="remove it")


def _with_nan(value: Any) -> Any:
    """The inverse of `plain`: only numbers can be unknown."""
    if isinstance(value, Mapping):
        return {key: _with_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_nan(item) for item in value]
    return math.nan if value is None else value


def effects(report: Report) -> Table:
    """One row for each value of each choice."""
    return Table.of(_EFFECTS, [(choice, effect) for choice in report.choices for effect in choice.effects])


_EFFECTS = (
    Column.words("choice", lambda row: row[0].name),
    Column.words("label", lambda row: row[0].label),
    Column.words("within", lambda row: row[0].scope),
    Column.numbers("networks", lambda row: row[0].n),
    Column.numbers("importance", lambda row: row[0].share),
    Column.numbers("importance_low", lambda row: row[0].low),
    Column.numbers("importance_high", lambda row: row[0].high),
    Column.numbers("importance_by_chance", lambda row: row[0].chance),
    Column.words("value", lambda row: row[1].value),
    Column.numbers("n", lambda row: row[1].n),
    Column.numbers("fewer_errors_percent", lambda row: row[1].fewer_percent),
    Column.numbers("fewer_low", lambda row: row[1].low),
    Column.numbers("fewer_high", lambda row: row[1].high),
)
