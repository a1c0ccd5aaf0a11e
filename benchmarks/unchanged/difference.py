"""Two measurements beside each other."""

from __future__ import annotations

from benchmarks.unchanged.files import Facts

_ABSENT = "absent"


def differences(one: Facts, other: Facts, *, words: bool = True) -> list[str]:
    """A line for each fact that differs or is in one alone, in order.

    Args:
        one: the facts before.
        other: the facts after.
        words: whether text and pictures count.
    """
    return [
        f"{key}: {one.get(key, _ABSENT)} -> {other.get(key, _ABSENT)}"
        for key in sorted(one.keys() | other.keys())
        if one.get(key) != other.get(key) and (words or not key.endswith("(words)"))
    ]
