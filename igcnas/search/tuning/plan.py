"""Which recipes are tried, on which networks and for how long, so that it takes a stated share of the study.

Time is counted in epochs of networks at the budget: the share of those that the study's networks have. First each
recipe has a quarter of the epochs, a complete schedule, on one baseline with one seed. Then the best of those that
differ from the present recipe has full trainings beside it, as many pairs as the share has time for, over the baselines
in turn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from igcnas.errors import IgcnasError
from igcnas.search.tuning.record import PRESENT
from igcnas.training.recipes import Recipe, recipe_for, with_recipe
from igcnas.training.recipes.choosing import Changes
from igcnas.training.settings import TrainingSettings
from igcnas.units import counted

SHARE = 0.1
_PART = 4  # the first round has one part in so many of the epochs
_MOST_PAIRS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningPlan:
    """epochs: of a training in the first round; pairs: of full trainings in the second."""

    epochs: int
    pairs: int

    def trained(self, recipes: int, full: int) -> int:
        """Epochs in all, with so many recipes, and so many epochs of a full training."""
        return recipes * self.epochs + 2 * self.pairs * full


def candidates(settings: TrainingSettings) -> dict[str, TrainingSettings]:
    """The recipes that are tried by their names, the present one first; each other one differs in one thing."""
    recipe = recipe_for(settings)
    decay = recipe.decay.weights
    changes = {
        "learning rate x 3": Changes(learning_rate=_round(3 * recipe.learning_rate)),
        "learning rate / 3": Changes(learning_rate=_round(recipe.learning_rate / 3)),
        "weight decay x 4": Changes(weight_decay=_round(4 * decay) if decay else 1e-4),
        "weight decay / 4": Changes(weight_decay=_round(decay / 4)),
        "strong augmentation": Changes(augment="strong"),
        "standard augmentation": Changes(augment="standard"),
        "no augmentation": Changes(augment="none"),
    }
    found = {PRESENT: settings}
    for name, change in changes.items():
        other = change.of(recipe)
        if not recipe.augmentation.flip:  # pictures that may not be mirrored may not be by another augmentation
            other = replace(other, augmentation=replace(other.augmentation, flip=False))
        if other != recipe:
            found[name] = with_recipe(settings, _named(other, recipe))
    return found


def tuning_plan(settings: TrainingSettings, *, share: float, networks: int) -> TuningPlan:
    """What a share of the epochs of so many networks has time for; IgcnasError where that is too little."""
    if not 0 < share <= 1:
        raise IgcnasError(
            f"--tune-recipe {share:g} must be a share of the study's training time, above 0 and at most 1"
        )
    full, recipes = settings.epochs, len(candidates(settings))
    epochs = max(1, math.ceil(full / _PART))
    allowed = share * networks * full
    pairs = math.floor((allowed - recipes * epochs) / (2 * full))
    if pairs < 1:
        needed, whole = recipes * epochs + 2 * full, networks * full
        tried, study = counted(recipes, "recipe"), f"{counted(networks, 'network')} of {counted(full, 'epoch')}"
        if needed > whole:
            raise IgcnasError(
                f"--tune-recipe tries {tried} in {counted(needed, 'epoch')}, and {study} have {whole} in all; give "
                "more --networks"
            )
        raise IgcnasError(
            f"--tune-recipe {share:g} of {study} is {counted(math.floor(allowed), 'epoch')}, and to try {tried} takes "
            f"{needed}; give a share of {math.ceil(100 * needed / whole) / 100:g} or more --networks"
        )
    return TuningPlan(epochs=epochs, pairs=min(pairs, _MOST_PAIRS))


def _round(value: float) -> float:
    """In six digits, as a person would write it."""
    return float(f"{value:.6g}")


def _named(recipe: Recipe, before: Recipe) -> Recipe:
    return replace(recipe, name=before.name)
