"""A search whose trainings follow made learning curves, so that pruning can be foretold."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from igcnas.network.architecture import Architecture
from igcnas.network.cost import count
from igcnas.search.evaluation import OnEpoch, Outcome
from igcnas.search.folder import open_study
from igcnas.search.settings import StudySettings
from igcnas.training.reports import EpochReport
from igcnas.training.settings import TrainingSettings
from support.searches import BUDGET, DATA, SMALL

EPOCHS = 9


class Curves:
    """A stand-in that learns slowly or fast by the id, stops when told to, and remembers what it trained."""

    def __init__(self, before: Any = lambda _position: None) -> None:
        self.before = before
        self.trained: list[tuple[str, int]] = []

    def __call__(self, architecture: Architecture, folder: Path, on_epoch: OnEpoch, repeat: int = 0) -> Outcome:
        self.trained.append((architecture.id, repeat))
        cost = count(architecture)
        draws = random.Random(f"{architecture.id}/{repeat}")
        final = 90 + int(architecture.id[:4], 16) / 65535 * 4 + 4 * draws.random()  # the network's own, and its seed's
        curve: list[list[float]] = []
        for epoch in range(1, EPOCHS + 1):
            curve.append([epoch, 1.0, final * epoch / EPOCHS])
            ends = on_epoch(EpochReport(epoch=epoch, train_loss=1.0, val_accuracy=curve[-1][2]))
            if epoch == 1:
                self.before(len(self.trained))
            if ends and epoch < EPOCHS:
                break
        measured = {"measured_macs": cost.macs, "measured_params": cost.params}
        shared = {"val_accuracy": curve[-1][2], "seconds": 1.0, "device": "stand-in", "curve": curve}
        pruned = len(curve) < EPOCHS
        return Outcome(results=shared if pruned else shared | measured, pruned=pruned)


def settings_of(**other: Any) -> StudySettings:
    values: dict[str, Any] = {"objective": "front", "sampler": "random", "baselines": False, "seed": 0}
    values |= {"pruner": "halving", "min_epochs": 1} | other
    values |= {"space": SMALL.to_dict(), "space_path": "small", "data": DATA}
    return StudySettings(budget_macs=BUDGET, training=TrainingSettings(epochs=EPOCHS), **values)


def history(folder: Path) -> list[Any]:
    return [
        (
            t.number,
            t.state,
            t.params,
            t.values,
            {k: v for k, v in t.user_attrs.items() if k not in ("starts", "reached", "checkpoint")},
        )
        for t in open_study(folder).trials
    ]
