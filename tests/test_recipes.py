"""Recipes as data: what they say, how they change with the options, and that each can be run."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igcnas.cli import main
from igcnas.errors import IgcnasError
from igcnas.literature import FAMILIES
from igcnas.recipes import (
    PAPER_OF,
    RECIPES,
    PerKind,
    Recipe,
    Schedule,
    choose_recipe,
    paper_recipe,
    short_recipe,
    short_settings,
)
from igcnas.training.schedule import rate_factor

# name, epochs, batch, rate, decay of weights and of norms, epochs at which the rate falls (or its factor an epoch)
STATED = (
    ("igc-cifar", 400, 64, 0.1, 1e-4, 1e-4, (200, 300, 350)),
    ("igc-imagenet", 120, 256, 0.1, 1e-4, 1e-4, (30, 60, 90)),
    ("igcv3-cifar", 400, 64, 0.1, 1e-4, 1e-4, (200, 300, 350)),
    ("igcv3-imagenet", 480, 96, 0.045, 4e-5, 4e-5, 0.98),
    ("igcv3-cifar-long", 800, 156, 0.1, 5e-4, 5e-4, 0.98),
    ("mobilenetv2-cifar", 200, 128, 0.1, 5e-4, 5e-4, "cosine-epoch"),
    ("mobilenetv2-cifar-350", 350, 128, 0.1, 4e-5, 4e-5, (150, 250)),
    ("mobilenetv2-cifar-rmsprop", 800, 128, 1e-4, 5e-4, 5e-4, 0.98),
    ("flgc-cifar", 400, 128, 0.1, 4e-5, 4e-5, (150, 250, 350)),
    ("msgc-imagenet", 120, 256, 0.075, 1e-4, 0.0, "cosine-epoch"),
    ("msgc-mobilenetv2-imagenet", 150, 256, 0.075, 1e-4, 0.0, "cosine-epoch"),
    ("dgc-cifar", 300, 64, 0.1, 1e-4, 1e-4, "cosine"),
    ("condensenet-cifar", 300, 64, 0.1, 1e-4, 1e-4, "cosine"),
    ("condensenet-imagenet", 120, 256, 0.1, 1e-4, 1e-4, "cosine"),
    ("resnet-cifar", 200, 128, 0.1, 1e-4, 1e-4, (100, 150)),
)


def falls(recipe: Recipe, steps: int = 3) -> list[int]:
    """Epochs at which the rate is lower than before."""
    plan = {"steps_per_epoch": steps, "epochs": recipe.epochs}
    rates = [rate_factor(recipe.schedule, epoch * steps, **plan) for epoch in range(recipe.epochs)]
    return [epoch for epoch in range(1, recipe.epochs) if rates[epoch] < rates[epoch - 1]]


@pytest.mark.parametrize("row", STATED, ids=lambda row: row[0])
def test_a_recipe_says_what_its_source_says(row: tuple[object, ...]) -> None:
    name, epochs, batch, rate, weights, norms, schedule = row
    recipe = RECIPES[str(name)]
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate) == (epochs, batch, rate)
    assert (recipe.decay.weights, recipe.decay.norms) == (weights, norms)
    if isinstance(schedule, tuple):
        assert falls(recipe) == list(schedule)
    elif isinstance(schedule, float):
        assert (recipe.schedule.kind, recipe.schedule.factor) == ("exponential", schedule)
    else:
        assert recipe.schedule.kind == schedule


def test_msgc_trains_what_decides_at_the_full_rate_and_the_rest_at_a_fifth() -> None:
    recipe = RECIPES["msgc-imagenet"]
    rates = [recipe.learning_rate * recipe.rate(kind) for kind in ("weights", "biases", "norms", "deciding")]
    assert rates == pytest.approx([0.015, 0.015, 0.015, 0.075])


def test_every_family_has_a_paper_recipe_for_both_kinds_of_data_and_every_recipe_a_source() -> None:
    assert FAMILIES.keys() <= PAPER_OF.keys()
    for family in PAPER_OF:
        assert paper_recipe(family, 32) in RECIPES.values()
        assert paper_recipe(family, 224) in RECIPES.values()
    assert paper_recipe("igcv1", 32).name == "igc-cifar"  # as architecture.json calls it
    assert all(recipe.source for recipe in RECIPES.values())


@pytest.mark.parametrize("recipe", [short_recipe(short_settings(0)), *RECIPES.values()], ids=lambda r: r.name)
def test_a_recipe_survives_json(recipe: Recipe) -> None:
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@given(st.sampled_from(sorted(RECIPES)), st.integers(8, 60))
def test_fewer_epochs_keep_the_form_of_a_schedule(name: str, epochs: int) -> None:
    recipe = RECIPES[name]
    other = recipe.adapted(epochs=epochs)
    assert other.epochs == epochs
    if recipe.schedule.kind == "steps":
        assert falls(other) == [round(epochs * share) for share in recipe.schedule.milestones]
    elif recipe.schedule.kind == "exponential":  # the whole fall is the same
        assert other.schedule.factor**epochs == pytest.approx(recipe.schedule.factor**recipe.epochs)
    else:
        last = rate_factor(other.schedule, epochs * 5 - 1, steps_per_epoch=5, epochs=epochs)
        assert last < 0.05


def test_another_batch_takes_a_rate_in_proportion_unless_one_is_given() -> None:
    recipe = RECIPES["igc-cifar"]
    assert recipe.adapted(batch_size=128).learning_rate == pytest.approx(0.2)
    assert recipe.adapted(batch_size=128, learning_rate=0.05).learning_rate == 0.05
    assert recipe.adapted() == recipe


def test_cosine_by_epoch_is_constant_within_an_epoch_and_cosine_is_not() -> None:
    by_epoch = [rate_factor(Schedule(kind="cosine-epoch"), s, steps_per_epoch=4, epochs=3) for s in range(12)]
    assert by_epoch == [0.5 * (1 + math.cos(math.pi * epoch / 3)) for epoch in range(3) for _ in range(4)]
    by_step = [rate_factor(Schedule(kind="cosine"), s, steps_per_epoch=4, epochs=3) for s in range(12)]
    assert len(set(by_step)) == 12


@pytest.mark.parametrize("kind", ["cosine", "cosine-epoch", "steps", "exponential"])
def test_every_schedule_can_warm_up(kind: str) -> None:
    schedule = Schedule(kind=kind, warmup=0.25)
    assert [rate_factor(schedule, s, steps_per_epoch=4, epochs=4) for s in range(4)] == [0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"batch_size": -1}, "batch_size must be at least 1"),
        ({"learning_rate": math.nan}, "learning_rate must be a positive number"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
    ],
)
def test_numbers_that_cannot_be_are_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(IgcnasError, match=words):
        dataclasses.replace(RECIPES["igc-cifar"], **change)  # type: ignore[arg-type]
    with pytest.raises(IgcnasError, match="unknown schedule 'cosin'; did you mean 'cosine'"):
        Schedule(kind="cosin")
    with pytest.raises(IgcnasError, match="norms must be at least 0, but is -1"):
        PerKind(weights=0, biases=0, norms=-1, deciding=0)


def test_an_unknown_recipe_is_named_with_the_nearest_and_the_known_ones() -> None:
    with pytest.raises(IgcnasError, match=r"unknown recipe 'igc-cifr'; did you mean 'igc-cifar'\? known: .*short"):
        choose_recipe("igc-cifr", family="igc", height=32, images=1)


def test_short_is_what_a_search_does_with_few_and_with_many_images() -> None:
    few, many = (choose_recipe("short", family="igc", height=32, images=n) for n in (9_999, 10_000))
    assert (few.epochs, few.batch_size, few.learning_rate) == (15, 64, 0.6)
    assert (many.epochs, many.batch_size, many.learning_rate) == (8, 128, 0.2)


def test_recipes_are_shown_and_given_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == 0
    shown = capsys.readouterr().out
    assert all(f"\n{name}\n" in shown for name in RECIPES)
    assert "times 0.1 at epochs 200/300/350" in shown
    assert main(["recipes", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["recipes"].keys() == {"short", *RECIPES}
    assert found["paper"]["igc"] == {"small": "igc-cifar", "imagenet": "igc-imagenet"}
