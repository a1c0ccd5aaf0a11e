"""A small retraining, and its trainings in this process, so that a test can see into them."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, TypeVar

import numpy as np

from igcnas.data.dataset import Dataset, take
from igcnas.data.loading import load_dataset
from igcnas.errors import CaptureError
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock
from igcnas.network.grouping import Grouping, Interleaved
from igcnas.results.audit.long import LongTraining
from igcnas.results.retraining import Finalist, FinalistTraining, RetrainSettings
from igcnas.search.campaign import Campaign, Training
from igcnas.search.evaluation import Interrupted, Outcome
from igcnas.search.evaluation.seam import Told
from igcnas.search.settings import DataSettings
from igcnas.search.worker import Work, WorkerSetup
from igcnas.search.worker.trainer import Trainer
from igcnas.training.engine import Stopped
from igcnas.training.reports import EpochReport
from igcnas.training.settings import TrainingSettings

Result = TypeVar("Result")

WHOLE = load_dataset("digits")
# Five steps an epoch: enough to be hit in the middle.
DIGITS = dataclasses.replace(WHOLE, train=take(WHOLE.train, np.arange(340)))
SHORT = TrainingSettings(epochs=2, learning_rate=0.6)


def network(width: int, grouping: Grouping | None = None) -> Architecture:
    block = BasicBlock(grouping=grouping or Interleaved(L=width // 2, M=2))
    stage = Stage(block=block, width=width, repeats=1, stride=2)
    return Architecture(family="test", input_shape=(1, 8, 8), num_classes=10, stem_channels=4, stages=(stage,))


def finalist(name: str, architecture: Architecture, *, published: bool = False) -> Finalist:
    number = None if published else int(name.split()[1])
    return Finalist(
        name=name, published=published, number=number, architecture=architecture, val_accuracy=None, trainings=0
    )


PAIR = (finalist("trial 3", network(4)), finalist("Known", network(8), published=True))


def retrain_settings(
    finalists: Sequence[Finalist] = PAIR, *, seeds: int = 2, epochs: int = 2, margin: float = 0.5
) -> RetrainSettings:
    return RetrainSettings(
        data_name="digits",
        data_fingerprint=DIGITS.fingerprint(),
        budget_macs=30_000,
        training=dataclasses.replace(SHORT, epochs=epochs),
        seeds=seeds,
        top=1,
        trials=None,
        margin=margin,
        finalists=tuple(finalists),
    )


def long_training(
    folder: Path, architecture: Architecture, settings: TrainingSettings, *, number: int = 0
) -> LongTraining:
    """Of an audit."""
    record: Any = SimpleNamespace(architecture=architecture, baseline=None, val_accuracy=50.0)
    return LongTraining.of(folder, record, settings, number=number, repeat=0)


class _Loaded:
    """Data settings of what is there already."""

    def __init__(self, dataset: Dataset) -> None:
        self.input_shape, self.load = dataset.input_shape, lambda: dataset
        self.trained_on = DataSettings.of(dataset, SHORT, spec=dataset.name, data_dir=None, image_size=None).trained_on


class Here:
    """The workers of a campaign: one, in this process. An error of a training is raised, and a stop as Interrupted."""

    slots, device_name = 1, "cpu"

    def __init__(
        self,
        dataset: Dataset,
        training: TrainingSettings,
        *,
        images: Literal["split", "all", "none"] = "all",
        stop: Callable[[], bool] = lambda: False,
        checkpoint_seconds: float | None = None,
        note: Callable[[str], None] = lambda _text: None,
    ) -> None:
        data: Any = _Loaded(dataset)
        setup = WorkerSetup(
            data=data, training=training, device="cpu", images=images, checkpoint_seconds=checkpoint_seconds
        )
        self.trainer = Trainer(setup, note=note, stop=stop)
        self._queue: deque[tuple[int, Work]] = deque()

    def hand_in(self, number: int, work: Work, *, name: str) -> None:
        assert name
        self._queue.append((number, work))

    def wait(self, told: Told) -> tuple[int, Outcome]:
        number, work = self._queue.popleft()
        try:
            return number, Outcome(results=work.run(self.trainer, lambda report: bool(told(number, report)))[0])
        except Stopped:
            raise Interrupted from None


class Silent:
    """An Observer that hears nothing."""

    def started(self, training: Training[Any]) -> None:
        pass

    def epoch(self, training: Training[Any], report: EpochReport) -> None:
        pass

    def finished(self, training: Training[Any], result: Any) -> None:
        pass


def trained_alone(training: Training[Result], workers: Here) -> Result:
    """The result of this training alone."""
    (result,) = Campaign([training]).run(workers, Silent())
    return result


@dataclasses.dataclass(frozen=True, kw_only=True)
class Uncaptured(FinalistTraining):
    """A training whose step a GPU could not capture."""

    @staticmethod
    def like(training: FinalistTraining) -> Uncaptured:
        return Uncaptured(**{field.name: getattr(training, field.name) for field in dataclasses.fields(training)})

    def run(self, trainer: Trainer, on_epoch: Callable[[EpochReport], bool]) -> Any:
        if self.capture is not False:
            raise CaptureError("CUDA could not capture the step of this network")
        return super().run(trainer, on_epoch)
