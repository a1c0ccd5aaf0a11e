"""Results as data for JSON, in which nothing is infinite and every number is one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from igcnas.network.architecture import Architecture
from igcnas.network.budget import Budget
from igcnas.search.objective import Objective


def plain(value: Any) -> Any:
    """As data for JSON: what is not finite is null, a network is its id, a path its text.

    A field of a dataclass whose metadata say {"plain": False}, such as pixels, is left out.

    >>> plain({"interval": (-math.inf, 2.0), 3: Path("a")})
    {'interval': [None, 2.0], '3': 'a'}
    """
    if isinstance(value, Architecture):
        return value.id
    if isinstance(value, Budget):
        return dict(value.limits)
    if isinstance(value, Objective):
        return value.name
    if is_dataclass(value) and not isinstance(value, type):
        shown = [field.name for field in fields(value) if field.metadata.get("plain", True)]
        return {name: plain(getattr(value, name)) for name in shown}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
