"""One training of a trial, in its own files: there whole or not at all, and exact after any kill.

    L32M4-rate0.6-seed7.json     the result; it is there once the training is done
    L32M4-rate0.6-seed7.pt       its checkpoint while it runs
    L32M4-rate0.6-tuning2.json   of a training that only chose a learning rate

All networks of a repeat have the same seed: the same images, the same order of them, the same stream of random numbers
for the first weights. The weights of the last epoch are tested once.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypedDict

import torch

from igcnas.data.augmentation import Augmentation
from igcnas.data.dataset import Dataset
from igcnas.errors import CaptureError, StudyError, TrainingError
from igcnas.network.plan import plan
from igcnas.system.files import read_back, remove, write_text
from igcnas.system.reading import parse_json
from igcnas.training.device import describe
from igcnas.training.engine import Engine
from igcnas.training.metrics import accuracy
from igcnas.training.recipes import short_recipe
from igcnas.training.tensors import ImageTensors, TrainingData

from .data import images_of
from .networks import Entrant
from .settings import TrialSettings

CHECKPOINT_SECONDS = 15.0
_AGAIN = "that network is trained again"
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One training to do; repeat counts from 0."""

    entrant: Entrant
    rate: float
    repeat: int
    tuning: bool = False

    @property
    def stem(self) -> str:
        """Name of its files."""
        kind = "tuning" if self.tuning else "seed"
        return f"{self.entrant.name.replace(' ', '-')}-rate{self.rate:g}-{kind}{self.repeat}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a training gave. failed: why there is no accuracy, else None."""

    network: str
    rate: float
    repeat: int
    right: int
    images: int
    train_loss: float | None
    seconds: float
    device: str
    failed: str | None

    @property
    def accuracy(self) -> float:
        """In percent."""
        return 100.0 * self.right / self.images


class _Identity(TypedDict):
    architecture_id: str
    training_seed: int


def read(folder: Path, training: Training, settings: TrialSettings) -> Outcome | None:
    """The result of a training; None where it is not done, or damaged. StudyError where it is of another training."""
    path = folder / f"{training.stem}.json"
    content = read_back(path)
    if content is None:
        return None
    try:
        found = parse_json(content, _Identity, where=str(path), advice=_AGAIN)
        outcome = parse_json(content, Outcome, where=str(path), advice=_AGAIN)
    except StudyError as error:
        _note(str(error))
        return None
    if (found["architecture_id"], found["training_seed"]) != _identity(training, settings):
        raise StudyError(f"{path} is of another training; move it away, or start another trial with --out DIR")
    return outcome


def _note(text: str) -> None:
    _LOGGER.warning("note      %s", text)


def train(
    folder: Path,
    training: Training,
    settings: TrialSettings,
    dataset: Dataset,
    device: torch.device,
    *,
    stop: Callable[[], bool] = lambda: False,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Outcome:
    """Train, or go on from the checkpoint, test, and write the result. Raises Stopped after `stop`."""
    checkpoint = folder / f"{training.stem}.pt"
    part, test = images_of(dataset, settings, training.repeat, tuning=training.tuning)
    data = TrainingData.split(part, device, fraction=None, seed=settings.training.seed, augmentation=Augmentation())
    right, loss, seconds, failed = 0, None, 0.0, None
    try:
        engine = Engine(
            plan(training.entrant.architecture),
            data,
            short_recipe(dataclasses.replace(settings.training, learning_rate=training.rate)),
            seed=settings.training_seed(training.repeat, tuning=training.tuning),
            checkpoint=checkpoint,
            checkpoint_seconds=checkpoint_seconds,
            stop=stop,
            engine=settings.training.engine,
        )
        engine.load(_note)
        engine.run()
        percent = accuracy(engine.network, ImageTensors.of(test, device), data.normalize)
        right, loss, seconds = round(percent / 100 * len(test.labels)), engine.curve[-1].train_loss, engine.seconds
    except CaptureError:
        raise  # the same command trains it step by step (igcnas/system/again.py)
    except TrainingError as error:
        if isinstance(error.__cause__, torch.OutOfMemoryError):
            raise  # that of this device at this hour
        failed = str(error)
    outcome = Outcome(
        network=training.entrant.name,
        rate=training.rate,
        repeat=training.repeat,
        right=right,
        images=len(test.labels),
        train_loss=loss,
        seconds=round(seconds, 3),
        device=describe(device),
        failed=failed,
    )
    identity = dict(zip(("architecture_id", "training_seed"), _identity(training, settings), strict=True))
    write_text(folder / f"{training.stem}.json", (json.dumps(identity | asdict(outcome), indent=2) + "\n"))
    remove(checkpoint)
    return outcome


def _identity(training: Training, settings: TrialSettings) -> tuple[str, int]:
    return training.entrant.architecture.id, settings.training_seed(training.repeat, tuning=training.tuning)
