"""The trainings of a retraining: one after the other, each with its own files, exact after any kill.

studies/NAME/retrain-30/settings.json             what is trained, how, how often
                        trial-12-seed0.json       the result of one training; it is there once the training is done
                        trial-12-seed0.safetensors    its weights; igcnas evaluate reads them
                        trial-12-seed0.pt         its checkpoint while it runs
                        table.md, table.csv, accuracies.png    at the end

Every training is on the training and the validation images together, so that nothing steers it: the weights of the last
epoch are the result. They are tested once, when they are done. All networks get their first seed before any gets its
second.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

import torch

from igcnas.data.augmentation import Augmentation
from igcnas.data.dataset import Dataset
from igcnas.errors import CaptureError, StudyError, TrainingError
from igcnas.modules.lowering import lower
from igcnas.network.cost import count_plan
from igcnas.network.plan import plan
from igcnas.results.retraining.plan import Finalist, RetrainSettings
from igcnas.results.retraining.table import Result
from igcnas.system.files import read_back, remove, write_text
from igcnas.system.reading import parse_json
from igcnas.training.device import describe
from igcnas.training.engine import Engine, Stopped
from igcnas.training.metrics import accuracy
from igcnas.training.recipes import short_recipe
from igcnas.training.runs.weights import Checkpoint
from igcnas.training.settling import settle_on
from igcnas.training.tensors import ImageTensors, TrainingData

if TYPE_CHECKING:
    from igcnas.training.engine import EpochReport

_AGAIN = "that network is trained again"

__all__ = ["Observer", "Retraining", "Stopped", "Training"]


class Observer(Protocol):
    """Who is told how it goes."""

    def started(self, training: Training) -> None:
        """One training begins, or is taken up."""
        ...

    def epoch(self, report: EpochReport) -> None:
        """One more epoch of it; those of earlier runs come first."""
        ...

    def finished(self, training: Training, result: Result) -> None:
        """It is done."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One training of one network; repeat counts from 0."""

    finalist: Finalist
    repeat: int

    @property
    def stem(self) -> str:
        """Name of its files."""
        name = "".join(letter if letter.isalnum() else "-" for letter in self.finalist.name.lower())
        return f"{name}-seed{self.repeat}"


class Retraining:
    """All trainings of the settings, in their folder. `run` trains what is missing.

    stop: asked at each step. checkpoint_seconds: between checkpoints, 0 for one before each step.
    note: told of files that cannot be read back, whose networks are trained again.
    """

    def __init__(
        self,
        folder: Path,
        settings: RetrainSettings,
        dataset: Dataset,
        device: torch.device,
        *,
        stop: Callable[[], bool] = lambda: False,
        checkpoint_seconds: float = 15.0,
        note: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self.folder, self.settings, self.dataset, self.device = folder, settings, dataset, device
        self.stop, self.checkpoint_seconds, self.note = stop, checkpoint_seconds, note
        self.trainings = trainings_of(settings)
        self.data = TrainingData.split(
            dataset, device, fraction=None, seed=settings.training.seed, augmentation=Augmentation()
        )

    def results(self) -> dict[Training, Result]:
        """Those of the trainings that are done."""
        return read_results(self.folder, self.settings, note=self.note)

    def run(self, observer: Observer) -> list[Result]:
        """Train what is missing; the results of all. Raises Stopped after `stop`, with a checkpoint written."""
        done = self.results()
        for training in done:
            remove(self.folder / f"{training.stem}.pt")  # of a run that ended between the result and this
        for training in self.trainings:
            if training not in done:
                observer.started(training)
                done[training] = self._train(training, observer)
                observer.finished(training, done[training])
        return [done[training] for training in self.trainings]

    def _train(self, training: Training, observer: Observer) -> Result:
        checkpoint = self.folder / f"{training.stem}.pt"
        try:
            result = self._trained(training, checkpoint, observer)
        except CaptureError:
            raise  # the same command trains it step by step (igcnas/system/again.py)
        except TrainingError as error:
            if isinstance(error.__cause__, torch.OutOfMemoryError):
                raise  # that of this device at this hour; the same training may do well at another
            result = _failed(training, str(error), describe(self.device))
        identity = {
            "architecture_id": training.finalist.architecture.id,
            "training_seed": self.settings.seed(training.finalist, training.repeat),
        }
        content = json.dumps(identity | result.to_dict(), indent=2) + "\n"
        write_text(self.folder / f"{training.stem}.json", content)
        remove(checkpoint)
        return result

    def _trained(self, training: Training, checkpoint: Path, observer: Observer) -> Result:
        network_plan = plan(training.finalist.architecture)
        engine = Engine(
            network_plan,
            self.data,
            short_recipe(self.settings.training),
            seed=self.settings.seed(training.finalist, training.repeat),
            checkpoint=checkpoint,
            checkpoint_seconds=self.checkpoint_seconds,
            stop=self.stop,
            engine=self.settings.training.engine,
        )
        engine.load(self.note)
        engine.run(observer.epoch)
        engine.save()
        settle_on(network_plan, engine.network, self.data, self.data.training)
        measured = count_plan(lower(network_plan, engine.network).plan)
        test = ImageTensors.of(self.dataset.load_test(), self.device)
        percent = accuracy(engine.network, test, self.data.normalize)
        self._write_weights(training, engine)
        return Result(
            network=training.finalist.name,
            repeat=training.repeat,
            test_right=round(percent / 100 * len(test)),
            test_images=len(test),
            macs=measured.macs,
            params=measured.params,
            train_loss=engine.curve[-1].train_loss,
            seconds=round(engine.seconds, 3),
            device=describe(self.device),
            failed=None,
        )

    def _write_weights(self, training: Training, engine: Engine) -> None:
        settings = self.settings
        facts: dict[str, Any] = {
            "name": settings.data_name,
            "fingerprint": settings.data_fingerprint,
            "streamed": False,
            "validation": None,
            "seed": settings.training.seed,
            "crop": self.data.augmentation.crop,
            "centre": self.data.augmentation.centre,
        }
        Checkpoint(
            architecture=training.finalist.architecture,
            state=engine.network.state_dict(),
            mean=tuple(self.data.mean.tolist()),
            std=tuple(self.data.std.tolist()),
            classes=self.dataset.classes,
            epoch=len(engine.curve),
            data=facts,
        ).write(self.folder / f"{training.stem}.safetensors")


def trainings_of(settings: RetrainSettings) -> tuple[Training, ...]:
    """All trainings of the settings; first every network once."""
    return tuple(
        Training(finalist=finalist, repeat=repeat)
        for repeat in range(settings.seeds)
        for finalist in settings.finalists
    )


def read_results(
    folder: Path, settings: RetrainSettings, *, note: Callable[[str], None] = lambda _text: None
) -> dict[Training, Result]:
    """The results in the folder of a retraining; `note` is told of those that are damaged, which count as missing.

    Raises StudyError for one of another training.
    """
    found = {training: _read(folder, settings, training, note) for training in trainings_of(settings)}
    return {training: result for training, result in found.items() if result is not None}


class _Identity(TypedDict):
    training_seed: int
    architecture_id: str


def _read(folder: Path, settings: RetrainSettings, training: Training, note: Callable[[str], None]) -> Result | None:
    path = folder / f"{training.stem}.json"
    content = read_back(path)
    if content is None:
        return None
    try:
        identity = parse_json(content, _Identity, where=str(path), advice=_AGAIN)
        result = parse_json(content, Result, where=str(path), advice=_AGAIN)
    except StudyError as error:
        note(str(error))
        return None
    if identity["training_seed"] != settings.seed(training.finalist, training.repeat):
        raise StudyError(f"{path} is of another training; move it away, or start another with --name NAME")
    return result


def _failed(training: Training, reason: str, device: str) -> Result:
    return Result(
        network=training.finalist.name,
        repeat=training.repeat,
        test_right=0,
        test_images=0,
        macs=0,
        params=0,
        train_loss=None,
        seconds=0.0,
        device=device,
        failed=reason,
    )


def expected_seconds(trainings: Sequence[Training], known: dict[str, float], *, factor: float) -> list[float]:
    """Seconds of each training, from those of the study's own by architecture id; others take the mean of these.

    factor: how much longer a retraining is. NaN where the study knows of none.
    """
    typical = sum(known.values()) / len(known) if known else math.nan
    return [factor * known.get(training.finalist.architecture.id, typical) for training in trainings]
