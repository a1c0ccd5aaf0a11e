"""A search by a stand-in that trains nothing, in a space of small networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from igcnas.data.loading import load_dataset
from igcnas.network.architecture import Architecture
from igcnas.network.cost import count
from igcnas.search.evaluation import OnEpoch, Outcome
from igcnas.search.records import TrialRecord
from igcnas.search.settings import DataSettings, StudySettings
from igcnas.search.space import BasicFamily, InterleavedFamily, InvertedFamily, SearchSpace
from igcnas.training.reports import EpochReport
from igcnas.training.settings import TrainingSettings

TRAINING = TrainingSettings(epochs=2)
DATA = DataSettings.of(load_dataset("digits"), TRAINING, spec="digits", data_dir=None, image_size=None)
SMALL = SearchSpace(
    name="small",
    families=(
        BasicFamily(),
        InterleavedFamily(M=(1, 2, 4), learned=(False, True)),
        InvertedFamily(name="igcv3", expansion=(2, 4), G1=(2,), G2=(2, 4), expand_activation=False),
    ),
    stages=2,
    depths=(1, 2),
)
BUDGET = 60_000


def settings_of(space: SearchSpace, budget: int = BUDGET, **other: Any) -> StudySettings:
    values: dict[str, Any] = {"objective": "front", "sampler": "tpe", "baselines": False, "seed": 0} | other
    values |= {"space": space.to_dict(), "space_path": space.name, "data": DATA, "training": TRAINING}
    return StudySettings(budget_macs=budget, **values)


class Quiet:
    """A Progress that only remembers its notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def started(self, record: TrialRecord) -> None:
        pass

    def epoch(self, number: int, report: EpochReport) -> None:
        pass

    def finished(self, record: TrialRecord) -> None:
        pass


def results_of(architecture: Architecture) -> dict[str, Any]:
    """Made up from the id: fixed for a network, and of no pattern that a space could be searched for."""
    accuracy = int(architecture.id[:4], 16) / 655.36
    cost = count(architecture)
    return {
        "val_accuracy": accuracy,
        "seconds": 0.5,
        "device": "stand-in",
        "steps": "program",
        "measured_macs": cost.macs,
        "measured_params": cost.params,
        "peak_memory_mb": 1.0,
        "curve": [[1, 2.0, accuracy / 2], [2, 1.0, accuracy]],
        "latency_ms": None,
        "latency_iqr_ms": None,
    }


class Trainings:
    """A stand-in for training that remembers what it was given; `before` may interrupt the one of a position."""

    def __init__(self, before: Callable[[int], Outcome | None] = lambda _position: None) -> None:
        self.before = before
        self.networks: list[Architecture] = []
        self.folders: list[Path] = []

    def __call__(self, architecture: Architecture, folder: Path, on_epoch: OnEpoch, repeat: int = 0) -> Outcome:
        self.networks.append(architecture)
        self.folders.append(folder)
        for epoch in (1, 2):
            on_epoch(EpochReport(epoch=epoch, train_loss=1.0, val_accuracy=50.0))
        return self.before(len(self.networks)) or Outcome(results=results_of(architecture))


def raising(error: BaseException, position: int) -> Callable[[int], Outcome | None]:
    def before(now: int) -> Outcome | None:
        if now == position:
            raise error
        return None

    return before
