"""Recipes as data: what they say, how they change with the options, and that each can be run."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igcnas.cli import main
from igcnas.data.augmentation import Augmentation
from igcnas.errors import IgcnasError
from igcnas.network.literature import FAMILIES
from igcnas.training.optimizer import rate_factor
from igcnas.training.recipes import (
    PAPER_OF,
    RECIPES,
    FirstWeights,
    NormConstants,
    PerKind,
    Recipe,
    Schedule,
    choose_recipe,
    paper_recipe,
    short_recipe,
    short_settings,
)
from igcnas.training.recipes.own import recipe_of, schema
from igcnas.training.recipes.recipe import BESIDES

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
        ({"epochs": 10**7}, "epochs must be at most 1,000,000, but is 10000000"),
        ({"epochs": 10**5000}, "epochs must be at most 1,000,000, but is a number of more than 40 digits"),
        ({"batch_size": -1}, "batch_size must be at least 1"),
        ({"batch_size": 2**21}, "batch_size must be at most 1,048,576"),
        ({"learning_rate": math.nan}, "learning_rate must be a positive number"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
    ],
)
def test_numbers_that_cannot_be_are_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(IgcnasError, match=words):
        dataclasses.replace(RECIPES["igc-cifar"], **change)  # type: ignore[arg-type]
    with pytest.raises(IgcnasError, match="unknown schedule 'cosin'; did you mean 'cosine'"):
        Schedule(kind="cosin")
    with pytest.raises(IgcnasError, match="pad must be at most 65,536"):
        Augmentation(pad=10**6)
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


# Whose each value is


@pytest.mark.parametrize("recipe", [short_recipe(short_settings(0)), *RECIPES.values()], ids=lambda r: r.name)
def test_every_value_is_of_a_file_of_the_source_or_named_as_ours(recipe: Recipe) -> None:
    for name, _ in recipe.values():
        who, where = recipe.whose(name)
        assert who in ("ours", "theirs"), name
        assert where, name


# What the authors' files say, read there; None of a value that does not act.
IN_FILES: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "igc-cifar",
        {"norm.epsilon": 2e-5, "norm.momentum": 0.01, "norm.residual_momentum": 0.1, "first.linear": "torch"},
    ),
    ("igc-svhn", {"epochs": 40, "augmentation.crop": "none", "augmentation.flip": False, "norm.momentum": 0.01}),
    (
        "igc-imagenet",
        {"norm.epsilon": 2e-5, "norm.momentum": 0.1, "decay.norms": 1e-4, "augmentation.ratio": (0.75, 1.25)},
    ),
    (
        "igcv3-cifar",
        {"first.convolution": "fan-out", "first.linear": "normal", "dropout": 0.5, "optimizer.nesterov": False},
    ),
    (
        "igcv3-imagenet",
        {
            "decay.weights": 4e-5,
            "decay.norms": 4e-5,
            "decay.shifts": 0.0,
            "decay.biases": 0.0,
            "first.convolution": "fan-in",
            "first.linear": "fan-in",
        },
    ),
    ("mobilenetv2-cifar", {"first.convolution": "torch", "first.bias": "torch", "optimizer.nesterov": False}),
    (
        "mobilenetv2-cifar-rmsprop",
        {
            "optimizer.smoothing": 0.99,
            "optimizer.epsilon": 1e-8,
            "channel_dropout.share": 0.2,
            "channel_dropout.at": ("stem", "head", "map", "pooled"),
            "dropout": 0.0,
            "first.convolution": "xavier",
            "optimizer.nesterov": None,
        },
    ),
    ("flgc-cifar", {"decay.deciding": 4e-5, "first.convolution": "fan-out", "grouping.temperature_end": 1.0}),
    (
        "dgconv-imagenet",
        {
            "batch_size": 256,
            "learning_rate": 0.1,
            "optimizer.nesterov": True,
            "decay.weights": 1e-4,
            "decay.deciding": 1e-4,
            "first.linear": "torch",
            "grouping.ratio_exponent": 0.02,
        },
    ),
    ("msgc-imagenet", {"decay.norms": 0.0, "decay.deciding": 0.0, "label_smoothing": 0.1, "first.bias": "torch"}),
    ("msgc-mobilenetv2-imagenet", {"epochs": 150, "first.linear": "normal", "first.bias": "zero"}),
    ("dgc-cifar", {"decay.norms": 1e-4, "first.convolution": "fan-out", "grouping.saliency_weight": 1e-5}),
    ("condensenet-imagenet", {"grouping.group_lasso": 1e-5, "first.linear": "torch", "first.bias": "zero"}),
    (
        "resnet-cifar",
        {"first.convolution": "fan-in", "first.linear": "fan-in", "first.bias": "torch", "norm.epsilon": 1e-5},
    ),
)


@pytest.mark.parametrize(("name", "stated"), IN_FILES, ids=[name for name, _ in IN_FILES])
def test_values_that_stand_in_the_files_of_a_source_are_theirs(name: str, stated: dict[str, Any]) -> None:
    values = dict(RECIPES[name].values())
    assert {value: values.get(value) for value in stated} == stated
    assert {RECIPES[name].whose(value)[0] for value in stated if value in values} == {"theirs"}


def test_a_value_that_no_recipe_has_cannot_be_called_ours() -> None:
    with pytest.raises(IgcnasError, match=r"'optimizer.momenta' in files or ours is no value of a recipe"):
        dataclasses.replace(RECIPES["igc-cifar"], ours={"optimizer.momenta": "a slip"})


def test_words_are_no_part_of_what_a_recipe_is() -> None:
    recipe = RECIPES["igc-cifar"]
    assert dataclasses.replace(recipe, source="elsewhere", ours={"epochs": "why not"}) == recipe
    assert dataclasses.replace(recipe, norm=NormConstants()) != recipe


def test_a_recipe_is_shown_value_by_value_with_the_file_it_stands_in(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "igcv3-imagenet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines if line.startswith(("decay.shifts", "norm.epsilon"))] == [
        ["decay.shifts", "0", "theirs", "common/fit.py"],
        ["norm.epsilon", "1e-05", "theirs", "symbols/igcv3.py"],
    ]
    assert any(line.startswith("augmentation.jitter ") and " ours " in line for line in lines)
    assert lines[-1].startswith("ours besides: the rate multiplies the velocity")
    assert main(["recipes", "igcv3-imagenet", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["values"]["epochs"] == {"value": 480, "whose": "theirs", "file": "train_imagenet.py"}
    assert found["values"]["augmentation.jitter"]["whose"] == "ours"
    assert Recipe.from_dict(found["recipe"]) == RECIPES["igcv3-imagenet"]
    assert main(["recipes", "igcv3-imagent"]) == 2
    assert "did you mean 'igcv3-imagenet'" in capsys.readouterr().err


# A recipe of one's own

LEAST: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 32,
    "learning_rate": 0.1,
    "decay": {"weights": 1e-4, "biases": 0, "norms": 0, "deciding": 0},
}


def fits(value: Any, rule: dict[str, Any] | bool, definitions: dict[str, Any]) -> bool:
    """Whether a value fits a JSON schema of the words that ours uses."""
    if isinstance(rule, bool):
        return rule
    if "$ref" in rule:
        return fits(value, definitions[rule["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in rule:
        return any(fits(value, one, definitions) for one in rule["anyOf"])
    if "enum" in rule:
        return value in rule["enum"]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    types = {
        "object": isinstance(value, dict),
        "array": isinstance(value, list),
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "null": value is None,
        "number": number,
        "integer": number and value == int(value),
    }
    if "type" in rule and not types[rule["type"]]:
        return False
    if number:
        return (
            value >= rule.get("minimum", value)
            and value <= rule.get("maximum", value)
            and not ("exclusiveMinimum" in rule and value <= rule["exclusiveMinimum"])
            and not ("exclusiveMaximum" in rule and value >= rule["exclusiveMaximum"])
        )
    if isinstance(value, list):
        firsts = rule.get("prefixItems", [])
        rest = rule.get("items", True)
        return rule.get("minItems", 0) <= len(value) <= rule.get("maxItems", len(value)) and all(
            fits(part, firsts[place] if place < len(firsts) else rest, definitions) for place, part in enumerate(value)
        )
    if isinstance(value, dict):
        known, other = rule.get("properties", {}), rule.get("additionalProperties", True)
        return all(name in value for name in rule.get("required", [])) and all(
            fits(part, known.get(name, other), definitions) for name, part in value.items()
        )
    return True


def accepted(data: Any) -> bool:
    made = schema()
    return fits(data, {"$ref": made["$ref"]}, made["$defs"])


def read(data: Any) -> Recipe | None:
    try:
        return recipe_of(json.loads(json.dumps(data)), where="mine.json", name="mine")
    except IgcnasError:
        return None


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda r: r.name)
def test_every_recipe_of_a_paper_could_be_ones_own(recipe: Recipe) -> None:
    data = json.loads(json.dumps(recipe.to_dict()))
    assert accepted(data)
    assert read(data) == recipe


def changed(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(LEAST))
    inner = data
    for name in path[:-1]:
        inner = inner.setdefault(name, {})
    inner[path[-1]] = value
    return data


NUMBERS = (-1, 0, 1e-9, 0.5, 0.999, 1, 1.5, 7, 300)
WORDS_AND_MORE = (
    "",
    "sgd",
    "rmsprop",
    "cosine",
    "steps",
    "pad",
    "mean",
    "fan-out",
    "torch",
    "full",
    "macs",
    "msgc",
    None,
    True,
    [],
    {},
)


def fields() -> list[tuple[str, ...]]:
    """Every field of a recipe, and one that is none in each part."""
    paths: list[tuple[str, ...]] = []
    for part, value in RECIPES["igc-cifar"].to_dict().items():
        if part not in ("name", "source", "files", "ours"):
            inner = isinstance(value, dict)
            paths += [(part, name) for name in (*value, "slip")] if inner else [(part,)]
    return [*paths, ("slip",)]


@pytest.mark.parametrize("path", fields(), ids=".".join)
def test_the_schema_accepts_what_the_reader_accepts(path: tuple[str, ...]) -> None:
    # What the schema cannot say concerns several fields at once; see its docstring.
    together = {
        ("channel_dropout", "share"),
        ("channel_dropout", "at"),
        ("optimizer", "dampening"),
        ("optimizer", "momentum"),
    }
    for value in (*NUMBERS, *WORDS_AND_MORE, [0.1, 0.2], [0.5, 2], [0.1, 0.1, 0.1, 0.4], ["stem"]):
        data = changed(path, value)
        found = read(data)
        assert accepted(data) or found is None, value
        if path not in together and value != [0.5, 2]:
            assert (found is not None) == accepted(data), value


def test_what_a_file_leaves_out_is_as_in_a_search_and_its_name_is_the_files(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(json.dumps(LEAST))
    recipe = choose_recipe(str(tmp_path / "mine.json"), family="igc", height=32, images=1)
    assert (recipe.name, recipe.epochs, recipe.decay.weights) == ("mine", 2, 1e-4)
    assert (recipe.norm, recipe.first, recipe.augmentation) == (NormConstants(), FirstWeights(), Augmentation())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({**LEAST, "epoch": 3}, "unknown field 'epoch'; did you mean 'epochs'"),
        (changed(("optimizer", "momentom"), 0.9), "optimizer: unknown field 'momentom'; did you mean 'momentum'"),
        (changed(("epochs",), 0), "epochs is 0: expected int >= 1"),
        (changed(("epochs",), 10**7), "epochs is 10000000: expected int <= 1000000"),
        (changed(("augmentation", "pad"), 10**6), "augmentation.pad is 1000000: expected int <= 65536"),
        (changed(("decay", "weights"), "much"), "decay.weights is 'much': expected float, got str"),
        (changed(("schedule", "milestones"), [0.5, 0.25]), "milestones must rise"),
        (changed(("grouping", "gradient"), "half"), "unknown gradient rule 'half'"),
        ({name: value for name, value in LEAST.items() if name != "decay"}, "missing required field decay"),
        (changed(("grouping", "hinge_weight"), math.inf), "Infinity where a number is expected"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_error_in_a_file_is_one_line_with_the_field_and_the_rule(
    data: dict[str, Any], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.json").write_text(json.dumps(data))
    for command in (
        ["recipes", str(tmp_path / "mine.json")],
        ["train", "igc", "--recipe", str(tmp_path / "mine.json")],
    ):
        assert main(command) == 2
        err = capsys.readouterr().err
        assert words in err
        assert str(tmp_path / "mine.json") in err
        assert err.count("\n") == 1


def test_recipes_of_older_files_have_their_line_of_what_is_ours_besides() -> None:
    data = json.loads(json.dumps(RECIPES["igc-cifar"].to_dict()))
    del data["files"], data["norm"]
    assert Recipe.from_dict({**data, "ours": "the batch"}).ours == {BESIDES: "the batch"}
    assert Recipe.from_dict({**data, "ours": ""}).ours == {}
    assert Recipe.from_dict(data).norm == NormConstants()
    with pytest.raises(IgcnasError, match="epochs is 0: expected int >= 1"):
        Recipe.from_dict({**data, "epochs": 0})


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out) == schema()
    assert main(["recipes", "igc-cifar", "--schema"]) == 2
