"""A share of a study's time goes to its recipe first, and nothing but a real difference changes it."""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.campaigns import DIGITS, Here, Silent, network
from support.searches import SMALL, settings_of

from igcnas.cli import main
from igcnas.cli import tuning as command
from igcnas.cli.common import Stop
from igcnas.cli.training_lines import training_lines
from igcnas.errors import IgcnasError, StudyError
from igcnas.network.baselines import known_networks
from igcnas.network.budget import macs_budget
from igcnas.search.campaign import Campaign, OtherTrainingError
from igcnas.search.evaluation import Interrupted
from igcnas.search.folder import guard_settings
from igcnas.search.settings import StudySettings
from igcnas.search.tuning.plan import candidates, tuning_plan
from igcnas.search.tuning.record import PRESENT, Tuning
from igcnas.search.tuning.trainings import RecipeTraining, Tried, challenger_of, first_round, found, second_round
from igcnas.training.recipes import recipe_for, short_recipe, short_settings, with_recipe
from igcnas.training.recipes.choosing import Changes
from igcnas.training.settings import TrainingSettings

pytestmark = pytest.mark.usefixtures("forked_workers")

SHORT = short_settings(100)
BASELINES = known_networks((1, 8, 8), 10, macs_budget(200_000))


def tuning(*pairs: tuple[float | None, float | None], images: int = 400) -> Tuning:
    tried = ((PRESENT, 80.0), ("learning rate x 3", 82.0))
    return Tuning(
        share=0.1, before={}, tried=tried, challenger="learning rate x 3", pairs=pairs, images=images, epochs=88
    )


# The decision


def test_a_difference_that_chance_would_make_changes_nothing():
    found = tuning((90.0, 91.5), (91.0, 91.5))
    assert found.gain == pytest.approx((math.log(10 / 8.5) + math.log(9 / 8.5)) / 2)
    assert found.chance > found.gain > 0
    assert found.chosen == PRESENT
    assert found.words() == (
        "the recipe stays as it is: learning rate x 3, the best of the others at first, has 91.50 % accuracy against "
        "90.50 %, the means of 2 trainings each, 10 % fewer errors, where chance alone may make 23 % fewer errors "
        "(95 %)"
    )


def test_a_difference_beyond_chance_changes_the_recipe():
    found = tuning((80.0, 90.0), (81.0, 91.0))
    assert found.chosen == "learning rate x 3"
    assert found.words().startswith("learning rate x 3: 90.50 % accuracy against 80.50 %")
    assert "51 % fewer errors" in found.words()


def test_a_network_that_gains_many_points_and_one_that_gains_few_agree_where_both_lose_half_of_their_errors():
    assert tuning((96.0, 98.0), (60.0, 80.0)).chosen == "learning rate x 3"
    assert tuning((96.0, 98.0), (60.0, 55.0)).chosen == PRESENT


@given(st.floats(50, 98), st.integers(1, 8), st.integers(100, 5000))
def test_equal_recipes_never_change_and_more_images_tell_smaller_differences(accuracy, count, images):
    assert tuning(*[(accuracy, accuracy)] * count, images=images).chosen == PRESENT
    few, many = (tuning(*[(accuracy, accuracy)] * count, images=n) for n in (images, 4 * images))
    assert many.chance == pytest.approx(few.chance / 2, rel=0.01)


def test_pairs_that_scatter_more_than_the_images_explain_ask_for_more():
    assert tuning((80.0, 100.0), (90.0, 80.0)).chance > tuning((85.0, 90.0), (85.0, 90.0)).chance


def test_a_recipe_that_diverged_is_not_chosen_and_a_present_one_that_diverged_is_left():
    assert tuning((90.0, None), (90.0, 99.0)).chosen == PRESENT
    assert "one diverged" in tuning((90.0, None), (90.0, 99.0)).words()
    assert tuning((None, 50.0), (90.0, 50.0)).chosen == "learning rate x 3"
    assert "by the recipe as it was one of 2 trainings diverged" in tuning((None, 50.0), (90.0, 50.0)).words()
    assert tuning().words() == "the recipe stays as it is: every other one diverged at first"


# The plan


def test_each_recipe_that_is_tried_differs_from_the_present_one_in_one_thing():
    tried = candidates(SHORT)
    assert next(iter(tried)) == PRESENT
    assert len(tried) == 7
    present = recipe_for(SHORT).to_dict()
    for name, settings in tried.items():
        other = recipe_for(settings).to_dict()
        differs = {key for key in present if present[key] != other[key]} - {"source"}
        assert len(differs) == (0 if name == PRESENT else 1), name
        assert settings.network_seed("abc") == SHORT.network_seed("abc")


def test_pictures_that_may_not_be_mirrored_are_not_by_any_recipe_that_is_tried():
    settings = with_recipe(SHORT, Changes(flip=False).of(short_recipe(SHORT)))
    assert not any(recipe_for(one).augmentation.flip for one in candidates(settings).values())


@given(st.integers(1, 60), st.floats(0.02, 1.0), st.integers(1, 400))
def test_tuning_never_takes_more_than_its_share_and_what_has_no_time_is_refused(epochs, share, networks):
    settings = dataclasses.replace(SHORT, epochs=epochs)
    allowed = share * networks * epochs
    try:
        plan = tuning_plan(settings, share=share, networks=networks)
    except IgcnasError:
        assert allowed < 7 * -(-epochs // 4) + 2 * epochs
        return
    assert plan.trained(7, epochs) <= allowed + 1e-6
    assert plan.pairs >= 1


def test_the_usual_search_has_time_for_two_pairs():
    plan = tuning_plan(SHORT, share=0.1, networks=60)
    assert (plan.epochs, plan.pairs, plan.trained(7, SHORT.epochs)) == (4, 2, 88)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.5])
def test_a_share_that_is_none_is_one_line(share):
    with pytest.raises(IgcnasError, match=f"--tune-recipe {share:g} must be a share of the "):
        tuning_plan(SHORT, share=share, networks=60)


def test_recipes_of_a_pair_have_the_same_network_and_seed_and_files_of_their_own():
    plan = tuning_plan(SHORT, share=0.5, networks=60)
    tried = candidates(SHORT)
    first = first_round(Path("t"), tried, BASELINES, plan)
    second = second_round(Path("t"), tried, "strong augmentation", BASELINES, plan)
    assert {one.seed for one in first} == {first[0].seed}
    for mine, theirs in zip(second[::2], second[1::2], strict=True):
        assert (mine.seed, mine.architecture.id) == (theirs.seed, theirs.architecture.id)
    pairs = {(one.seed, one.architecture.id) for one in second}
    assert len(pairs) == plan.pairs
    stems = [one.stem for one in (*first, *second)]
    assert len(set(stems)) == len(stems)


def test_the_challenger_is_the_best_of_the_others():
    tried = [Tried(recipe=name, training_seed=1, epochs=4, val_accuracy=value) for name, value in
             ((PRESENT, 99.0), ("a", 90.0), ("b", 95.0), ("c", 95.0), ("d", None))]  # fmt: skip
    assert challenger_of(tried) == "b"
    assert challenger_of(tried[:1]) is None
    assert found(SHORT, tried, [], share=0.1, images=400, measure="accuracy").chosen == PRESENT


def test_a_result_of_another_training_is_no_result():
    plan = tuning_plan(SHORT, share=0.5, networks=60)
    one, other = first_round(Path("t"), candidates(SHORT), BASELINES, plan)[:2]
    written = one.text(one.failed("diverged", None))  # type: ignore[arg-type]
    assert one.parsed(written.encode(), where="file").failed == "diverged"
    with pytest.raises(OtherTrainingError):
        other.parsed(written.encode(), where="file")


# In a search


def asked(share: float = 0.1, networks: int = 60) -> argparse.Namespace:
    return argparse.Namespace(tune_recipe=share, networks=networks)


def study_of(training: TrainingSettings = SHORT) -> StudySettings:
    return dataclasses.replace(settings_of(SMALL), training=training)


def by_name(accuracies: dict[str, float], ran: list[str]) -> Callable[..., list[Tried]]:
    """Trains nothing: made-up accuracies, in place of workers."""

    def run(_arguments: object, _settings: object, trainings: list[RecipeTraining], _stop: object) -> list[Tried]:
        ran.extend(one.recipe for one in trainings)
        return [one._tried(val_accuracy=accuracies.get(one.recipe, 50.0)) for one in trainings]

    return run


def test_a_study_is_tuned_once_and_goes_on_by_what_was_chosen(tmp_path, monkeypatch, capsys):
    ran: list[str] = []
    monkeypatch.setattr(command, "_run", by_name({"learning rate / 3": 90.0}, ran))
    settings = study_of()
    tuned = command.tune(asked(), tmp_path, settings, Stop())
    assert len(ran) == 7 + 2 * 2
    assert "tuned     learning rate / 3: 90.00 % accuracy against 50.00 %" in capsys.readouterr().out
    assert tuned.training.learning_rate == 0.2
    guard_settings(tmp_path, tuned)
    # The same command, which asks for the recipe as it was; what was found, said outright; and another one.
    assert command.as_tuned(settings, tmp_path) == StudySettings.read(tmp_path)
    command.check_tuning(0.1, command.as_tuned(settings, tmp_path), tmp_path, networks=60)
    guard_settings(tmp_path, command.as_tuned(settings, tmp_path))
    guard_settings(tmp_path, command.as_tuned(study_of(tuned.training), tmp_path))
    with pytest.raises(StudyError, match=r"training.learning_rate: 0.2 -> 0.1"):
        guard_settings(tmp_path, command.as_tuned(study_of(dataclasses.replace(SHORT, learning_rate=0.1)), tmp_path))
    assert "tuned     learning rate / 3" in "\n".join(training_lines(StudySettings.read(tmp_path)))


def test_a_tuning_that_was_killed_keeps_its_plan_and_its_settings(tmp_path, monkeypatch):
    def killed(*_: object) -> list[Tried]:
        raise Interrupted

    monkeypatch.setattr(command, "_run", killed)
    with pytest.raises(Interrupted):
        command.tune(asked(), tmp_path, study_of(), Stop())
    ran: list[str] = []
    monkeypatch.setattr(command, "_run", by_name({}, ran))
    slower = study_of(dataclasses.replace(SHORT, learning_rate=0.1))
    with pytest.raises(StudyError, match=r"under other settings \(training.learning_rate: 0.6 -> 0.1\); go back"):
        command.tune(asked(), tmp_path, slower, Stop())
    command.tune(asked(networks=600), tmp_path, study_of(), Stop())
    assert len(ran) == 11  # as it began, for 60 networks


def test_a_study_that_was_begun_is_not_tuned(tmp_path):
    guard_settings(tmp_path, study_of())
    with pytest.raises(StudyError, match="was begun without --tune-recipe, or from other settings; leave it out"):
        command.check_tuning(0.1, study_of(), tmp_path, networks=60)


def test_a_search_without_time_for_it_is_refused_before_anything_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["search", "--budget-mflops", "0.03", "--epochs", "1", "--networks", "1", "--tune-recipe"]) == 2
    assert (
        "--tune-recipe tries 7 recipes in 9 epochs, and 1 network of 1 epoch have 1 in all" in capsys.readouterr().err
    )
    assert not (tmp_path / "studies").exists()


def test_a_recipe_is_tried_with_its_own_augmentation_and_goes_on_where_it_was_killed(tmp_path):
    """Real trainings of a small network."""
    baseline = dataclasses.replace(
        BASELINES[0],
        fit=SimpleNamespace(architecture=network(4)),  # type: ignore[arg-type]
    )
    settings = dataclasses.replace(SHORT, epochs=40)
    plan = tuning_plan(settings, share=0.5, networks=60)
    tried = {name: one for name, one in candidates(settings).items() if name in (PRESENT, "no augmentation")}
    workers = Here(DIGITS, settings, images="split")
    done = Campaign(first_round(tmp_path, tried, [baseline], plan)).run(workers, Silent())
    assert {one.epochs for one in done} == {10}
    assert done[0].val_accuracy != done[1].val_accuracy
    left = Campaign(first_round(tmp_path, tried, [baseline], plan))
    assert left.missing() == []
    (tmp_path / "1-no-augmentation.json").unlink()
    again = left.run(workers, Silent())
    assert [one.val_accuracy for one in again] == [one.val_accuracy for one in done]
