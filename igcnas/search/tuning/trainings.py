"""The trainings that try recipes: two campaigns in the folder of the study, the second decided by the first.

studies/NAME/tuning/plan.json             what is tried, under which settings; it guards a resume
                    1-RECIPE.json         a training of the first round
                    2-RECIPE-0.json       one of the first pair
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from igcnas.network.baselines import Baseline
from igcnas.search.campaign import AGAIN, OtherTrainingError, Training
from igcnas.search.tuning.plan import TuningPlan
from igcnas.search.tuning.record import PRESENT, Tuning
from igcnas.system import bounds
from igcnas.system.reading import parse_json
from igcnas.training.settings import TrainingSettings

if TYPE_CHECKING:
    from igcnas.search.worker.trainer import Trainer
    from igcnas.training.engine import Engine
    from igcnas.training.tensors import TrainingData

_FIRST_REPEAT = 2000  # repeats of a search are counted from 0, those of an audit from 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What one training by a recipe gave. val_accuracy: by the metric of the study; None with why it `failed`."""

    recipe: str
    training_seed: bounds.Seed
    epochs: bounds.Epochs
    val_accuracy: bounds.Percent | None = None
    seconds: bounds.Seconds = 0.0
    failed: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeTraining(Training[Tried]):
    """One training of a baseline by one recipe."""

    recipe: str

    @staticmethod
    def of(
        folder: Path, recipe: str, settings: TrainingSettings, baseline: Baseline, *, stem: str, repeat: int
    ) -> RecipeTraining:
        """With a seed that no search and no audit uses, the same for every recipe."""
        network = baseline.fit.architecture
        return RecipeTraining(
            folder=folder,
            stem=stem,
            title=f"{baseline.name}, {recipe}",
            architecture=network,
            settings=settings,
            seed=settings.network_seed(network.id, _FIRST_REPEAT + repeat),
            recipe=recipe,
        )

    def data(self, trainer: Trainer) -> TrainingData:
        """The images of the worker, augmented as this recipe says."""
        from igcnas.training.recipes import recipe_for

        return dataclasses.replace(trainer.data, augmentation=recipe_for(self.settings).augmentation)

    def result(self, trainer: Trainer, engine: Engine, data: TrainingData) -> Tried:
        """Its accuracy on the validation images, as a search would have it."""
        from igcnas.training.settling import settled_scores

        settled = settled_scores(engine.plan, engine.network, data)
        accuracy = engine.curve[-1].val_accuracy if settled is None else settled.by(self.settings.metric)
        return self._tried(val_accuracy=accuracy, seconds=round(engine.seconds, 3))

    def failed(self, reason: str, trainer: Trainer) -> Tried:
        """It diverged: that recipe is not for this study."""
        return self._tried(failed=reason)

    def text(self, result: Tried) -> str:
        """As JSON."""
        return json.dumps(asdict(result)) + "\n"

    def parsed(self, content: bytes, *, where: str) -> Tried:
        """Refused where it is of another recipe, seed or schedule."""
        found = parse_json(content, Tried, where=where, advice=AGAIN)
        if (found.recipe, found.training_seed, found.epochs) != (self.recipe, self.seed, self.settings.epochs):
            raise OtherTrainingError(f"{where} is of another training; move it away, or take another --study name")
        return found

    def told(self, result: Tried) -> str:
        """Its accuracy."""
        if result.val_accuracy is None:
            return f"failed: {result.failed}"
        return f"{result.val_accuracy:6.2f} %  {result.seconds:6.1f} s"

    def _tried(self, *, val_accuracy: float | None = None, seconds: float = 0.0, failed: str | None = None) -> Tried:
        return Tried(
            recipe=self.recipe,
            training_seed=self.seed,
            epochs=self.settings.epochs,
            val_accuracy=val_accuracy,
            seconds=seconds,
            failed=failed,
        )


def first_round(
    folder: Path, recipes: dict[str, TrainingSettings], baselines: Sequence[Baseline], plan: TuningPlan
) -> list[RecipeTraining]:
    """Each recipe on the first baseline, with a complete schedule of few epochs."""
    return [
        RecipeTraining.of(
            folder,
            name,
            dataclasses.replace(settings, epochs=plan.epochs),
            baselines[0],
            stem=f"1-{_file(name)}",
            repeat=0,
        )
        for name, settings in recipes.items()
    ]


def challenger_of(tried: Sequence[Tried]) -> str | None:
    """The best of those that are not the present recipe; the first of equal ones. None where all diverged."""
    others = [one for one in tried if one.recipe != PRESENT and one.val_accuracy is not None]
    return max(others, key=lambda one: one.val_accuracy or 0.0).recipe if others else None


def second_round(
    folder: Path, recipes: dict[str, TrainingSettings], challenger: str, baselines: Sequence[Baseline], plan: TuningPlan
) -> list[RecipeTraining]:
    """Pairs of full trainings, of the present recipe and the challenger, over the baselines in turn."""
    return [
        RecipeTraining.of(
            folder,
            name,
            recipes[name],
            baselines[pair % len(baselines)],
            stem=f"2-{_file(name)}-{pair}",
            repeat=1 + pair // len(baselines),
        )
        for pair in range(plan.pairs)
        for name in (PRESENT, challenger)
    ]


def found(
    settings: TrainingSettings,
    first: Sequence[Tried],
    second: Sequence[Tried],
    *,
    share: float,
    images: int,
    measure: str,
) -> Tuning:
    """What both rounds say; second: in the order of `second_round`, () where every other recipe diverged at first."""
    pairs = tuple(
        (mine.val_accuracy, theirs.val_accuracy) for mine, theirs in zip(second[::2], second[1::2], strict=True)
    )
    return Tuning(
        share=share,
        before=json.loads(json.dumps(asdict(settings))),
        tried=tuple((one.recipe, one.val_accuracy) for one in first),
        challenger=challenger_of(first) or "",
        pairs=pairs,
        images=images,
        epochs=sum(one.epochs for one in (*first, *second)),
        measure=measure,
    )


def _file(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower().replace("x", "times").replace("/", "over")).strip("-")
