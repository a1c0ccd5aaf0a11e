"""The options that say how each network of a search is trained, and the recipe that they mean."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from igcnas.data.augmentation import AUGMENTATIONS
from igcnas.errors import IgcnasError, unknown_name
from igcnas.training.settings import METRICS

if TYPE_CHECKING:
    from igcnas.training.recipes.choosing import Changes
    from igcnas.training.settings import TrainingSettings


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """How every network is trained, and what it is measured by."""
    add = parser.add_argument
    add(
        "--recipe",
        default="short",
        metavar="NAME",
        help="how each network is trained: short, a name of igcnas recipes, or a FILE.json of your own; its "
        "schedule is scaled to --epochs (default: %(default)s)",
    )
    add("--lr", "--learning-rate", dest="lr", type=float, metavar="X", help="learning rate, other than the recipe's")
    add("--batch-size", type=int, metavar="N", help="images a step; scales the learning rate unless --lr is given")
    add("--weight-decay", type=float, metavar="X", help="other than the recipe's")
    add(
        "--augment",
        metavar="NAME",
        help="what is done to a training image. none: nothing; standard: pad by an eighth, cut a random window, mirror "
        "every second; strong: a window of 35 to 100 %% of the area, resized, mirrored, other colours, a square of "
        "half the side cut out (default: the recipe's, standard of the short one)",
    )
    add(
        "--no-flip",
        action="store_true",
        help="mirror no picture: where a mirrored one is of another class (digits and grey pictures never are)",
    )
    add(
        "--class-weights",
        metavar="NAME",
        help="balanced: weigh the loss of an image by images / (classes * images of its class); none (default: none)",
    )
    add(
        "--metric",
        default=METRICS[0],
        metavar="NAME",
        help="what networks are compared by on the validation images: accuracy, or balanced-accuracy, the mean over "
        "classes of the share of their images that is right (default: %(default)s)",
    )


def check_recipe_arguments(arguments: argparse.Namespace) -> None:
    """Refuse names and numbers that no study can have; this need not wait for the data."""
    from igcnas.training.recipes.choosing import CLASS_WEIGHTS, named_recipe

    for option, value, known in (
        ("metric", arguments.metric, METRICS),
        ("augmentation", arguments.augment, tuple(AUGMENTATIONS)),
        ("class weights", arguments.class_weights, CLASS_WEIGHTS),
    ):
        if value is not None and value not in known:
            raise IgcnasError(unknown_name(option, value, known))
    for option, number, least in (("lr", arguments.lr, 0.0), ("weight-decay", arguments.weight_decay, None)):
        if number is not None and not (0 <= number < float("inf") and number != least):
            raise IgcnasError(f"--{option} {number:g} must be {'0 or more' if least is None else 'a positive number'}")
    if arguments.batch_size is not None and arguments.batch_size < 2:
        raise IgcnasError(f"--batch-size {arguments.batch_size} must be at least 2, for batch norm")
    named_recipe(arguments.recipe)


def asked_training(
    arguments: argparse.Namespace, training: TrainingSettings, *, input_shape: tuple[int, int, int]
) -> TrainingSettings:
    """The settings of a search with the recipe and the metric that the options mean."""
    from igcnas.training.recipes import short_recipe, with_recipe
    from igcnas.training.recipes.choosing import check_images, named_recipe

    named = named_recipe(arguments.recipe)
    base = short_recipe(training) if named is None else named.adapted(epochs=training.epochs)
    recipe = _changes(arguments).of(base)
    check_images(recipe, input_shape)
    return with_recipe(replace(training, metric=arguments.metric), recipe)


def recipe_notes(arguments: argparse.Namespace, training: TrainingSettings) -> list[str]:
    """What a user should know of how a recipe of another place is used here."""
    from igcnas.training.recipes.choosing import named_recipe
    from igcnas.units import counted

    named = named_recipe(arguments.recipe)
    if named is None:
        return []
    notes = []
    if named.epochs != training.epochs:
        notes.append(
            f"recipe {named.name} is for {counted(named.epochs, 'epoch')}; its schedule is scaled to "
            f"{training.epochs} (--epochs)"
        )
    if named.channel_dropout.share:
        notes.append(f"recipe {named.name} drops channels inside networks, which on a CPU is trained by eager steps")
    return notes


def _changes(arguments: argparse.Namespace) -> Changes:
    from igcnas.training.recipes.choosing import Changes

    return Changes(
        batch_size=arguments.batch_size,
        learning_rate=arguments.lr,
        weight_decay=arguments.weight_decay,
        augment=arguments.augment,
        flip=not arguments.no_flip,
        class_weights=arguments.class_weights,
    )


def as_begun(settings: TrainingSettings, begun: TrainingSettings) -> TrainingSettings:
    """These settings with the recipe that the study was begun with, where the one of the same name is asked for.

    A recipe of a name is mended from version to version; a study that was begun goes on as it began.
    """
    from igcnas.training.recipes import RECIPES

    now, then = settings.recipe, begun.recipe
    if now is None or then is None or now["name"] not in RECIPES:
        return settings
    asks = ("epochs", "batch_size", "learning_rate", "metric")
    same = all(now[name] == then.get(name) for name in ("name", "source", "class_weights"))
    same = same and all(getattr(settings, name) == getattr(begun, name) for name in asks)
    return replace(begun, engine=settings.engine) if same else settings
