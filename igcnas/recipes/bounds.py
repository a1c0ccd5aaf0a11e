"""Numbers and words with bounds, as annotations of fields: one place for the check, the reader and the schema.

`check` holds an object to its annotations where Python makes it; msgspec reads the same ones from JSON, and makes a
schema of them (igcnas/recipes/own.py). A number is finite, and no bool.
"""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from msgspec import Meta

from igcnas.errors import IgcnasError, unknown_name

Count = Annotated[int, Meta(ge=1)]
Pixels = Annotated[int, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
BelowOne = Annotated[float, Meta(ge=0, lt=1)]
Share = Annotated[float, Meta(ge=0, le=1)]


def check(made: Any) -> None:
    """IgcnasError, with the name of the field and its rule, where a field of a dataclass breaks its annotation."""
    kind: type = type(made)
    for name, hint in _hints(kind).items():
        what = kind.__name__.lower() if name == "kind" else name
        _check(what, getattr(made, name), hint)


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _check(name: str, value: Any, hint: Any) -> None:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        if value is not None or NoneType not in arguments:
            _check(name, value, next(argument for argument in arguments if argument is not NoneType))
    elif origin is Literal:
        if value not in arguments:
            raise IgcnasError(unknown_name(name, str(value), arguments))
    elif origin is Annotated:
        _check_number(name, value, *arguments)
    elif origin is tuple:
        every = arguments[:1] * len(value) if arguments[1:] == (...,) else arguments
        if len(every) != len(value):
            raise IgcnasError(f"{name} must be {len(every)} values, but is {value}")
        for part, inner in zip(value, every, strict=True):
            _check(name, part, inner)


def _check_number(name: str, value: Any, kind: type, rule: Meta) -> None:
    whole = type(value) is int
    number = whole or (kind is float and isinstance(value, float) and math.isfinite(value))
    inside = number and all(
        (
            rule.gt is None or value > rule.gt,
            rule.ge is None or value >= rule.ge,
            rule.lt is None or value < rule.lt,
            rule.le is None or value <= rule.le,
        )
    )
    if not inside:
        raise IgcnasError(f"{name} must be {_words(rule)}, but is {value}")


def _words(rule: Meta) -> str:
    if rule.gt is not None:
        return "a positive number"
    if rule.lt is not None:
        return f"at least {rule.ge:g} and below {rule.lt:g}"
    return f"at least {rule.ge:g}" if rule.le is None else f"between {rule.ge:g} and {rule.le:g}"
