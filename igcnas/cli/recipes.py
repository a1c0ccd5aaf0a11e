"""igcnas recipes: how the papers train, value by value; the schema of a recipe of one's own."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from igcnas.errors import IgcnasError, unknown_name
from igcnas.results.table import Column, Table
from igcnas.training.recipes import PAPER_OF, RECIPES, Recipe, short_recipe, short_settings
from igcnas.training.recipes.own import read_recipe, schema
from igcnas.training.recipes.recipe import BESIDES
from igcnas.units import counted

EPILOG = """examples:
  %(prog)s
  %(prog)s igc-cifar
  %(prog)s igc-cifar --json
  %(prog)s --schema > recipe.schema.json
  %(prog)s mine.json
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "recipes",
        help="the training recipes of the papers",
        description="Recipes for igcnas train --recipe NAME and igcnas search --recipe NAME. With a name: every value, "
        "whose it is, and the file of the source in which it stands. A file of one's own is checked and shown in the "
        "same way.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="one of them, or a FILE.json of your own")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--schema", action="store_true", help="print the JSON schema of a recipe file, and nothing else"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print them."""
    if arguments.schema:
        if arguments.name is not None:
            raise IgcnasError(f"--schema is that of every recipe; leave {arguments.name} out")
        print(json.dumps(schema(), indent=2))
        return 0
    known = {recipe.name: recipe for recipe in (short_recipe(short_settings(0)), *RECIPES.values())}
    if arguments.name is not None:
        recipe = _named(arguments.name, known)
        print(json.dumps(_origins(recipe)) if arguments.json else "\n".join(_whole(recipe)))
        return 0
    if arguments.json:
        paper = {family: {"small": small, "imagenet": large} for family, (small, large) in PAPER_OF.items()}
        print(json.dumps({"recipes": {name: recipe.to_dict() for name, recipe in known.items()}, "paper": paper}))
        return 0
    for recipe in known.values():
        print("\n".join(describe(recipe)))
    print("--recipe paper means, for small images and for those of 112 pixels and more:")
    for family, (small, large) in PAPER_OF.items():
        print(f"    {family:<18} {small:<20} {large}")
    print("--recipe short on 10,000 images and more: 8 epochs, batch 128, rate 0.2")
    print("igcnas recipes NAME shows every value of one, and where it is from")
    return 0


def _named(name: str, known: dict[str, Recipe]) -> Recipe:
    if name.endswith(".json"):
        return read_recipe(Path(name).expanduser())
    if name not in known:
        raise IgcnasError(unknown_name("recipe", name, known))
    return known[name]


def _origins(recipe: Recipe) -> dict[str, Any]:
    """The recipe, and whose each of its values is."""
    values = {}
    for name, value in recipe.values():
        who, where = recipe.whose(name)
        values[name] = {"value": value, "whose": who or None, "file" if who == "theirs" else "why": where or None}
    return {"recipe": recipe.to_dict(), "values": values, "besides": recipe.ours.get(BESIDES)}


def _whole(recipe: Recipe) -> Iterator[str]:
    """Every value in a line: what it is, whose, and where it stands or why it is ours."""
    yield recipe.name
    yield f"    from: {recipe.source}"
    columns = map(Column.words, ("value", "is", "whose", "where it stands, or why it is ours"))
    rows = ((name, _shown(value), *recipe.whose(name)) for name, value in recipe.values())
    yield ""
    yield Table(columns=tuple(columns), rows=tuple(rows)).text()
    if BESIDES in recipe.ours:
        yield f"\nours besides: {recipe.ours[BESIDES]}"


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(_shown(part) for part in value) or "nowhere"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def describe(recipe: Recipe) -> list[str]:
    """A recipe in some lines."""
    rule, plan = recipe.optimizer, recipe.schedule
    optimizer = f"{rule.kind} momentum {rule.momentum:g}{' Nesterov' if rule.nesterov and rule.kind == 'sgd' else ''}"
    schedule: str = plan.kind
    if plan.kind == "steps":
        epochs = "/".join(f"{share * recipe.epochs:g}" for share in plan.milestones)
        schedule = f"times {plan.factor:g} at epochs {epochs}"
    elif plan.kind == "exponential":
        schedule = f"times {plan.factor:g} each epoch"
    decay = recipe.decay
    shifts = "" if decay.shifts is None else f" (their shifts {decay.shifts:g})"
    lines = [
        recipe.name,
        f"    {counted(recipe.epochs, 'epoch')}, batch {recipe.batch_size}, {optimizer}, rate "
        f"{recipe.learning_rate:g}, {schedule}" + (f", warm-up over {plan.warmup:.0%}" if plan.warmup else ""),
        f"    decay: weights {decay.weights:g}, biases {decay.biases:g}, norms {decay.norms:g}{shifts}, "
        f"deciding {decay.deciding:g}",
        f"    {_augmentation(recipe)}",
        f"    norms: epsilon {recipe.norm.epsilon:g}, momentum {recipe.norm.momentum:g}"
        + ("" if (own := recipe.norm.residual_momentum) is None else f" ({own:g} with shortcuts)")
        + f"; first weights: convolutions {recipe.first.convolution}, classifier {recipe.first.linear}",
    ]
    extras = [
        ("label smoothing", recipe.label_smoothing),
        ("gradient clip", recipe.gradient_clip),
        ("dropout", recipe.dropout),
        (f"dropout of channels ({', '.join(recipe.channel_dropout.at)})", recipe.channel_dropout.share),
        ("rate of weights, biases, norms times", recipe.rates[0] if recipe.rates != (1.0, 1.0, 1.0) else 0),
    ]
    shown = [f"{name} {value:g}" for name, value in extras if value]
    shown += ["each class weighs the same"] if recipe.class_weights == "balanced" else []
    if shown:
        lines.append(f"    {', '.join(shown)}")
    lines.append(f"    from: {recipe.source}")
    return [*lines, f"    ours: {ours}"] if (ours := _ours(recipe)) else lines


def _ours(recipe: Recipe) -> str:
    """What is ours in one line; one reason for all is said once."""
    reasons: dict[str, list[str]] = {}
    for name, why in recipe.ours.items():
        reasons.setdefault(why, []).append(name)
    said = [why if names == [BESIDES] else f"{', '.join(names)} ({why})" for why, names in reasons.items()]
    return "; ".join(said)


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
    erased = f", a square of {a.erase:.0%} of the area cut out" if a.erase else ""
    return words + (", mirror" if a.flip else "") + colours + erased
