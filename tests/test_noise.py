"""What an accuracy may be off: one kind of error for all that is shown of a study."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from igcnas.statistics.noise import Noise, arcsine, seed_words, standard_error

IMAGES = 400
percents = st.integers(0, IMAGES).map(lambda right: 100 * right / IMAGES)
trainings = st.lists(percents, min_size=1, max_size=4)


def test_the_binomial_error_is_its_definition_and_never_nothing():
    assert standard_error(50.0, 100) == pytest.approx(5.0)
    assert standard_error(90.0, 400) == pytest.approx(1.5)
    half = 0.5 / 100
    assert standard_error(100.0, 100) == pytest.approx(100 * math.sqrt(half * (1 - half) / 100))
    assert standard_error(0.0, 100) == pytest.approx(standard_error(100.0, 100))


def test_the_spread_of_a_seed_is_pooled_over_all_networks_with_repeats():
    study = [(90.0, 92.0), (80.0, 82.0, 81.0), (70.0,), (95.0,)]
    noise = Noise.of(study, IMAGES)
    scaled = [[arcsine(value, IMAGES) for value in values] for values in study]
    pooled = (np.var(scaled[0], ddof=1) * 1 + np.var(scaled[1], ddof=1) * 2) / 3
    assert (noise.degrees, noise.networks) == (3, 2)
    assert noise.seed == pytest.approx(math.sqrt(pooled))
    # At 90 % a point of accuracy is 1 / (200 sqrt(p q)) on that scale.
    assert noise.seed_sd(90.0) == pytest.approx(200 * math.sqrt(0.9 * 0.1) * noise.seed)


def test_a_network_trained_once_and_one_trained_twice_stand_on_the_same_footing():
    """Two equal accuracies beside networks whose seeds differ much: no bar of nothing, and none of their own."""
    noise = Noise.of([(90.0, 90.0), (88.0, 92.0), (91.0,)], IMAGES)
    seed, binomial = noise.seed_sd(90.0), standard_error(90.0, IMAGES)
    assert seed is not None
    assert seed > 1.5
    assert noise.error(90.0, 1) == pytest.approx(math.hypot(binomial, seed))
    assert noise.error(90.0, 2) == pytest.approx(math.hypot(binomial, seed / math.sqrt(2)))
    assert noise.error(90.0, 1_000_000) == pytest.approx(binomial, rel=1e-3)  # seeds do not lower that of the images


def test_where_all_repeats_agree_their_spread_counts_as_that_of_rounding():
    noise = Noise.of([(90.0, 90.0)], IMAGES)
    assert noise.seed_sd(90.0) == pytest.approx(0.25 / math.sqrt(12))


def test_without_repeats_the_error_is_the_binomial_one_and_that_is_said():
    noise = Noise.of([(90.0,), (80.0,)], IMAGES)
    assert noise.seed_sd(90.0) is None
    assert noise.error(90.0) == standard_error(90.0, IMAGES)
    assert noise.words() == (
        "the binomial error of 400 images alone, because no network was trained twice: what seeds add is not known"
    )
    assert "2 networks with repeats, with 3 degrees of freedom" in Noise.of([(1.0, 2.0), (3.0, 4.0, 5.0)], 9).words()
    assert "1 network with repeats, with 1 degree of freedom" in Noise.of([(1.0, 2.0)], 9).words()
    assert seed_words(0.5, 1) == "reruns with another seed vary by sd 0.50 (pooled over repeats, 1 degree of freedom)"
    assert "reruns are taken to vary by the binomial error, sd 0.50" in seed_words(0.5, 0)


def test_a_difference_has_the_quantile_of_its_degrees_of_freedom():
    """By hand: variances of images (no uncertainty) and of seeds (3 degrees), joined by Satterthwaite."""
    noise = Noise.of([(90.0, 92.0), (80.0, 82.0, 81.0)], IMAGES)
    found = noise.difference((90.0, 92.0), (85.0,))
    seeds = noise.seed_sd(91.0) ** 2 / 2 + noise.seed_sd(85.0) ** 2
    total = seeds + standard_error(91.0, IMAGES) ** 2 + standard_error(85.0, IMAGES) ** 2
    freedom = 3 * (total / seeds) ** 2
    assert found.difference == pytest.approx(6.0)
    assert found.high - found.difference == pytest.approx(stats.t.ppf(0.975, freedom) * math.sqrt(total))
    assert found.p == pytest.approx(2 * stats.t.sf(6.0 / math.sqrt(total), freedom))
    single = Noise(images=IMAGES).difference((90.0,), (80.0,))
    half = stats.norm.ppf(0.975) * math.hypot(standard_error(90.0, IMAGES), standard_error(80.0, IMAGES))
    assert (single.low, single.high) == pytest.approx((10 - half, 10 + half))


def test_each_of_two_studies_brings_its_own_noise():
    calm, loud = Noise.of([(90.0, 90.5)], IMAGES), Noise.of([(80.0, 95.0)], 100)
    found = calm.difference((90.0,), (85.0,), loud)
    parts = [calm.seed_sd(90.0) ** 2, loud.seed_sd(85.0) ** 2]
    total = calm.error(90.0) ** 2 + loud.error(85.0) ** 2
    freedom = 1 / sum((part / total) ** 2 for part in parts)
    assert found.high - found.low == pytest.approx(2 * stats.t.ppf(0.975, freedom) * math.sqrt(total))


@given(trainings, trainings, st.lists(trainings, max_size=3))
def test_an_interval_of_a_difference_holds_it_and_turns_with_it(first, second, others):
    noise = Noise.of([first, second, *others], IMAGES)
    found, turned = noise.difference(first, second), noise.difference(second, first)
    assert found.low < found.difference < found.high  # also at 0 and at 100 %, and of equal accuracies
    assert all(map(math.isfinite, (found.low, found.high, found.p)))
    assert (found.difference, found.low, found.high) == pytest.approx((-turned.difference, -turned.high, -turned.low))
    assert found.shown == (found.p < 0.05)


@given(percents, st.lists(trainings, max_size=4), st.integers(1, 6))
def test_more_trainings_never_make_an_error_larger_and_none_makes_it_nothing(accuracy, study, n):
    noise = Noise.of(study, IMAGES)
    assert noise.error(accuracy, n) >= noise.error(accuracy, n + 1) > 0
    assert noise.error(accuracy, n) >= standard_error(accuracy, IMAGES)
    assert noise == Noise.of(reversed(study), IMAGES)


def test_the_interval_holds_the_true_difference_as_often_as_it_says():
    """Where seeds move a network as a whole: 400 studies, ten networks, eight of them with repeats."""
    from benchmarks.calibration import covered

    hits, of = covered(whole=True, size=1.0, repeated=8, n=(1, 1), studies=400)
    assert 0.92 < hits / of < 0.98
