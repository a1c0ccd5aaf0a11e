"""What one trial of one variant gave, and what follows from it."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One trial: from an architecture to its validation accuracy in a process that was warm.

    seconds: all of it: build, first calls, compiling or capturing, training, validation after every epoch.
    epoch_seconds: each epoch with its validation. losses: the mean training loss of each epoch. accuracy: validation,
    in percent, after the last epoch. memory_mb: largest resident memory, loader processes included. device_mb: largest
    memory that torch held on the device; left_mb: allocated and reserved there when the trial was over. ran: the kind
    of steps that igcnas took.
    """

    seconds: float
    epoch_seconds: tuple[float, ...]
    steps: int
    losses: tuple[float, ...]
    accuracy: float
    memory_mb: float | None = None
    device_mb: float | None = None
    left_mb: tuple[float, float] | None = None
    ran: str = ""

    @property
    def steady(self) -> float:
        """Seconds of an epoch once everything is warm: the median but for the first; NaN of a single epoch."""
        return statistics.median(self.epoch_seconds[1:]) if len(self.epoch_seconds) > 1 else math.nan

    @property
    def step_ms(self) -> float:
        """Milliseconds of a step in a steady epoch, its part of the validation included."""
        return 1e3 * self.steady / self.steps

    @property
    def fixed(self) -> float:
        """Seconds that do not grow with epochs: building, compiling, capturing, first calls."""
        return self.seconds - len(self.epoch_seconds) * self.steady


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a trial has no outcome; over: it ran past its limit."""

    reason: str
    over: bool = False
