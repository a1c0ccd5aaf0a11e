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
from typing import TYPE_CHECKING, TypedDict

from igcnas.results.retraining.plan import Finalist, RetrainSettings
from igcnas.results.retraining.table import Result
from igcnas.search.campaign import AGAIN, Campaign, OtherTrainingError, Training
from igcnas.system.reading import parse_json

if TYPE_CHECKING:
    from igcnas.search.worker.trainer import Trainer
    from igcnas.training.engine import Engine
    from igcnas.training.tensors import TrainingData


class _Identity(TypedDict):
    training_seed: int
    architecture_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalistTraining(Training[Result]):
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
        from igcnas.modules.lowering import lower
        from igcnas.network.budget import limit_named
        from igcnas.network.cost import count_plan
        from igcnas.training.metrics import scored
        from igcnas.training.settings import BALANCED
        from igcnas.training.settling import settle_on
        from igcnas.training.tensors import ImageTensors

        settle_on(engine.plan, engine.network, data, data.training)
        lowered = lower(engine.plan, engine.network).plan
        measured = count_plan(lowered)
        others = {name: limit_named(name).of(lowered) for name in trainer.setup.limits}
        test = ImageTensors.of(trainer.dataset.load_test(), trainer.device)
        scores = scored(engine.network, test, data.normalize, classes=data.num_classes)
        self._write_weights(trainer, engine, data)
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
        identity = parse_json(content, _Identity, where=where, advice=AGAIN)
        result = parse_json(content, Result, where=where, advice=AGAIN)
        if identity["training_seed"] != self.seed:
            raise OtherTrainingError(f"{where} is of another training; move it away, or start another with --name NAME")
        return result

    def told(self, result: Result) -> str:
        """How it went; the test result comes at the end alone."""
        return f"failed: {result.failed}" if result.failed else f"loss {result.train_loss:.4f}  {result.seconds:6.1f} s"

    def _write_weights(self, trainer: Trainer, engine: Engine, data: TrainingData) -> None:
        from igcnas.training.runs.weights import Checkpoint

        cut = {"crop": data.augmentation.crop, "centre": data.augmentation.centre}
        Checkpoint(
            architecture=self.architecture,
            state=engine.network.state_dict(),
            mean=tuple(data.mean.tolist()),
            std=tuple(data.std.tolist()),
            classes=trainer.dataset.classes,
            epoch=len(engine.curve),
            data=trainer.setup.data.trained_on(validation=None, seed=self.settings.seed) | cut,
            epsilon=self.whole_recipe().norm.epsilon,
        ).write(self.folder / f"{self.stem}.safetensors")


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
