"""Racing: whom to repeat, and how sure it is that the first is the best."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import racing as benchmark
from benchmarks import table
from igcnas.statistics import racing
from igcnas.statistics.intervals import mean
from igcnas.statistics.racing import SPLIT_NOTE, next_repeat, standing

IMAGES = 360
percents = st.integers(200, IMAGES).map(lambda right: 100 * right / IMAGES)
studies = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3), st.lists(percents, min_size=1, max_size=3), max_size=8
)
some_studies = studies.filter(len)
FEW = {"a": [97.0], "b": [96.8], "c": [90.0], "d": [85.0]}


def of(*rights: int) -> list[float]:
    return [100 * right / IMAGES for right in rights]


@settings(max_examples=40)
@given(some_studies)
def test_probabilities_of_all_networks_add_up_to_one_and_the_order_of_the_mapping_does_not_matter(study):
    found = standing(study, images=IMAGES)
    total = found.first.probability + sum(one.probability for one in found.runners_up)
    assert 1 - 0.01 * len(study) <= total <= 1 + 1e-9
    turned = dict(reversed(study.items()))
    assert standing(turned, images=IMAGES) == found
    assert next_repeat(turned, seeds=3, images=IMAGES) == next_repeat(study, seeds=3, images=IMAGES)
    assert found.trainings == sum(map(len, study.values()))
    assert list(found.runners_up) == sorted(found.runners_up, key=lambda one: (-one.probability, one.name))


@settings(max_examples=25)
@given(some_studies, st.integers(1, 4))
def test_racing_ends_and_no_network_gets_more_than_its_seeds(study, seeds):
    study = {name: list(values) for name, values in study.items()}
    most = sum(max(0, seeds - len(values)) for values in study.values())
    for _ in range(most + 1):
        name = next_repeat(study, seeds=seeds, images=IMAGES)
        if name is None:
            break
        assert len(study[name]) < seeds
        study[name].append(study[name][0])
    else:
        pytest.fail("racing went on after all trainings")


def test_the_probability_of_being_best_is_the_share_of_draws_from_the_posteriors():
    from igcnas.statistics.racing import _best, _fit

    posterior = _fit({"a": of(355, 352), "b": of(354), "c": of(350, 351, 352), "d": of(330), "e": of(353)}, IMAGES)
    chance = np.random.default_rng(0)
    rows = chance.choice(len(posterior.weights), 200_000, p=posterior.weights)
    drawn = chance.normal(posterior.centres[rows], posterior.deviations[rows]).argmax(1)
    assert _best(posterior) == pytest.approx(np.bincount(drawn, minlength=5) / len(drawn), abs=0.005)


def test_of_the_leader_and_its_challenger_the_one_with_fewer_trainings_is_repeated():
    assert next_repeat({**FEW, "a": [97.0, 97.1]}, seeds=5, images=IMAGES) == "b"
    assert next_repeat({**FEW, "b": [96.8, 96.9]}, seeds=5, images=IMAGES) == "a"


def test_the_strongest_challenger_is_the_one_that_may_still_be_better_not_the_one_that_is_next() -> None:
    study = {"a": of(352, 352, 352, 352), "b": of(350, 350, 350, 350), "c": of(349), "d": of(300)}
    assert next_repeat(study, seeds=9, images=IMAGES) == "c"


def test_runners_up_come_in_the_order_of_their_probability_and_of_equal_ones_in_that_of_their_names() -> None:
    rights = {"f": 352, "e": 350, "d": 350, "c": 351, "b": 349, "a": 352}
    found = standing({name: of(right) for name, right in rights.items()}, images=IMAGES)
    assert [found.first.name, *(one.name for one in found.runners_up)] == ["a", "f", "c", "d", "e", "b"]


def test_one_training_each_is_a_race_that_is_over_and_two_have_a_spread() -> None:
    assert next_repeat(FEW, seeds=1, images=IMAGES) is None
    assert next_repeat(FEW, seeds=2, images=IMAGES) is not None
    found = standing({"a": [97.0, 99.0], "b": [96.0]}, images=IMAGES)
    assert found.first.sd == pytest.approx(math.sqrt(2))
    assert found.runners_up[0].sd is None


def test_no_right_answers_at_all_and_nothing_but_right_ones_are_accuracies() -> None:
    found = standing({"a": [0.0], "b": [100.0], "c": [50.0]}, images=IMAGES)
    assert found.first.name == "b"
    assert 0 < found.first.expected <= 100


def test_networks_of_the_lower_half_count_by_their_place_alone_and_those_of_the_upper_by_their_accuracy() -> None:
    study = {f"n{place:02d}": of(350 - 4 * place) for place in range(30)}
    expected = standing(study, images=IMAGES).first.expected
    lower = {f"n{place:02d}": of(350 - 4 * place - 2 * (place % 2)) for place in range(15, 30)}
    assert standing(study | lower, images=IMAGES).first.expected == pytest.approx(expected, abs=1e-9)
    last_of_the_upper = {"n14": of(350 - 4 * 14 + 3)}
    assert standing(study | last_of_the_upper, images=IMAGES).first.expected != pytest.approx(expected, abs=1e-9)


def test_equal_networks_are_told_apart_by_name():
    assert next_repeat({"y": [97.0], "x": [97.0]}, seeds=5, images=IMAGES) == "x"
    assert standing({"y": [97.0], "x": [97.0]}, images=IMAGES).first.name == "x"


def test_what_is_separated_or_used_up_is_not_repeated():
    apart = {"a": [99.0, 98.9, 99.1], **{f"b{i}": [80.0, 80.4, 79.6] for i in range(5)}}
    assert standing(apart, images=IMAGES).first.probability > 0.99
    assert next_repeat(apart, seeds=9, images=IMAGES) is None
    assert next_repeat({"a": [97.0, 97.0], "b": [97.0, 97.0]}, seeds=2, images=IMAGES) is None
    assert next_repeat({"a": [97.0]}, seeds=5, images=IMAGES) is None


def test_where_the_leader_and_its_challenger_are_used_up_the_next_is_repeated():
    study = {"a": of(350, 351), "b": of(350, 350), "c": of(350), "d": of(300)}
    assert next_repeat(study, seeds=2, images=IMAGES) == "c"


def test_a_single_high_training_is_taken_with_more_salt_than_a_repeated_one():
    others = {f"n{i}": of(right) for i, right in enumerate(range(335, 351))}
    found = standing({**others, "lucky": of(356), "steady": of(355, 355, 355, 356)}, images=IMAGES)
    assert found.first.name == "steady"
    lucky = next(one for one in found.runners_up if one.name == "lucky")
    assert lucky.expected < lucky.mean
    assert lucky.uncertainty > found.first.uncertainty
    assert (lucky.sd, lucky.n) == (None, 1)


def test_optimism_is_what_the_network_that_looked_best_first_has_lost():
    found = standing({"a": [98.0, 96.0, 96.0], "b": [97.0, 97.0, 97.0], "c": [96.0]}, images=IMAGES)
    assert found.first.name == "b"
    a = next(one for one in found.runners_up if one.name == "a")
    assert found.optimism == pytest.approx(98.0 - a.expected)
    assert found.typical_optimism > 0


def test_the_spread_of_repeats_outweighs_the_binomial_guess():
    quiet = {f"n{i}": of(right, right, right) for i, right in enumerate(range(330, 350))}
    loud = {f"n{i}": of(right - 8, right, right + 8) for i, right in enumerate(range(330, 350))}
    binomial = 100 * math.sqrt(0.97 * 0.03 / IMAGES)
    assert standing(quiet, images=IMAGES).seed_sd < binomial / 2
    assert standing(loud, images=IMAGES).seed_sd > 2 * binomial


def test_a_far_worse_network_changes_little_about_the_leaders():
    near = {f"n{i:02d}": of(right) for i, right in enumerate(range(330, 350))}
    far = near | {f"x{i}": of(100) for i in range(3)}
    assert standing(far, images=IMAGES).first.probability == pytest.approx(
        standing(near, images=IMAGES).first.probability, abs=0.06
    )


def test_the_stated_probability_is_calibrated_as_far_as_a_simulation_can_tell():
    """Before any repeat, where all rests on the model: 250 worlds whose noise is what the model assumes."""
    stated, found = [], []
    for seed in range(250):
        world = benchmark.simulated(30, noise=1.0, seed=seed)
        firsts = {f"{n:04d}": [world.draw(n, 0)] for n in range(30)}
        first = standing(firsts, images=world.images).first
        stated.append(first.probability)
        found.append(world.truth[int(first.name)] == max(world.truth))
    error = math.sqrt(mean([p * (1 - p) for p in stated]) / len(stated))
    assert abs(mean(stated) - mean(found)) < 3 * error
    assert 0.2 < mean(stated) < 0.7


def test_at_equal_cost_racing_finds_the_best_of_its_networks_more_often_and_says_how_sure_it_is():
    runs = [benchmark.play(benchmark.simulated(40, noise=1.0, seed=s), networks=20, seeds=7) for s in range(50)]
    found = {name: sum(run.found[name] for run in runs) for name in runs[0].found}
    assert found["racing"] > max(found["no repeats"], found["more networks"]) + 5
    assert found["racing"] >= found["all alike"]
    assert mean([run.regret["racing"] for run in runs]) < 0.5 * mean([run.regret["no repeats"] for run in runs])
    error = math.sqrt(mean([run.stated * (1 - run.stated) for run in runs]) / len(runs))
    assert abs(mean([run.stated for run in runs]) - found["racing"] / len(runs)) < 3 * error


def test_a_world_of_trained_networks_gives_each_of_their_seeds_once():
    rows = {
        name: table.Row(id=name, macs=1, params=1, curves=((1, 300 + place), (2, 330), (3, 360)), tests=(1, 2, 3))
        for place, name in enumerate("abcdefgh")
    }
    data = table.Table(rows=rows, validation_images=IMAGES, test_images=IMAGES)
    world = benchmark.from_table(data, 8, seed=1)
    for network, truth in enumerate(world.truth):
        assert mean([world.draw(network, repeat) for repeat in range(table.SEEDS)]) == pytest.approx(truth)
    assert benchmark.play(world, networks=5, seeds=table.SEEDS).repeats <= 3


def test_the_page_of_the_benchmark_says_what_the_model_leaves_out(tmp_path, monkeypatch):
    out = tmp_path / "racing.md"
    words = ["racing", "--worlds", "2", "--networks", "8", "--further", "5", "--table", "none", "--out", str(out)]
    monkeypatch.setattr("sys.argv", words)
    benchmark.main()
    assert SPLIT_NOTE in out.read_text()
    assert "| racing |" in out.read_text()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: standing({}, images=IMAGES),
        lambda: standing({"a": []}, images=IMAGES),
        lambda: standing({"a": [101.0]}, images=IMAGES),
        lambda: standing({"a": [50.0, 101.0]}, images=IMAGES),
        lambda: standing({"a": [math.nan]}, images=IMAGES),
        lambda: standing({"a": [90.0]}, images=0),
        lambda: next_repeat(FEW, seeds=0, images=IMAGES),
        lambda: next_repeat(FEW, seeds=3, images=IMAGES, confidence=1.0),
        lambda: next_repeat(FEW, seeds=3, images=IMAGES, confidence=0.0),
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match=r"give|must"):
        wrong()


def test_bad_networks_do_not_widen_what_is_expected_of_good_ones():
    """The lower half counts by its place alone: else its long tail makes all of a good network's lead look real."""
    near = {f"n{i:02d}": of(right) for i, right in enumerate(range(343, 355))}
    far = near | {f"x{i}": of(180 - 10 * i) for i in range(10)}
    alone, among = standing(near, images=IMAGES), standing(far, images=IMAGES)
    assert among.typical_optimism > 0.6 * alone.typical_optimism
    assert among.first.mean - among.first.expected > 0.5 * (alone.first.mean - alone.first.expected)


def test_a_spread_that_few_repeats_have_shown_is_not_taken_for_certain():
    """Two trainings that agree by luck: with the spread taken for certain the lead was settled at once."""
    study = {"a": of(352, 352), "b": of(346), "c": of(345), "d": of(340)}
    many = {**study, **{f"r{i}": of(330 + i, 330 + i, 330 + i) for i in range(8)}}
    assert standing(study, images=IMAGES).first.probability < standing(many, images=IMAGES).first.probability
    assert standing(study, images=IMAGES).first.probability < 0.95


@settings(max_examples=15)
@given(percents, st.integers(1, 3), st.integers(2, 5))
def test_networks_of_equal_accuracies_are_equally_probable(accuracy, times, count):
    found = standing({f"n{i}": [accuracy] * times for i in range(count)}, images=IMAGES)
    assert found.first.probability == pytest.approx(1 / count, abs=1e-6)
    assert all(map(math.isfinite, (found.optimism, found.typical_optimism, found.seed_sd)))
    assert found.first.uncertainty > 0


@settings(max_examples=15)
@given(st.integers(320, 355), st.integers(1, 4))
def test_a_better_training_never_makes_a_network_less_probable(right, more):
    others = {f"n{i}": of(330 + 3 * i) for i in range(6)}
    low, high = (
        {one.name: one.probability for one in (found.first, *found.runners_up)}.get("x", 0.0)
        for found in (standing({**others, "x": of(r)}, images=IMAGES) for r in (right, right + more))
    )
    assert high >= low - 1e-3


def test_a_further_training_is_expected_to_give_what_the_standing_says() -> None:
    found = standing(FEW, images=IMAGES)
    accuracies = racing.expected(FEW, images=IMAGES)
    assert accuracies.keys() == FEW.keys()
    assert all(accuracies[one.name] == one.expected for one in (found.first, *found.runners_up))
