"""One-line checks that the frozen data of the core share."""

from __future__ import annotations

from igcnas.errors import ArchitectureError
from igcnas.system.bounds import CHANNELS


def require(condition: bool, message: str) -> None:
    """Raise ArchitectureError with this message unless the condition holds."""
    if not condition:
        raise ArchitectureError(message)


def require_positive(**values: int) -> None:
    """Every value must be an int from 1 to bounds.CHANNELS; the message names the first that is not."""
    for name, value in values.items():
        if type(value) is not int or value < 1:
            raise ArchitectureError(f"{name} must be a positive integer, but is {shown(value)}")
        if value > CHANNELS:
            raise ArchitectureError(f"{name} must be at most {CHANNELS:,}, but is {shown(value)}")


def shown(value: object, most: int = 40) -> str:
    """A value for a message, cut where it is long: a whole number may have more digits than Python writes."""
    if isinstance(value, int) and abs(value) >= 10**most:
        return f"a number of more than {most} digits"
    text = ascii(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def require_bool(**values: bool) -> None:
    """Every value must be true or false."""
    for name, value in values.items():
        if type(value) is not bool:
            raise ArchitectureError(f"{name} must be true or false, but is {value!r}")


def require_divides(groups: int, channels: int, what: str) -> None:
    """Groups must divide the channels they partition."""
    if channels % groups:
        raise ArchitectureError(f"{groups} groups do not divide the {channels} channels of {what}")
