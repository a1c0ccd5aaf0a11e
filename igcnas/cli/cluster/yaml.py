"""YAML of mappings, lists, text, numbers and truth: as much as a manifest needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


def dumped(value: Any) -> str:
    """A document. Text is quoted as in JSON, which YAML reads the same way.

    >>> print(dumped({"name": "a", "ports": [{"number": 1}, {}], "on": True}), end="")
    name: "a"
    ports:
    - number: 1
    - {}
    on: true
    """
    return "".join(f"{line}\n" for line in _lines(value))


def _lines(value: Any) -> Iterator[str]:
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield f"{key}:"
            yield from (f"  {line}" for line in _lines(inner))
        elif isinstance(inner, list) and inner:
            yield f"{key}:"
            for item in inner:
                lines = list(_lines(item)) if isinstance(item, dict) and item else [json.dumps(item)]
                yield f"- {lines[0]}"
                yield from (f"  {line}" for line in lines[1:])
        else:
            yield f"{key}: {json.dumps(inner)}"
