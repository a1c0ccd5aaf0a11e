"""Recipes by name: those of the papers, and the short one that the search uses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from igcnas.errors import IgcnasError, unknown_name
from igcnas.network.grouping.rules import GroupingRules
from igcnas.system.reading import as_kind
from igcnas.training.recipes.own import read_recipe
from igcnas.training.recipes.papers import ALIASES, PAPER_OF, PAPER_RECIPES
from igcnas.training.recipes.recipe import (
    KINDS,
    WORDS,
    Augmentation,
    ChannelDropout,
    FirstWeights,
    NormConstants,
    Optimizer,
    PerKind,
    Recipe,
    Schedule,
)
from igcnas.training.recipes.usual import all_ours
from igcnas.training.settings import TrainingSettings

__all__ = [
    "IMAGENET_HEIGHT",
    "KINDS",
    "PAPER_OF",
    "RECIPES",
    "WORDS",
    "Augmentation",
    "ChannelDropout",
    "FirstWeights",
    "NormConstants",
    "Optimizer",
    "PerKind",
    "Recipe",
    "Schedule",
    "as_today",
    "choose_recipe",
    "paper_recipe",
    "recipe_for",
    "short_recipe",
    "short_settings",
    "with_recipe",
]

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in PAPER_RECIPES}

# From this many training images on, a short training has fewer epochs of larger batches.
_SMALL_DATA = 10_000
# Images of this height on are trained as ImageNet is.
IMAGENET_HEIGHT = 112


def short_settings(images: int, *, epochs: int | None = None, seed: int = 0) -> TrainingSettings:
    """How a search trains every network, given the number of images to train and validate on."""
    small = images < _SMALL_DATA
    return TrainingSettings(
        epochs=(15 if small else 8) if epochs is None else epochs,
        batch_size=64 if small else 128,
        learning_rate=0.6 if small else 0.2,
        validation_fraction=0.25 if small else 0.1,
        seed=seed,
        # Without noise in the end, masks cost in evaluation what the hinge saw in training (layers/msgc.py).
        grouping=GroupingRules(noise_end=0.0),
    )


def short_recipe(settings: TrainingSettings) -> Recipe:
    """The recipe that these settings of a search mean."""
    decay = PerKind(weights=settings.weight_decay, biases=0.0, norms=0.0, deciding=0.0)
    return Recipe(
        name="short",
        source="igcnas search: a short complete schedule, which ranks networks better than the start of a long one",
        ours=all_ours("a short schedule that ranks networks well")
        | {"grouping": "the defaults, without noise in the end"},
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        optimizer=Optimizer(momentum=settings.momentum),
        schedule=Schedule(kind="cosine", warmup=settings.warmup),
        decay=decay,
        label_smoothing=settings.label_smoothing,
        gradient_clip=settings.gradient_clip,
        grouping=settings.grouping,
    )


def recipe_for(settings: TrainingSettings) -> Recipe:
    """The recipe by which a study with these settings trains its networks: its own, else the short one.

    Everything that trains networks of a study asks here. IgcnasError where the settings hold none that can be read.
    """
    if settings.recipe is None:
        return short_recipe(settings)
    own = Recipe.from_dict(settings.recipe)
    return own.adapted(epochs=settings.epochs, batch_size=settings.batch_size, learning_rate=settings.learning_rate)


def as_today(settings: TrainingSettings, *, where: str, advice: str) -> TrainingSettings:
    """The settings of a file with a recipe that has every field of today's; StudyError where it is none."""
    if settings.recipe is None:
        return settings
    recipe = as_kind(dict(settings.recipe), Recipe, where=f"{where}, recipe,", advice=advice)
    return replace(settings, recipe=json.loads(json.dumps(recipe.to_dict())))


def with_recipe(settings: TrainingSettings, recipe: Recipe) -> TrainingSettings:
    """These settings with this recipe; it is only named where it is another than the short one of its numbers.

    Rules of learned groups that the recipe leaves as they are by default are those of a search.
    """
    if recipe.grouping == GroupingRules():
        recipe = replace(recipe, grouping=settings.grouping)
    numbers = replace(
        settings,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        momentum=recipe.optimizer.momentum,
        weight_decay=recipe.decay.weights,
        gradient_clip=0.0 if recipe.gradient_clip is None else recipe.gradient_clip,
        label_smoothing=recipe.label_smoothing,
        warmup=recipe.schedule.warmup or 0.0,
        grouping=recipe.grouping,
        recipe=None,
    )
    short = numbers.gradient_clip > 0 and short_recipe(numbers) == replace(recipe, name="short")
    return numbers if short else replace(numbers, recipe=json.loads(json.dumps(recipe.to_dict())))


def paper_recipe(family: str, height: int) -> Recipe:
    """The recipe that a family's paper trains it with, for images of this height in pixels."""
    family = ALIASES.get(family, family)
    if family not in PAPER_OF:
        raise IgcnasError(f"family {family!r} has no recipe of a paper; give one with --recipe NAME, or short")
    return RECIPES[PAPER_OF[family][height >= IMAGENET_HEIGHT]]


def choose_recipe(name: str, *, family: str, height: int, images: int) -> Recipe:
    """The recipe of this name: 'paper', 'short', one of RECIPES, or the file NAME.json.

    family and height decide what 'paper' is, images (to train and validate on) what 'short' is.
    """
    if name == "paper":
        return paper_recipe(family, height)
    if name == "short":
        return short_recipe(short_settings(images))
    if name.endswith(".json"):
        return read_recipe(Path(name).expanduser())
    if name not in RECIPES:
        raise IgcnasError(unknown_name("recipe", name, ("paper", "short", *RECIPES)))
    return RECIPES[name]
