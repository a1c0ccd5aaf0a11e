"""The trainings of a retraining: a campaign in the folder of the study, exact after any kill.

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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from igcnas.results.retraining.plan import Finalist, RetrainSettings
from igcnas.results.retraining.table import Result
from igcnas.results.whole import Identity, WholeTraining
from igcnas.search.campaign import Campaign

if TYPE_CHECKING:
    from igcnas.search.worker.trainer import Trainer
    from igcnas.training.engine import Engine
    from igcnas.training.tensors import TrainingData


class _Identity(Identity):
    architecture_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalistTraining(WholeTraining[Result]):
    """One training of one finalist; repeat counts from 0."""

    finalist: str
    repeat: int

    @staticmethod
    def of(folder: Path, settings: RetrainSettings, finalist: Finalist, repeat: int) -> FinalistTraining:
        """With the name of its files, and a seed that the search has not used."""
        return FinalistTraining(
            folder=folder,
            stem=f"{stem_of(finalist.name)}-seed{repeat}",
            title=f"{finalist.name}, seed {repeat}",
            architecture=finalist.architecture,
            settings=settings.training,
            seed=settings.seed(finalist, repeat),
            finalist=finalist.name,
            repeat=repeat,
        )

    def result(self, trainer: Trainer, engine: Engine, data: TrainingData) -> Result:
        """Test it, once, and write its weights."""
        from igcnas.network.budget import limit_named
        from igcnas.network.cost import count_plan
        from igcnas.training.metrics import scored
        from igcnas.training.settings import BALANCED
        from igcnas.training.tensors import ImageTensors

        lowered = self.settled(engine, data)
        measured = count_plan(lowered)
        others = {name: limit_named(name).of(lowered) for name in trainer.setup.limits}
        test = ImageTensors.of(trainer.dataset.load_test(), trainer.device)
        scores = scored(engine.network, test, data.normalize, classes=data.num_classes)
        self.write_weights(trainer, engine, data)
        return Result(
            network=self.finalist,
            repeat=self.repeat,
            test_right=sum(right for _, right in scores.classes),
            test_images=len(test),
            macs=measured.macs,
            params=measured.params,
            train_loss=engine.curve[-1].train_loss,
            seconds=round(engine.seconds, 3),
            device=trainer.device_name,
            failed=None,
            measured_limits=others,
            test_classes=scores.classes if self.settings.metric == BALANCED else (),
        )

    def failed(self, reason: str, trainer: Trainer) -> Result:
        """Counted, and named."""
        return Result(
            network=self.finalist,
            repeat=self.repeat,
            test_right=0,
            test_images=0,
            macs=0,
            params=0,
            train_loss=None,
            seconds=0.0,
            device=trainer.device_name,
            failed=reason,
        )

    def text(self, result: Result) -> str:
        """With what says whose it is."""
        identity = {"architecture_id": self.architecture.id, "training_seed": self.seed}
        return json.dumps(identity | result.to_dict(), indent=2) + "\n"

    def parsed(self, content: bytes, *, where: str) -> Result:
        """Refused where the seed is that of another."""
        return self.own(content, Result, identity=_Identity, where=where)


def stem_of(finalist: str) -> str:
    """How the names of the files of a finalist begin."""
    return "".join(letter if letter.isalnum() else "-" for letter in finalist.lower())


def retraining(
    folder: Path, settings: RetrainSettings, *, note: Callable[[str], None] = lambda _text: None
) -> Campaign[Result]:
    """All trainings of the settings, in their folder; first every network once.

    note: told of results that are damaged, whose networks are trained again.
    """
    trainings = [
        FinalistTraining.of(folder, settings, finalist, repeat)
        for repeat in range(settings.seeds)
        for finalist in settings.finalists
    ]
    return Campaign(trainings, note=note)
