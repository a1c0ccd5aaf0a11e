"""Files that are read back, checked against the type that they must have.

Convention: the type is a dataclass (nested, frozen ones too), a TypedDict or a builtin, with bounds where they matter
(`igcnas.system.bounds`). What does not fit is one error that names the file, the field, its value and the rule. Fields
that the type does not know are passed over, so that a newer version may add some; a field given twice, NaN and numbers
that no file of ours holds are not. Only regular files are read, and no more of them than `most` bytes: a pipe or a
device would never end.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections import Counter
from pathlib import Path
from typing import Any, TypeVar

from igcnas.errors import IgcnasError, StudyError
from igcnas.system.bounds import DIGITS

T = TypeVar("T")
MOST_BYTES = 256 * 2**20
_SHOWN = 40  # characters of a value in an error


def read_bytes(path: Path, *, most: int = MOST_BYTES, error: type[IgcnasError] = StudyError, advice: str) -> bytes:
    """The content of a regular file of at most `most` bytes; `error` for anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise error(f"{path} is no regular file; {advice}")
            content = file.read(most + 1)
    except (OSError, ValueError) as fault:  # a name with a null byte is a ValueError
        reason = getattr(fault, "strerror", None) or str(fault)
        raise error(f"cannot read {path}: {reason}; {advice}") from fault
    if len(content) > most:
        raise error(f"{path} has more than the {most:,} bytes of any such file; {advice}")
    return content


def read_text(path: Path, *, most: int = MOST_BYTES, error: type[IgcnasError] = StudyError, advice: str) -> str:
    """The same as text: UTF-8, with or without a mark in front."""
    try:
        return read_bytes(path, most=most, error=error, advice=advice).decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise error(f"{path} is damaged (not UTF-8 at byte {fault.start:,}); {advice}") from None


def read_json(path: Path, kind: type[T], *, error: type[IgcnasError] = StudyError, advice: str) -> T:
    """What the JSON file at `path` holds, as `kind`; `error` if it cannot be read, is no JSON or does not fit."""
    return parse_json(read_bytes(path, error=error, advice=advice), kind, where=str(path), error=error, advice=advice)


def parse_json(
    text: bytes | str, kind: type[T], *, where: str, error: type[IgcnasError] = StudyError, advice: str
) -> T:
    """The same for text from elsewhere; `where` names it in the error."""
    try:
        return as_kind(plain_json(text), kind, where=where, error=error, advice=advice)
    except ValueError as fault:
        if isinstance(fault, IgcnasError):  # some are ValueErrors, too
            raise
        raise error(f"{where} is damaged ({fault}); {advice}") from None


def plain_json(text: bytes | str) -> Any:
    """The data in JSON text. ValueError, in one line, for all that json.loads lets pass and no file of ours holds."""
    try:
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text.removeprefix("\ufeff")
    except UnicodeDecodeError as fault:
        raise ValueError(f"not UTF-8 at byte {fault.start:,}") from None
    try:
        data = json.loads(
            decoded, parse_int=_whole, parse_float=_finite, parse_constant=_constant, object_pairs_hook=_once
        )
        if "\\ud" in decoded or "\\uD" in decoded:
            decoded.encode("utf-8")
            json.dumps(data, ensure_ascii=False).encode("utf-8")  # half of a pair of escapes is no character
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError as fault:
        raise ValueError(f"no JSON: {fault.msg} at line {fault.lineno}, column {fault.colno}") from None
    except UnicodeEncodeError:
        raise ValueError("a text in it is half a character (a lone surrogate)") from None
    return data


def as_kind(data: Any, kind: type[T], *, where: str, error: type[IgcnasError] = StudyError, advice: str) -> T:
    """Plain data as `kind`; `error` names the field, its value and the rule if it does not fit."""
    import msgspec

    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as fault:
        raise error(f"{where} is damaged ({_misfit(data, str(fault))}); {advice}") from None
    except RecursionError:
        raise error(f"{where} is damaged (nested too deeply); {advice}") from None
    except UnicodeEncodeError:
        raise error(f"{where} is damaged (a text in it is half a character); {advice}") from None
    except IgcnasError as fault:  # of a dataclass that checks itself
        raise error(f"{where} is damaged ({fault}); {advice}") from None


def _whole(text: str) -> int:
    if len(text) > DIGITS:
        raise ValueError(f"a whole number of {len(text):,} digits, where none has more than {DIGITS}")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:_SHOWN]} is larger than any number")
    return number


def _constant(text: str) -> Any:
    raise ValueError(f"{text} where a number is expected")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"field {twice[:_SHOWN]!a} is given twice")
    return found


def _misfit(data: Any, message: str) -> str:
    """A line such as: budget_macs is 'x': expected int, got str."""
    rule, _, path = " ".join(message.replace("`", "").split()).partition(" - at $")
    rule = rule[:1].lower() + rule[1:]
    steps = re.findall(r"\.?([^.\[\]]+)|\[(\d+|\.\.\.)\]", path)
    value, place = data, ""
    for name, index in steps:
        place += f"[{index}]" if index else f".{name}" if place else name
        try:
            value = value[int(index)] if index else value[name]
        except (LookupError, TypeError, ValueError):
            return f"{place}: {rule}"
    if not place or isinstance(value, dict | list):
        return f"{place}: {rule}" if place else rule
    return f"{place} is {_short(value)}: {rule}"


def _short(value: Any) -> str:
    shown = ascii(value)
    return shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 3]}..."
