"""How long a search waits for a server that is away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

WAIT_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Of a controller. seconds: the bound. note: told once of it, and of its end. stop: asked meanwhile."""

    seconds: float = WAIT_SECONDS
    note: Callable[[str], None] = lambda _text: None
    stop: Callable[[], bool] = lambda: False
