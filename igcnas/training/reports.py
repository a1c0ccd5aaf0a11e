"""What a training tells while it goes on. No torch here: the controller of a search hears it and needs none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochReport:
    """One point of a learning curve; accuracies in percent, val_accuracy by the metric of the training.

    val_accuracy is NaN where nothing was put aside for validation. The fields with defaults are None where they were
    not asked for (a search) or say nothing (top-5 of five classes).
    """

    epoch: int
    train_loss: float
    val_accuracy: float
    val_top5: float | None = None
    train_accuracy: float | None = None
    learning_rate: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """How far a training is: `step` of `steps` batches of an epoch are done; epoch is counted from 1."""

    epoch: int
    step: int
    steps: int
