"""JSON that is read back, checked against the type that it must have.

Convention: the type is a dataclass (nested, frozen ones too), a TypedDict or a builtin, with bounds where they matter
as `Annotated[int, msgspec.Meta(ge=1)]`. What does not fit is one error that names the file, the field and the rule.
Fields that the type does not know are passed over, so that a newer version may add some.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from igcnas.errors import IgcnasError, StudyError

T = TypeVar("T")
_MOST_BYTES = 256 * 2**20


def read_json(path: Path, kind: type[T], *, error: type[IgcnasError] = StudyError, advice: str) -> T:
    """What the JSON file at `path` holds, as `kind`; `error` if it cannot be read, is no JSON or does not fit."""
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise error(f"{path} has {size:,} bytes, more than the {_MOST_BYTES:,} of any such file; {advice}")
        text = path.read_bytes()
    except OSError as fault:
        raise error(f"cannot read {path}: {fault.strerror or fault}; {advice}") from fault
    return parse_json(text, kind, where=str(path), error=error, advice=advice)


def parse_json(
    text: bytes | str, kind: type[T], *, where: str, error: type[IgcnasError] = StudyError, advice: str
) -> T:
    """The same for text from elsewhere; `where` names it in the error."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as fault:  # not JSON, not UTF-8, a number without end, nested without end
        raise error(f"{where} is damaged ({_reason(fault)}); {advice}") from None
    return as_kind(data, kind, where=where, error=error, advice=advice)


def as_kind(data: Any, kind: type[T], *, where: str, error: type[IgcnasError] = StudyError, advice: str) -> T:
    """Plain data as `kind`; `error` names the field and the rule if it does not fit."""
    try:
        return msgspec.convert(data, kind)
    except (msgspec.ValidationError, RecursionError) as fault:
        raise error(f"{where} is damaged ({_reason(fault)}); {advice}") from None


def _reason(fault: Exception) -> str:
    """In one line, without the marks of the library."""
    if isinstance(fault, RecursionError):
        return "nested too deeply"
    return str(fault).replace("`", "").replace(" - at ", " at ").replace("$.", "").splitlines()[0]
