"""From an architecture to its validation accuracy by a short schedule: what a search does with each network."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from igcnas.errors import TrainingError
from igcnas.network.architecture import Architecture
from igcnas.network.plan import plan
from igcnas.training.engine import Engine
from igcnas.training.metrics import Scores
from igcnas.training.recipes import recipe_for
from igcnas.training.reports import EpochReport
from igcnas.training.settings import BALANCED, TrainingSettings
from igcnas.training.tensors import TrainingData

__all__ = ["EpochReport", "TrainResult", "train"]

# A checkpoint costs some milliseconds; a training that is killed loses this many seconds at most.
_CHECKPOINT_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainResult:
    """What a training gives: the last epoch's accuracy, the curve, the seconds, and the network as it then is.

    ended_early: `on_epoch` asked for it, and the schedule is not complete. steps: what ran, a `Steps.kind`. scores: on
    the validation images, where they were counted for each class.
    """

    val_accuracy: float
    curve: tuple[EpochReport, ...]
    seconds: float
    network: nn.Sequential
    scores: Scores | None = None
    ended_early: bool = False
    steps: str = "eager"


class _EndedEarly(Exception):  # noqa: N818 - not an error
    """`on_epoch` wants no further epoch."""


def train(
    architecture: Architecture,
    data: TrainingData,
    settings: TrainingSettings,
    *,
    repeat: int = 0,
    on_epoch: Callable[[EpochReport], bool | None] = lambda _report: None,
    checkpoint: Path | None = None,
    checkpoint_seconds: float | None = None,
    restart: Callable[[str], None] = lambda _reason: None,
    capture: bool | None = None,
) -> TrainResult:
    """Train from scratch, or go on from the checkpoint if there is one: on a CPU with the same result to the bit.

    on_epoch may return True to end the training after that epoch. A training that goes on tells its curve again first.
    checkpoint_seconds: how often to save; None for the usual. restart: told where a checkpoint that is there cannot be
    taken up, and the training begins again. capture: on CUDA, whether the step is captured in a graph; None: where the
    proof on this machine found that right.

    Another `repeat` is another seed: of the first weights and of all that is random in training, not of the split.
    Raises TrainingError where the loss is not finite or the device runs out of memory, CaptureError where the step
    cannot be captured or what was captured is wrong.
    """
    try:
        often = _CHECKPOINT_SECONDS if checkpoint_seconds is None else checkpoint_seconds
        training = _Training(architecture, data, settings, repeat, checkpoint, often, capture)
        training.load(restart)
    except torch.OutOfMemoryError as error:
        raise TrainingError(f"out of memory: {str(error).splitlines()[0]}") from error
    epochs = settings.epochs

    def told(report: EpochReport) -> None:
        nonlocal epochs
        if on_epoch(report) and report.epoch < settings.epochs:
            epochs = report.epoch
            raise _EndedEarly

    with suppress(_EndedEarly):
        training.run(told)
    curve = tuple(training.curve[:epochs])
    return TrainResult(
        val_accuracy=curve[-1].val_accuracy,
        curve=curve,
        seconds=training.seconds,
        network=training.network,
        ended_early=epochs < settings.epochs,
        scores=_scores(training),
        steps=training.steps.kind,
    )


def _scores(training: Engine) -> Scores | None:
    """Of a training by a metric that counts classes; a checkpoint of its end has the curve alone."""
    if training.metric != BALANCED:
        return None
    if training.scores is None:
        training.scores = training.evaluate()
        training.steps.close()
    return training.scores


class _Training(Engine):
    """The engine as a search runs it."""

    def __init__(
        self,
        architecture: Architecture,
        data: TrainingData,
        settings: TrainingSettings,
        repeat: int = 0,
        checkpoint: Path | None = None,
        checkpoint_seconds: float = _CHECKPOINT_SECONDS,
        capture: bool | None = None,
    ) -> None:
        super().__init__(
            plan(architecture),
            data,
            recipe_for(settings),
            seed=settings.network_seed(architecture.id, repeat),
            checkpoint=checkpoint,
            checkpoint_seconds=checkpoint_seconds,
            engine=settings.engine,
            capture=capture,
            metric=settings.metric,
        )
