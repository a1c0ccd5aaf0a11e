"""Figures look the same on every machine: drawn by matplotlib's own settings, not by those that a user keeps.

A matplotlibrc, among the user's settings or in the folder where a program runs, is for the user's own figures. One that
asks for LaTeX would end every command that draws where there is none. What a program around igcnas has set comes back:
the settings hold while a figure is drawn or saved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_OF_THE_SESSION = ("backend", "backend_fallback", "interactive", "toolbar")


@contextmanager
def own_style(settings: Mapping[str, Any] | None = None) -> Iterator[None]:
    """For a block, or as a decorator of whatever draws or saves: matplotlib's defaults, and these settings of its."""
    import matplotlib

    style: Any = {name: value for name, value in matplotlib.rcParamsDefault.items() if name not in _OF_THE_SESSION}
    with matplotlib.rc_context(style | dict(settings or {})):
        yield
