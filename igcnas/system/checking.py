"""Dataclasses that hold to the bounds in their annotations (igcnas/system/bounds.py) also where Python makes them.

msgspec reads the same annotations from JSON, and makes a schema of them (igcnas/training/recipes/own.py): each bound
stands in one place. A number is finite, and no bool.
"""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from igcnas.errors import IgcnasError, unknown_name
from igcnas.system.bounds import Meta
from igcnas.system.checks import shown


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
    least = number and (rule.gt is None or value > rule.gt) and (rule.ge is None or value >= rule.ge)
    if not least or not ((rule.lt is None or value < rule.lt) and (rule.le is None or value <= rule.le)):
        words = f"at most {rule.le:,}" if least and kind is int else _words(kind, rule)
        raise IgcnasError(f"{name} must be {words}, but is {shown(value)}")


def _words(kind: type, rule: Meta) -> str:
    if rule.gt is not None:
        return "a positive number"
    if rule.lt is not None:
        return f"at least {rule.ge:g} and below {rule.lt:g}"
    return f"at least {rule.ge:g}" if rule.le is None or kind is int else f"between {rule.ge:g} and {rule.le:g}"
