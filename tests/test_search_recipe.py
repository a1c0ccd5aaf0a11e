"""A search trains as its user says: recipe, rate, batch, decay, augmentation, weights of classes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight
from support.searches import SMALL, settings_of
from support.workers import network

from igcnas.cli import main
from igcnas.cli.recipe_options import as_begun
from igcnas.data.augmentation import AUGMENTATIONS, Augmentation
from igcnas.data.dataset import take
from igcnas.data.loading import load_dataset
from igcnas.errors import IgcnasError, StudyError
from igcnas.network.plan import plan
from igcnas.search.settings import DataSettings, StudySettings
from igcnas.search.study import Study
from igcnas.training.augment import erase
from igcnas.training.classes import balanced_weights, cross_entropy
from igcnas.training.engine import Engine
from igcnas.training.recipes import RECIPES, Recipe, recipe_for, short_recipe, short_settings, with_recipe
from igcnas.training.recipes.choosing import Changes, check_images, recipe_options, recipe_words
from igcnas.training.settings import TrainingSettings
from igcnas.training.tensors import TrainingData
from igcnas.training.trainer import train

pytestmark = pytest.mark.usefixtures("forked_workers")

CPU = torch.device("cpu")
SHORT = short_settings(100, epochs=2)
STRONG = with_recipe(SHORT, Changes(augment="strong").of(short_recipe(SHORT)))
SEARCH = ("search", "--budget-mflops", "0.03", "--epochs", "1", "--no-baselines", "--seeds", "1", "--no-export")


def test_what_the_numbers_of_the_settings_can_say_is_no_recipe_of_its_own():
    recipe = short_recipe(SHORT)
    assert with_recipe(SHORT, recipe) == SHORT
    slower = with_recipe(SHORT, Changes(learning_rate=0.1, batch_size=32, weight_decay=1e-4).of(recipe))
    assert slower == dataclasses.replace(SHORT, learning_rate=0.1, batch_size=32, weight_decay=1e-4)
    assert with_recipe(SHORT, Changes(augment="standard", class_weights="none").of(recipe)) == SHORT


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_of_a_paper_is_kept_whole_and_scaled_to_the_epochs_of_the_study(name):
    settings = with_recipe(SHORT, RECIPES[name].adapted(epochs=7))
    found = recipe_for(settings)
    assert (settings.epochs, found.epochs) == (7, 7)
    assert found.optimizer == RECIPES[name].optimizer
    assert found.schedule.milestones == RECIPES[name].schedule.milestones
    assert found.augmentation == RECIPES[name].augmentation
    # Through a file and back, with other epochs, as a retraining does.
    again = TrainingSettings.from_dict(json.loads(json.dumps(dataclasses.asdict(settings))))
    assert recipe_for(again) == found
    assert recipe_for(dataclasses.replace(again, epochs=30)).epochs == 30


def test_seeds_of_trainings_do_not_depend_on_the_recipe():
    assert STRONG.network_seed("abc", 1) == SHORT.network_seed("abc", 1)


def test_the_decay_of_the_weights_takes_those_that_were_the_same_with_it():
    alike = Changes(weight_decay=0.5).of(RECIPES["resnet-cifar"])
    assert {alike.decay.weights, alike.decay.biases, alike.decay.norms} == {0.5}
    short = Changes(weight_decay=0.5).of(short_recipe(SHORT))
    assert (short.decay.weights, short.decay.norms) == (0.5, 0.0)


def test_a_recipe_that_pads_small_images_until_windows_are_blank_is_refused():
    padding = dataclasses.replace(short_recipe(SHORT), name="mine", augmentation=Augmentation(pad=4))
    check_images(padding, (1, 8, 8))
    with pytest.raises(IgcnasError, match=r"pads images by 4 pixels .* of 4 pixels may be blank; give another"):
        check_images(padding, (1, 4, 4))


@pytest.mark.parametrize(
    ("changes", "words", "options"),
    [
        (Changes(), "short: batch 64, rate 0.6, weight decay 0.0005, standard augmentation", ""),
        (
            Changes(augment="strong", flip=False, class_weights="balanced"),
            "short: batch 64, rate 0.6, weight decay 0.0005, strong augmentation, no picture mirrored, each class "
            "weighs the same in the loss",
            "--class-weights balanced --augment strong --no-flip",
        ),
        (
            Changes(augment="none", learning_rate=0.25),
            "short: batch 64, rate 0.25, weight decay 0.0005, no augmentation",
            "--lr 0.25 --augment none",
        ),
    ],
)
def test_a_recipe_is_said_in_a_line_and_as_the_options_that_give_it(changes, words, options):
    settings = with_recipe(SHORT, changes.of(short_recipe(SHORT)))
    assert recipe_words(recipe_for(settings)) == words
    assert " ".join(recipe_options(settings)) == options


# Settings of a study


def study_of(training: TrainingSettings) -> StudySettings:
    return dataclasses.replace(settings_of(SMALL), training=training)


def test_a_study_of_before_there_were_recipes_opens_and_is_the_same(tmp_path):
    plain = study_of(SHORT).to_dict()
    for name in ("recipe", "metric"):
        del plain["training"][name]
    del plain["data"]["class_images"]
    (tmp_path / "settings.json").write_text(json.dumps(plain), encoding="utf-8")
    found = StudySettings.read(tmp_path)
    assert found.training == SHORT
    assert found.differences(study_of(SHORT)) == []


def test_a_study_with_another_recipe_says_value_by_value_what_differs(tmp_path):
    (tmp_path / "settings.json").write_text(json.dumps(study_of(STRONG).to_dict()), encoding="utf-8")
    found = StudySettings.read(tmp_path)
    assert found.differences(study_of(STRONG)) == []
    said = study_of(SHORT).differences(found)
    assert "training.recipe.augmentation.crop: pad -> area" in said
    assert all(line.startswith("training.recipe.augmentation.") for line in said)


def test_a_study_goes_on_by_the_recipe_of_its_name_as_it_was_when_it_began():
    begun = with_recipe(SHORT, dataclasses.replace(RECIPES["igc-cifar"], label_smoothing=0.25).adapted(epochs=2))
    now = with_recipe(SHORT, RECIPES["igc-cifar"].adapted(epochs=2))
    assert as_begun(now, begun) == begun
    assert as_begun(dataclasses.replace(now, engine="eager"), begun).engine == "eager"
    for other in (
        dataclasses.replace(now, learning_rate=0.3),
        with_recipe(SHORT, Changes(augment="strong").of(RECIPES["igc-cifar"].adapted(epochs=2))),
        with_recipe(SHORT, RECIPES["igcv3-cifar"].adapted(epochs=2)),
        SHORT,
    ):
        assert as_begun(other, begun) == other


def test_a_damaged_recipe_of_a_study_is_one_line_that_names_the_field(tmp_path):
    plain = study_of(STRONG).to_dict()
    plain["training"]["recipe"]["augmentation"]["erase"] = 2
    (tmp_path / "settings.json").write_text(json.dumps(plain), encoding="utf-8")
    with pytest.raises(StudyError, match=r"recipe, is damaged \(augmentation.erase is 2"):
        StudySettings.read(tmp_path)


def test_a_search_trains_by_the_recipe_that_was_asked_for_and_goes_on_with_no_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    mine: dict[str, Any] = {"epochs": 40, "batch_size": 128, "learning_rate": 0.4, "augmentation": {"crop": "none"}}
    mine["decay"] = dict.fromkeys(("weights", "biases", "norms", "deciding"), 0.0)
    Path("mine.json").write_text(json.dumps(mine), encoding="utf-8")
    asked = [*SEARCH, "--study", "s", "--recipe", "mine.json", "--class-weights", "balanced"]
    assert main([*asked, "--networks", "1"]) == 0
    said = capsys.readouterr().out
    assert "recipe    mine: batch 128, rate 0.4, weight decay 0, pictures mirrored, each class weighs the same" in said
    assert "note      recipe mine is for 40 epochs; its schedule is scaled to 1 (--epochs)" in said
    assert main([*asked, "--networks", "2"]) == 0
    assert main([*SEARCH, "--study", "s", "--networks", "3"]) == 2
    assert "training.batch_size: 128 -> 64" in capsys.readouterr().err
    study = Study.named("s")
    assert recipe_for(study.settings.training).class_weights == "balanced"
    assert len(study.networks) == 2
    assert main(["status", "s", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["recipe"]["name"] == "mine"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--recipe paper", "another recipe for each family"),
        ("--recipe igc-cifer", "unknown recipe 'igc-cifer'; did you mean 'igc-cifar'"),
        ("--augment heavy", "unknown augmentation 'heavy'; known: none, standard, strong"),
        ("--lr 0", "--lr 0 must be a positive number"),
        ("--lr nan", "--lr nan must be a finite number"),
        ("--batch-size 1", "--batch-size 1 must be at least 2, for batch norm"),
        ("--weight-decay -1", "--weight-decay -1 must be 0 or more"),
        ("--metric f1", "unknown metric 'f1'; known: accuracy, balanced-accuracy"),
        ("--class-weights much", "unknown class weights 'much'; known: balanced, none"),
    ],
)
def test_what_no_recipe_can_be_is_one_line(words, line, capsys):
    assert main([*SEARCH, *words.split()]) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1


# Augmentation


def pictures(augment: str, *, flip: bool = True) -> TrainingData:
    data = TrainingData.of(load_dataset("digits"), SHORT, CPU)
    return dataclasses.replace(data, augmentation=AUGMENTATIONS[augment], flip=flip)


def batches(data: TrainingData, *, first: int = 0) -> list[torch.Tensor]:
    return [images for images, _ in data.epoch(200, 3, first=first)]


def test_strong_augmentation_depends_on_seed_epoch_and_step_alone():
    data = pictures("strong")
    whole = batches(data)
    assert all(torch.equal(a, b) for a, b in zip(whole[2:], batches(data, first=2), strict=True))
    assert not torch.equal(whole[0], batches(dataclasses.replace(data, augmentation=AUGMENTATIONS["standard"]))[0])


def test_strong_augmentation_erases_a_quarter_of_the_image_where_nothing_is_cut_off():
    images = torch.ones(3, 2, 32, 32)
    places = torch.tensor([[0.5, 0.5], [0.0, 0.0], [0.5, 0.999]])
    gone = (erase(images, places, 0.25) == 0).float().mean((1, 2, 3))
    assert gone.tolist() == pytest.approx([1 / 4, 1 / 16, 1 / 8])


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0.01, 0.99), st.floats(0, 0.999), st.floats(0, 0.999))
def test_what_is_erased_is_one_rectangle_no_larger_than_asked(height, width, share, down, across):
    images = torch.ones(1, 1, height, width)
    gone = erase(images, torch.tensor([[down, across]]), share)[0, 0] == 0
    side = max(1, round((share * height * width) ** 0.5))
    rows, columns = gone.any(1), gone.any(0)
    assert torch.equal(gone, rows[:, None] & columns[None, :])
    assert 1 <= rows.sum() <= side
    assert 1 <= columns.sum() <= side


def test_without_augmentation_a_training_image_is_as_it_was():
    data = pictures("none")
    order = torch.randperm(len(data.training), generator=torch.Generator().manual_seed(3))[:200]
    assert torch.equal(batches(data)[0], data.normalize(data.training.images[order]))


def test_digits_are_mirrored_by_no_augmentation():
    assert not pictures("strong", flip=False).flips
    assert pictures("strong", flip=True).flips
    assert not load_dataset("digits").flip


@pytest.mark.parametrize("engine", ["fast", "eager"])
def test_a_training_with_strong_augmentation_goes_on_to_the_same_bits(engine, tmp_path):
    settings = dataclasses.replace(
        with_recipe(SHORT, Changes(augment="strong", class_weights="balanced").of(short_recipe(SHORT))), engine=engine
    )
    data = TrainingData.of(load_dataset("digits"), settings, CPU)
    whole = train(network(), data, settings)

    class Killed(Exception):  # noqa: N818
        pass

    def kill(report):
        raise Killed

    with pytest.raises(Killed):
        train(network(), data, settings, on_epoch=kill, checkpoint=tmp_path / "c.pt", checkpoint_seconds=0)
    again = train(network(), data, settings, checkpoint=tmp_path / "c.pt")
    assert again.curve == whole.curve
    assert all(
        torch.equal(a, b)
        for a, b in zip(again.network.state_dict().values(), whole.network.state_dict().values(), strict=True)
    )


# Weights of classes


@given(st.lists(st.integers(0, 50), min_size=2, max_size=8).filter(any))
def test_balanced_weights_are_those_of_scikit_learn_and_one_on_average(counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    weights = balanced_weights(counts)
    present = np.unique(labels)
    theirs = compute_class_weight("balanced", classes=present, y=labels)
    assert weights[present].tolist() == pytest.approx(theirs.tolist(), rel=1e-6)
    assert weights[torch.from_numpy(labels)].mean() == pytest.approx(1.0, rel=1e-5)
    assert all(weight == 0 for weight, images in zip(weights.tolist(), counts, strict=True) if not images)


def test_the_weighted_loss_is_the_mean_of_weight_times_loss_of_each_image():
    random = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(6, 3, generator=random), torch.tensor([0, 0, 0, 0, 1, 2])
    weights = balanced_weights([4, 1, 1])
    losses = torch.nn.functional.cross_entropy(logits, labels, reduction="none", label_smoothing=0.1)
    of_classes = torch.stack([losses[labels == label].mean() for label in range(3)])
    # Over all training images: each class counts the same.
    assert cross_entropy(logits, labels, weights, smoothing=0.1) == pytest.approx(of_classes.mean().item())
    assert cross_entropy(logits, labels, None, smoothing=0.1) == pytest.approx(losses.mean().item())


def test_a_mixed_image_counts_as_much_of_both_of_its_classes():
    logits = torch.randn(1, 3, generator=torch.Generator().manual_seed(0))
    weights = balanced_weights([4, 1, 1])
    alone = [cross_entropy(logits, torch.tensor([label]), weights, smoothing=0.0).item() for label in range(3)]
    mixed = cross_entropy(logits, torch.tensor([[0.3, 0.0, 0.7]]), weights, smoothing=0.0)
    assert mixed.item() == pytest.approx(0.3 * alone[0] + 0.7 * alone[2])


def test_classes_weigh_the_same_where_images_are_mixed():
    recipe = dataclasses.replace(short_recipe(SHORT), class_weights="balanced", mixup=0.2)
    data = TrainingData.of(load_dataset("digits"), SHORT, CPU)
    losses = []
    for engine in ("fast", "eager"):
        made = Engine(plan(network()), data, recipe.adapted(epochs=1), seed=1, engine=engine)
        made.run()
        losses.append(made.curve[-1].train_loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def rare(engine: str, class_weights: str) -> float:
    """Recall, in percent, of a class that one image in twenty is of, after a short training."""
    digits = load_dataset("digits")
    keep = np.flatnonzero(digits.train.labels != 3)
    few = np.concatenate([keep, np.flatnonzero(digits.train.labels == 3)[:12]])
    dataset = dataclasses.replace(digits, train=take(digits.train, few))
    base = short_settings(100, epochs=4)
    changed = Changes(class_weights=class_weights).of(short_recipe(base))  # type: ignore[arg-type]
    settings = dataclasses.replace(with_recipe(base, changed), engine=engine, metric="balanced-accuracy")
    result = train(network(4), TrainingData.of(dataset, settings, CPU), settings)
    assert result.scores is not None
    images, right = result.scores.classes[3]
    return 100 * right / images


@pytest.mark.parametrize("engine", ["fast", "eager"])
def test_a_rare_class_is_found_where_classes_weigh_the_same(engine):
    assert rare(engine, "balanced") > rare(engine, "none")


def test_both_engines_take_the_same_weighted_steps():
    settings = with_recipe(
        dataclasses.replace(SHORT, epochs=1),
        Changes(class_weights="balanced").of(short_recipe(SHORT)).adapted(epochs=1),
    )
    data = TrainingData.of(load_dataset("digits"), settings, CPU)
    losses = []
    for engine in ("fast", "eager"):
        made = Engine(plan(network()), data, recipe_for(settings), seed=1, engine=engine)
        made.run()
        losses.append(made.curve[-1].train_loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_a_recipe_file_may_ask_for_weights_of_classes():
    base = short_recipe(SHORT).to_dict()
    assert Recipe.from_dict(base | {"class_weights": "balanced"}).class_weights == "balanced"
    with pytest.raises(StudyError, match="class_weights"):
        Recipe.from_dict(base | {"class_weights": "much"})


def test_the_settings_of_data_say_how_many_images_of_each_class_validate():
    data = DataSettings.of(load_dataset("digits"), SHORT, spec="digits", data_dir=None, image_size=None)
    assert sum(data.class_images) == data.validation_images
