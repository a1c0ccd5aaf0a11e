"""A report as plain data and as a tidy table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from igcnas.results.importance.analysis import Report
from igcnas.system.reading import as_kind

if TYPE_CHECKING:
    import pandas


def to_dict(report: Report) -> dict[str, Any]:
    """Plain data for JSON; an unknown interval is null."""
    plain = asdict(report)
    for choice, source in zip(plain["choices"], report.choices, strict=True):
        choice["above_chance"] = source.shown
    cleaned: dict[str, Any] = _without_nan(plain)
    return cleaned


def from_dict(data: Mapping[str, Any]) -> Report:
    """The report that `to_dict` described; StudyError where it is damaged."""
    return as_kind(_with_nan(data), Report, where="the kept analysis", advice="remove it")


def _with_nan(value: Any) -> Any:
    """The inverse of _without_nan: only numbers can be unknown."""
    if isinstance(value, Mapping):
        return {key: _with_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_nan(item) for item in value]
    return math.nan if value is None else value


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def to_frame(report: Report) -> pandas.DataFrame:
    """One row for each value of each choice."""
    import pandas

    rows = []
    for choice in report.choices:
        shared = {
            "choice": choice.name,
            "label": choice.label,
            "within": choice.scope,
            "networks": choice.n,
            "importance": choice.share,
            "importance_low": choice.low,
            "importance_high": choice.high,
            "importance_by_chance": choice.chance,
        }
        for effect in choice.effects:
            one = {"value": effect.value, "n": effect.n, "fewer_errors_percent": effect.fewer_percent}
            rows.append(shared | one | {"fewer_low": effect.low, "fewer_high": effect.high})
    return pandas.DataFrame(rows)
