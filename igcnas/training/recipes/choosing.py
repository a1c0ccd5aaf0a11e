"""The recipe of a study, from the names and numbers that its user gives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from igcnas.data.augmentation import AUGMENTATIONS
from igcnas.errors import IgcnasError, unknown_name
from igcnas.training.recipes import RECIPES, Recipe, recipe_for, short_recipe, short_settings
from igcnas.training.recipes.own import read_recipe
from igcnas.training.settings import ACCURACY, TrainingSettings

CLASS_WEIGHTS = ("none", "balanced")
SHORT = "short"
_MANY = 10**6  # images: those of a large data set


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What of a recipe a user wants otherwise; None for what stays.

    weight_decay: of the weights, and of all other kinds of parameters that the recipe decays as much. augment: one of
    AUGMENTATIONS. flip: False where no picture may be mirrored.
    """

    batch_size: int | None = None
    learning_rate: float | None = None
    weight_decay: float | None = None
    augment: str | None = None
    flip: bool = True
    class_weights: Literal["none", "balanced"] | None = None

    def of(self, recipe: Recipe) -> Recipe:
        """The recipe with these changes; IgcnasError where there is no such value."""
        changed = recipe.adapted(batch_size=self.batch_size, learning_rate=self.learning_rate)
        if self.weight_decay is not None:
            decay, before = changed.decay, changed.decay.weights
            same = {kind for kind in decay.__slots__ if getattr(decay, kind) == before} | {"weights"}
            changed = replace(changed, decay=replace(decay, **dict.fromkeys(same, self.weight_decay)))
        if self.augment is not None:
            if self.augment not in AUGMENTATIONS:
                raise IgcnasError(unknown_name("augmentation", self.augment, AUGMENTATIONS))
            changed = replace(changed, augmentation=AUGMENTATIONS[self.augment])
        if not self.flip:
            changed = replace(changed, augmentation=replace(changed.augmentation, flip=False))
        if self.class_weights is not None:
            changed = replace(changed, class_weights=self.class_weights)
        if others := self.named():
            changed = replace(changed, source=f"{recipe.source}; here with other {', '.join(others)}")
        return changed

    def named(self) -> list[str]:
        """What is changed, in words."""
        words = {
            "batch": self.batch_size,
            "rate": self.learning_rate,
            "weight decay": self.weight_decay,
            f"augmentation ({self.augment})": self.augment,
            "class weights": self.class_weights,
        }
        return [word for word, value in words.items() if value is not None] + ([] if self.flip else ["mirroring"])


def named_recipe(name: str) -> Recipe | None:
    """A recipe that all networks of a search can be trained by: of a paper, or of a file; None for 'short'.

    IgcnasError for 'paper', which is another one for each family, and for names that are not known.
    """
    if name == SHORT:
        return None
    if name.endswith(".json"):
        return read_recipe(Path(name).expanduser())
    if name == "paper":
        raise IgcnasError(
            "--recipe paper is another recipe for each family, and a search trains all its networks alike; name one "
            "that igcnas recipes lists"
        )
    if name not in RECIPES:
        raise IgcnasError(unknown_name("recipe", name, (SHORT, *RECIPES)))
    return RECIPES[name]


def check_images(recipe: Recipe, input_shape: tuple[int, int, int]) -> None:
    """IgcnasError where images of this shape (channels, height, width) cannot be augmented as the recipe says."""
    pad, side = recipe.augmentation.pad, min(input_shape[1:])
    if recipe.augmentation.crop == "pad" and pad is not None and pad >= side:
        raise IgcnasError(
            f"recipe {recipe.name} pads images by {pad} pixels and cuts a window, which of images of {side} pixels may "
            "be blank; give another --augment, or images that are larger"
        )


def recipe_options(settings: TrainingSettings) -> list[str]:
    """The options of a command that searches with the recipe and the metric of these settings.

    Of a recipe of one's own, or with values of its own, they name it and what a user can choose by an option.
    """
    recipe = recipe_for(settings)
    usual = short_recipe(short_settings(0, epochs=settings.epochs))
    if settings.validation_fraction != short_settings(0).validation_fraction:
        usual = short_recipe(short_settings(_MANY, epochs=settings.epochs))
    words = [] if recipe.name == usual.name else ["--recipe", recipe.name]
    base = usual if recipe.name == usual.name else RECIPES.get(recipe.name, recipe)
    for option, mine, theirs in (
        ("--batch-size", recipe.batch_size, base.batch_size),
        ("--lr", recipe.learning_rate, base.learning_rate),
        ("--weight-decay", recipe.decay.weights, base.decay.weights),
        ("--class-weights", recipe.class_weights, base.class_weights),
        ("--metric", settings.metric, ACCURACY),
    ):
        words += [] if mine == theirs else [option, str(mine)]
    found, before = recipe.augmentation, base.augmentation
    names = [name for name, one in AUGMENTATIONS.items() if replace(one, flip=found.flip) == found]
    if names and found not in (before, replace(before, flip=False)):
        words += ["--augment", names[0]]
    return [*words, "--no-flip"] if not found.flip and before.flip and names != ["none"] else words


def recipe_words(recipe: Recipe) -> str:
    """The recipe in a line: what a user can choose of it."""
    parts = [
        f"{recipe.name}: batch {recipe.batch_size}",
        f"rate {recipe.learning_rate:g}",
        f"weight decay {recipe.decay.weights:g}",
        augmentation_words(recipe),
    ]
    if recipe.class_weights != "none":
        parts.append("each class weighs the same in the loss")
    return ", ".join(parts)


def augmentation_words(recipe: Recipe) -> str:
    """Its augmentation by name, where it has one of those that a user can ask for."""
    found = recipe.augmentation
    for name, one in AUGMENTATIONS.items():
        if found == replace(one, flip=found.flip):
            unflipped = ", no picture mirrored" if one.flip and not found.flip else ""
            if name == "none":
                return "pictures mirrored" if found.flip else "no augmentation"
            return f"{name} augmentation{unflipped}"
    return f"augmentation of its own ({found.crop})" + ("" if found.flip else ", no picture mirrored")
