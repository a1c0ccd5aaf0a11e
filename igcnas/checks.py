"""One-line checks that the frozen data of the core share."""

from __future__ import annotations

from igcnas.errors import ArchitectureError


def require(condition: bool, message: str) -> None:
    """Raise ArchitectureError with this message unless the condition holds."""
    if not condition:
        raise ArchitectureError(message)


def require_positive(**values: int) -> None:
    """Every value must be an int of at least 1; the message names the first that is not."""
    for name, value in values.items():
        if type(value) is not int or value < 1:
            raise ArchitectureError(f"{name} must be a positive integer, but is {value!r}")


def require_bool(**values: bool) -> None:
    """Every value must be true or false."""
    for name, value in values.items():
        if type(value) is not bool:
            raise ArchitectureError(f"{name} must be true or false, but is {value!r}")


def require_divides(groups: int, channels: int, what: str) -> None:
    """Groups must divide the channels they partition."""
    if channels % groups:
        raise ArchitectureError(f"{groups} groups do not divide the {channels} channels of {what}")
