"""A fixed list of trainings in a folder, each with a file of its own, on as many workers as there are.

    NAME.json    the result of one training; it is there, whole, once the training is done
    NAME.pt      its checkpoint while it runs

What is done is not trained again; what was interrupted goes on from its checkpoint, on a CPU to the same bits. A result
depends on the training alone, not on who trains it or beside what. It is what the training gives each time it is tried,
also that it diverges; what a machine did to it (no memory for it, a process that dies twice) is a result only where its
kind says so, and else ends the campaign. A search is the same with a list that grows (`search.controller`).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from igcnas.errors import CaptureError, StudyError, TrainingError
from igcnas.network.architecture import Architecture
from igcnas.search.evaluation.seam import Outcome, Told
from igcnas.search.worker.memory import lack_of_memory
from igcnas.search.worker.work import Work
from igcnas.system.files import read_back, remove, write_text
from igcnas.training.settings import TrainingSettings

if TYPE_CHECKING:
    from igcnas.search.worker.trainer import Trainer
    from igcnas.training.engine import Engine
    from igcnas.training.recipes import Recipe
    from igcnas.training.reports import EpochReport
    from igcnas.training.targets import Teacher
    from igcnas.training.tensors import TrainingData

Result = TypeVar("Result")

AGAIN = "that network is trained again"
_CHECKPOINT_SECONDS = 15.0


class OtherTrainingError(StudyError):
    """A file of a result is of another training than the one that is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training(Work, Generic[Result]):
    """One training of a campaign, in this folder. Each kind says what it trains on, and what its result is.

    stem: name of its files, which no other training of the campaign has; a part of a path where they lie deeper. title:
    of it for the user. seed: of the first weights, and of all that is random in training.
    """

    folder: Path
    stem: str
    title: str
    architecture: Architecture
    settings: TrainingSettings
    seed: int

    def data(self, trainer: Trainer) -> TrainingData:
        """What it trains on: those images that the worker has from the start."""
        return trainer.data

    def whole_recipe(self) -> Recipe:
        """By which it is trained: that of its settings."""
        from igcnas.training.recipes import recipe_for

        return recipe_for(self.settings)

    def teacher(self, trainer: Trainer, data: TrainingData) -> Teacher | None:
        """Whose answers are part of its targets; None where nobody teaches."""
        return None

    @abstractmethod
    def result(self, trainer: Trainer, engine: Engine, data: TrainingData) -> Result:
        """What it gives, after its last epoch. Other files than that of the result are written here."""

    @abstractmethod
    def failed(self, reason: str, trainer: Trainer) -> Result:
        """What it gives where it fails, as it will each time."""

    def given_up(self, reason: str, device: str) -> Result | None:
        """What it gives where no worker could do it; None where that ends the campaign."""
        return None

    @abstractmethod
    def text(self, result: Result) -> str:
        """The result as its file holds it."""

    @abstractmethod
    def parsed(self, content: bytes, *, where: str) -> Result:
        """The result from its file; StudyError where it is damaged, OtherTrainingError where it is of another one."""

    @abstractmethod
    def told(self, result: Result) -> str:
        """The result in a few words, as a line of progress says it."""

    @property
    def label(self) -> str:
        """The network."""
        return self.architecture.label()

    @property
    def home(self) -> Path:
        """That of the campaign."""
        return self.folder

    @property
    def reads(self) -> tuple[str, ...]:
        """The checkpoint, and what it left where only that was not told."""
        return tuple(f"{self.stem}.{ending}" for ending in ("pt", "safetensors", "json"))

    def moved(self, home: Path) -> Self:
        """With the folder of another machine."""
        return replace(self, folder=home)

    @property
    def path(self) -> Path:
        """Of the result."""
        return self.folder / f"{self.stem}.json"

    @property
    def checkpoint(self) -> Path:
        """Where it leaves its checkpoint."""
        return self.folder / f"{self.stem}.pt"

    def read(self, note: Callable[[str], None] = lambda _text: None) -> Result | None:
        """The result, if it got so far; `note` is told of one that is damaged, which counts as none."""
        content = read_back(self.path)
        if content is None:
            return None
        try:
            return self.parsed(content, where=str(self.path))
        except OtherTrainingError:
            raise
        except StudyError as error:
            note(str(error))
            return None

    def write(self, result: Result) -> None:
        """Leave the result, then drop the checkpoint: a kill between them costs nothing."""
        write_text(self.path, self.text(result))
        remove(self.checkpoint)

    def run(self, trainer: Trainer, on_epoch: Callable[[EpochReport], bool]) -> tuple[dict[str, Any], bool]:
        """Train, or go on from the checkpoint, and write the result. Raises Stopped after `trainer.stop`."""
        if self.read() is not None:  # by a process that ended before it could say so
            return {}, False
        try:
            result, steps = self._trained(trainer, on_epoch)
        except CaptureError:
            raise
        except TrainingError as error:
            if lack_of_memory(error) is not None:
                raise
            result, steps = self.failed(str(error), trainer), ""
        self.write(result)
        return {"steps": steps}, False

    def _trained(self, trainer: Trainer, on_epoch: Callable[[EpochReport], bool]) -> tuple[Result, str]:
        from igcnas.network.plan import plan
        from igcnas.training.engine import Engine

        data, often = self.data(trainer), trainer.setup.checkpoint_seconds
        engine = Engine(
            plan(self.architecture),
            data,
            self.whole_recipe(),
            seed=self.seed,
            checkpoint=self.checkpoint,
            checkpoint_seconds=_CHECKPOINT_SECONDS if often is None else often,
            stop=trainer.stop,
            engine=self.settings.engine,
            capture=trainer.captures(self.capture),
            teacher=self.teacher(trainer, data),
            metric=self.settings.metric,
        )
        engine.load(trainer.note)

        def told(report: EpochReport) -> None:
            on_epoch(report)

        engine.run(told)
        engine.save()
        return self.result(trainer, engine, data), engine.steps.kind


class Workers(Protocol):
    """Who trains: an evaluator. slots: how many at once; it may shrink."""

    @property
    def slots(self) -> int:
        """How many trainings can go on at once."""
        ...

    @property
    def device_name(self) -> str:
        """The hardware that they run on."""
        ...

    def hand_in(self, number: int, work: Work, *, name: str) -> None:
        """Hand in one training."""
        ...

    def wait(self, told: Told) -> tuple[int, Outcome]:
        """Number and outcome of the next that ends; `told` hears epochs of all meanwhile."""
        ...


class Observer(Protocol):
    """Who is told how it goes. With several workers trainings end in any order."""

    def started(self, training: Training[Any]) -> None:
        """One training begins, or is taken up."""
        ...

    def epoch(self, training: Training[Any], report: EpochReport) -> None:
        """One more epoch of it; those of earlier runs come first."""
        ...

    def finished(self, training: Training[Any], result: Any) -> None:
        """It is done."""
        ...


class Campaign(Generic[Result]):
    """These trainings, in this order. note: told once of each result that is damaged; it is trained again."""

    def __init__(
        self, trainings: Sequence[Training[Result]], *, note: Callable[[str], None] = lambda _text: None
    ) -> None:
        self.trainings, self._note = tuple(trainings), note
        self._noted: set[str] = set()

    def note(self, text: str) -> None:
        """Tell it, unless it was told."""
        if text not in self._noted:
            self._noted.add(text)
            self._note(text)

    def results(self) -> dict[str, Result]:
        """Those of the trainings that are done, by their stems, in the order of the list."""
        found = {training.stem: training.read(self.note) for training in self.trainings}
        return {stem: result for stem, result in found.items() if result is not None}

    def missing(self) -> list[Training[Result]]:
        """What is still to be trained."""
        done = self.results()
        return [training for training in self.trainings if training.stem not in done]

    def run(self, workers: Workers, observer: Observer) -> list[Result]:
        """Train what is missing; the results of all. Whoever stops the workers stops it: nothing is lost."""
        done = self.results()
        for training in self.trainings:
            if training.stem in done:
                remove(training.checkpoint)  # of a run that ended between the result and this
        waiting = deque(pair for pair in enumerate(self.trainings) if pair[1].stem not in done)
        running: dict[int, Training[Result]] = {}
        while waiting or running:
            while waiting and len(running) < workers.slots:
                number, training = waiting.popleft()
                running[number] = training
                observer.started(training)
                workers.hand_in(number, training, name=training.title)
            number, outcome = workers.wait(lambda number, report: observer.epoch(running[number], report))
            training = running.pop(number)
            result = _result_of(training, outcome, workers.device_name)
            done[training.stem] = result
            observer.finished(training, result)
        return [done[training.stem] for training in self.trainings]


def _result_of(training: Training[Result], outcome: Outcome, device: str) -> Result:
    """What it left; TrainingError where that is nothing."""
    if outcome.reason is None:
        result, reason = training.read(), f"its result cannot be read back from {training.path}"
    else:
        result, reason = training.given_up(outcome.reason, device), outcome.reason
        if result is not None:
            training.write(result)
    if result is None:
        raise TrainingError(f"{training.title}: {reason}; nothing is lost, the same command tries again")
    return result


def expected_seconds(
    trainings: Sequence[Training[Any]], known: Mapping[str, float], *, factor: float
) -> dict[str, float]:
    """Seconds of each training by its stem, from those of the study's own by architecture id; others take their mean.

    factor: how much longer each is than that of the study. NaN where the study knows of none.
    """
    typical = sum(known.values()) / len(known) if known else math.nan
    return {training.stem: factor * known.get(training.architecture.id, typical) for training in trainings}
