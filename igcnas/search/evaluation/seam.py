"""The seam between search and training: hand in networks, then wait for the next that has ended.

A training is known by a number of the caller's. Nothing here knows of studies.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from igcnas.network.architecture import Architecture

if TYPE_CHECKING:
    from igcnas.training.reports import EpochReport


class Interrupted(Exception):  # noqa: N818 - not an error
    """The user asked to stop while networks were training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Results to store with a trial, or the reason why there are none. pruned: they are of the epochs so far."""

    results: dict[str, Any] | None = None
    reason: str | None = None
    pruned: bool = False


# Hears each epoch of one training; True ends it there.
OnEpoch = Callable[["EpochReport"], "bool | None"]
# Hears the epochs of all of them, each with the number of its training.
Told = Callable[[int, "EpochReport"], "bool | None"]


class Evaluate(Protocol):
    """Train one network, leave its files in the folder, report each epoch."""

    def __call__(self, architecture: Architecture, folder: Path, on_epoch: OnEpoch, repeat: int = 0) -> Outcome:
        """Train this network with the seed of this repeat, until it is done or on_epoch returns True.

        A training that is taken up tells its curve again, and must hear the same.
        """
        ...


class Evaluator(Protocol):
    """Train several networks at once. slots: how many; it may shrink; what was handed in is trained all the same."""

    @property
    def slots(self) -> int:
        """How many trainings can go on at once."""
        ...

    def submit(self, number: int, architecture: Architecture, folder: Path, repeat: int = 0) -> None:
        """Hand in one training, as for `Evaluate`."""
        ...

    def wait(self, told: Told) -> tuple[int, Outcome]:
        """Number and outcome of the next training that ends; `told` hears epochs of all meanwhile, and may end them."""
        ...


class InTurn:
    """An Evaluator from a plain function: one training after the other, in the order in which they were handed in."""

    def __init__(self, evaluate: Evaluate, *, slots: int = 1) -> None:
        self.slots = slots
        self._evaluate = evaluate
        self._queue: deque[tuple[int, Architecture, Path, int]] = deque()

    def submit(self, number: int, architecture: Architecture, folder: Path, repeat: int = 0) -> None:
        """Keep it until its turn comes."""
        self._queue.append((number, architecture, folder, repeat))

    def wait(self, told: Told) -> tuple[int, Outcome]:
        """Train the first one."""
        number, architecture, folder, repeat = self._queue.popleft()
        return number, self._evaluate(architecture, folder, lambda report: told(number, report), repeat)
