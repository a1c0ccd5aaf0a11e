"""How sizes and times are said, wherever people read them."""

from __future__ import annotations

import math


def counted(number: int, noun: str, several: str = "") -> str:
    """A number with its noun, the one place that knows how many.

    >>> counted(1, "network"), counted(1200, "network"), counted(2, "repeat of one", "repeats of one")
    ('1 network', '1,200 networks', '2 repeats of one')
    """
    return f"{number:,} {noun if number == 1 else several or noun + 's'}"


def mega(macs: float) -> str:
    """MACs in millions, with three significant digits, as papers print them."""
    return f"{macs / 1e6:.3g}"


def duration(seconds: float) -> str:
    """A time that people say: 40 s, 3 min, 2 h 10 min."""
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
