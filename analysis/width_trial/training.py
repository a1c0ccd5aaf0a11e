"""One training of a trial, of a campaign in its folder: there whole or not at all, and exact after any kill.

    L32M4-rate0.6-seed7.json     the result; it is there once the training is done
    L32M4-rate0.6-seed7.pt       its checkpoint while it runs
    L32M4-rate0.6-tuning2.json   of a training that only chose a learning rate

All networks of a repeat have the same seed: the same images, the same order of them, the same stream of random numbers
for the first weights. The weights of the last epoch are tested once.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from igcnas.search.campaign import AGAIN, OtherTrainingError, Training
from igcnas.system.reading import parse_json

from .data import images_of, pooled
from .networks import Entrant
from .settings import TrialSettings

if TYPE_CHECKING:
    from igcnas.data.dataset import Dataset, Split
    from igcnas.search.worker.trainer import Trainer
    from igcnas.training.engine import Engine
    from igcnas.training.tensors import TrainingData


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


@dataclass(frozen=True, slots=True, kw_only=True)
class WidthTraining(Training[Outcome]):
    """One network at one learning rate; repeat counts from 0. tuning: it only helps to choose the rate."""

    trial: TrialSettings
    network: str
    rate: float
    repeat: int
    tuning: bool

    @staticmethod
    def of(
        folder: Path, trial: TrialSettings, entrant: Entrant, *, rate: float, repeat: int, tuning: bool = False
    ) -> WidthTraining:
        """With the name of its files, and the seed of all networks of this repeat."""
        kind = "tuning" if tuning else "seed"
        stem = f"{entrant.name.replace(' ', '-')}-rate{rate:g}-{kind}{repeat}"
        return WidthTraining(
            folder=folder,
            stem=stem,
            title=stem,
            architecture=entrant.architecture,
            settings=dataclasses.replace(trial.training, learning_rate=rate),
            seed=trial.training_seed(repeat, tuning=tuning),
            trial=trial,
            network=entrant.name,
            rate=rate,
            repeat=repeat,
            tuning=tuning,
        )

    def data(self, trainer: Trainer) -> TrainingData:
        """The training images of this repeat."""
        from igcnas.data.augmentation import Augmentation
        from igcnas.training.tensors import TrainingData

        images, seed = self._images(trainer)[0], self.settings.seed
        return TrainingData.split(images, trainer.device, fraction=None, seed=seed, augmentation=Augmentation())

    def result(self, trainer: Trainer, engine: Engine, data: TrainingData) -> Outcome:
        """Right answers on the test images of this repeat."""
        from igcnas.training.metrics import accuracy
        from igcnas.training.tensors import ImageTensors

        test = ImageTensors.of(self._images(trainer)[1], trainer.device)
        percent = accuracy(engine.network, test, data.normalize)
        return Outcome(
            network=self.network,
            rate=self.rate,
            repeat=self.repeat,
            right=round(percent / 100 * len(test)),
            images=len(test),
            train_loss=engine.curve[-1].train_loss,
            seconds=round(engine.seconds, 3),
            device=trainer.device_name,
            failed=None,
        )

    def failed(self, reason: str, trainer: Trainer) -> Outcome:
        """None right."""
        return Outcome(
            network=self.network,
            rate=self.rate,
            repeat=self.repeat,
            right=0,
            images=len(self._images(trainer)[1].labels),
            train_loss=None,
            seconds=0.0,
            device=trainer.device_name,
            failed=reason,
        )

    def text(self, result: Outcome) -> str:
        """With what says whose it is."""
        identity = {"architecture_id": self.architecture.id, "training_seed": self.seed}
        return json.dumps(identity | asdict(result), indent=2) + "\n"

    def parsed(self, content: bytes, *, where: str) -> Outcome:
        """Refused where network or seed are those of another."""
        found = parse_json(content, _Identity, where=where, advice=AGAIN)
        outcome = parse_json(content, Outcome, where=where, advice=AGAIN)
        if (found["architecture_id"], found["training_seed"]) != (self.architecture.id, self.seed):
            raise OtherTrainingError(
                f"{where} is of another training; move it away, or start another trial with --out DIR"
            )
        return outcome

    def told(self, result: Outcome) -> str:
        """Whether it failed; accuracies are for the verdict."""
        return f"failed: {result.failed}" if result.failed else f"{result.seconds:5.1f} s"

    def _images(self, trainer: Trainer) -> tuple[Dataset, Split]:
        """To train on and to test on."""
        if "pooled" not in trainer.kept:
            trainer.kept["pooled"] = pooled(trainer.dataset, self.trial.splits)
        return images_of(trainer.kept["pooled"], self.trial, self.repeat, tuning=self.tuning)
