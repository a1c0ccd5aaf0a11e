"""What a controller spends its time on: seconds of a core and on the wall, by part, each counted once.

The parts are methods of igcnas and of Optuna; while `watched` lasts each call of them is timed. Time within a part that
another part takes is the other's. What is in none of them is the rest: the loop itself.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

# Which call belongs to which part: (module, object or "", name).
_CALLS = {
    "proposal": [("igcnas.search.proposals.proposer", "Proposer", "propose")],
    "journal": [("igcnas.search.storage", "JournalBackend", "append_logs")],
    "records": [
        ("igcnas.search.agenda", "", "records"),
        ("igcnas.search.agenda", "", "counted"),
        ("igcnas.search.agenda", "", "observations"),
        ("igcnas.search.queue", "Queue", "unfinished"),
        ("igcnas.search.queue", "Queue", "waiting"),
        ("igcnas.search.queue", "Queue", "record"),
    ],
    "epochs": [("igcnas.search.flight", "Flight", "epoch")],
    "enter": [("igcnas.search.queue", "Queue", "add"), ("igcnas.search.controller", "Search", "_begin")],
    "tell": [("igcnas.search.flight", "Flight", "tell")],
    "evaluator": [("benchmarks.scale.virtual", "Virtual", "wait"), ("benchmarks.scale.actors", "Actors", "wait")],
}
PARTS = (*_CALLS, "rest")


class Parts:
    """Seconds so far of each part."""

    def __init__(self) -> None:
        self.core = dict.fromkeys(PARTS, 0.0)
        self.wall = dict.fromkeys(PARTS, 0.0)
        self._stack = ["rest"]
        self._core, self._wall = time.thread_time(), time.perf_counter()
        self._begin = self._wall

    def switch(self) -> None:
        """Give the time since the last switch to the part that is on."""
        core, wall = time.thread_time(), time.perf_counter()
        self.core[self._stack[-1]] += core - self._core
        self.wall[self._stack[-1]] += wall - self._wall
        self._core, self._wall = core, wall

    def within(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose time is this part's."""

        @wraps(function)
        def timed(*values: Any, **named: Any) -> Any:
            self.switch()
            self._stack.append(part)
            try:
                return function(*values, **named)
            finally:
                self.switch()
                self._stack.pop()

        return timed

    @property
    def seconds(self) -> float:
        """On the wall, since it began."""
        return self._wall - self._begin

    def told(self) -> dict[str, dict[str, float]]:
        """Seconds of each part so far."""
        self.switch()
        return {"core": dict(self.core), "wall": dict(self.wall)}


@contextmanager
def watched() -> Iterator[Parts]:
    """Time the parts of whatever controller runs in this thread meanwhile."""
    parts = Parts()
    before: list[tuple[Any, str, Any]] = []
    try:
        for part, calls in _CALLS.items():
            for module, owner, name in calls:
                place: Any = importlib.import_module(module)
                place = getattr(place, owner) if owner else place
                before.append((place, name, getattr(place, name)))
                setattr(place, name, parts.within(part, getattr(place, name)))
        yield parts
    finally:
        for place, name, function in before:
            setattr(place, name, function)
