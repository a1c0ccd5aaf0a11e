"""A retraining of small networks on few digits."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from igcnas.data.dataset import Dataset, Split
from igcnas.results.retraining import (
    Result,
    RetrainSettings,
    retraining,
)
from support.campaigns import DIGITS, Here

IMAGES = 359


class Told:
    """An Observer that keeps what it hears in one list with the readings of the test split."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def started(self, training: Any) -> None:
        self.events.append(f"start {training.stem}")

    def epoch(self, training: Any, report: Any) -> None:
        self.events.append(f"epoch {report.epoch}")

    def finished(self, training: Any, result: Result) -> None:
        self.events.append(f"end {training.stem}")

    def watching(self, dataset: Dataset) -> Dataset:
        def load_test() -> Split:
            self.events.append("test")
            return dataset.load_test()

        return dataclasses.replace(dataset, load_test=load_test)


def trained(
    folder: Path, settings: RetrainSettings, told: Told, *, notes: list[str] | None = None, **how: Any
) -> list[Result]:
    """All results of a retraining of the digits."""
    note = [].append if notes is None else notes.append
    workers = Here(told.watching(DIGITS), settings.training, note=note, **how)
    return retraining(folder, settings, note=note).run(workers, told)


def result_of(name: str, repeat: int, right: int) -> Result:
    numbers: dict[str, Any] = {"macs": 10_000, "params": 500, "train_loss": 0.5, "seconds": 1.0}
    return Result(
        network=name, repeat=repeat, test_right=right, test_images=IMAGES, device="cpu", failed=None, **numbers
    )
