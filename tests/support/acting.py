"""A campaign of two trainings by real workers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from igcnas.results.retraining import FinalistTraining
from igcnas.search.campaign import Training
from igcnas.search.evaluation import ProcessEvaluator, Slot
from igcnas.search.settings import DataSettings
from igcnas.search.worker import WorkerSetup
from igcnas.training.reports import EpochReport
from support.campaigns import (
    PAIR,
    SHORT,
    WHOLE,
    Silent,
    retrain_settings,
)

DATA = DataSettings.of(WHOLE, SHORT, spec="digits", data_dir=None, image_size=None)
SETUP = WorkerSetup(data=DATA, training=SHORT, device="cpu", images="all")
OFTEN = dataclasses.replace(SETUP, checkpoint_seconds=0.0)
ONE_THREAD = Slot(device="cpu", threads=1)


def two(**how: Any) -> ProcessEvaluator:
    return ProcessEvaluator(OFTEN, slots=[ONE_THREAD] * 2, **how)


def training(folder: Path, place: int = 0, **changes: Any) -> FinalistTraining:
    return FinalistTraining.of(folder, retrain_settings(**changes), PAIR[place], 0)


class Acting(Silent):
    """Does something once, in the first epoch of the first training that is heard of."""

    def __init__(self, act: Callable[[], None]) -> None:
        self.act, self.acted, self.ended = act, False, list[str]()

    def epoch(self, training: Training[Any], report: EpochReport) -> None:
        if not self.acted:
            self.acted = True
            self.act()

    def finished(self, training: Training[Any], result: Any) -> None:
        self.ended.append(training.stem)
