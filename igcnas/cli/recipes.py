"""igcnas recipes: how the papers train."""

from __future__ import annotations

import argparse
import json

from igcnas.recipes import PAPER_OF, RECIPES, Recipe, short_recipe, short_settings
from igcnas.units import counted


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "recipes",
        help="the training recipes of the papers",
        description="Recipes for igcnas train --recipe NAME, with their sources and with what no source says.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print them."""
    every = [short_recipe(short_settings(0)), *RECIPES.values()]
    if arguments.json:
        paper = {family: {"small": small, "imagenet": large} for family, (small, large) in PAPER_OF.items()}
        print(json.dumps({"recipes": {recipe.name: recipe.to_dict() for recipe in every}, "paper": paper}))
        return 0
    for recipe in every:
        print("\n".join(describe(recipe)))
    print("--recipe paper means, for small images and for those of 112 pixels and more:")
    for family, (small, large) in PAPER_OF.items():
        print(f"    {family:<18} {small:<20} {large}")
    print("--recipe short on 10,000 images and more: 8 epochs, batch 128, rate 0.2")
    return 0


def describe(recipe: Recipe) -> list[str]:
    """A recipe in some lines."""
    rule, plan = recipe.optimizer, recipe.schedule
    optimizer = f"{rule.kind} momentum {rule.momentum:g}{' Nesterov' if rule.nesterov and rule.kind == 'sgd' else ''}"
    schedule = plan.kind
    if plan.kind == "steps":
        epochs = "/".join(f"{share * recipe.epochs:g}" for share in plan.milestones)
        schedule = f"times {plan.factor:g} at epochs {epochs}"
    elif plan.kind == "exponential":
        schedule = f"times {plan.factor:g} each epoch"
    decay = recipe.decay
    lines = [
        recipe.name,
        f"    {counted(recipe.epochs, 'epoch')}, batch {recipe.batch_size}, {optimizer}, rate "
        f"{recipe.learning_rate:g}, {schedule}" + (f", warm-up over {plan.warmup:.0%}" if plan.warmup else ""),
        f"    decay: weights {decay.weights:g}, biases {decay.biases:g}, norms {decay.norms:g}, "
        f"deciding {decay.deciding:g}",
        f"    {_augmentation(recipe)}",
    ]
    extras = [
        ("label smoothing", recipe.label_smoothing),
        ("gradient clip", recipe.gradient_clip),
        ("dropout", recipe.dropout),
        ("rate of weights, biases, norms times", recipe.rates[0] if recipe.rates != (1.0, 1.0, 1.0) else 0),
    ]
    if shown := [f"{name} {value:g}" for name, value in extras if value]:
        lines.append(f"    {', '.join(shown)}")
    lines.append(f"    from: {recipe.source}")
    return [*lines, f"    ours: {recipe.ours}"] if recipe.ours else lines


def _augmentation(recipe: Recipe) -> str:
    a = recipe.augmentation
    low, high = a.scale
    words = {
        "none": "no crop",
        "pad": f"pad {'an eighth' if a.pad is None else a.pad} ({a.fill}) and crop",
        "area": f"window of {low:g} to {high:g} of the area, aspect {a.ratio[0]:.2f} to {a.ratio[1]:.2f}",
        "short-side": f"short side {low:.2f} to {high:.2f} of the crop, aspect {a.ratio[0]:.2f} to {a.ratio[1]:.2f}",
    }[a.crop]
    colours = f", colour jitter {'/'.join(f'{s:.2g}' for s in a.jitter)}" if any(a.jitter) else ""
    return words + (", mirror" if a.flip else "") + colours
