"""The model behind racing: against scipy, numerical integrals and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from igcnas.statistics import racing
from igcnas.statistics.racing import _Cost, _fit, _percent, _Posterior, _typical_excess, standing

IMAGES = 360
STUDY = {
    "a": [97.5, 96.9],
    "b": [97.2],
    "c": [96.1, 96.7, 96.4],
    **{f"d{place}": [94.0 + 0.2 * place] for place in range(9)},
}


def z(accuracy: float, images: int = IMAGES) -> float:
    """The scale of equal errors."""
    return math.asin(math.sqrt((accuracy / 100 * images + 0.375) / (images + 0.75)))


def cost_by_hand(trainings: list[list[float]], below: int, cut: float, binomial: float, numbers: np.ndarray) -> float:
    """From the densities themselves: trainings of a network share its own accuracy, so they are normal together."""
    centre, between, noise = numbers[0], math.exp(numbers[1]), math.exp(numbers[2])
    told = sum(
        stats.multivariate_normal(
            np.full(len(values), centre), noise**2 * np.eye(len(values)) + between**2 * np.ones((len(values),) * 2)
        ).logpdf(values)
        for values in trainings
    )
    told += below * stats.norm(centre, math.hypot(between, noise)).logcdf(cut)
    told -= 4 * math.log(noise / binomial) ** 2  # the noise is about the binomial error
    return -(told + math.log(between) - 0.5 * (between / 0.5) ** 2)  # networks differ, and not by all of the scale


def cost_of(trainings: list[list[float]], below: int, cut: float, binomial: float) -> _Cost:
    arrays = [np.array(values) for values in trainings]
    return _Cost(
        np.array([len(values) for values in arrays]),
        np.array([values.mean() for values in arrays]),
        np.array([((values - values.mean()) ** 2).sum() for values in arrays]),
        below=below,
        cut=cut,
        binomial=binomial,
    )


@settings(max_examples=20)
@given(st.integers(0, 1_000), st.integers(0, 3))
def test_how_well_numbers_agree_with_the_trainings_is_their_density(seed: int, below: int) -> None:
    generator = np.random.default_rng(seed)
    trainings = [list(generator.normal(1.4, 0.05, size=generator.integers(1, 4))) for _ in range(4)]
    some = [np.array([1.4, -3, -3.5]) + 0.5 * generator.normal(size=3) for _ in range(2)]
    cost = cost_of(trainings, below, 1.35, 0.03)
    by_hand = [cost_by_hand(trainings, below, 1.35, 0.03, numbers) for numbers in some]
    assert cost(some[0]) - cost(some[1]) == pytest.approx(by_hand[0] - by_hand[1], rel=1e-6, abs=1e-6)


def test_what_is_expected_and_the_noise_are_means_over_all_numbers_that_agree_with_the_trainings() -> None:
    """By importance sampling: 8,000 draws of the three numbers, each weighed by how well it agrees."""
    names = sorted(STUDY)
    trainings = [[z(value) for value in STUDY[name]] for name in names]
    first = np.array([values[0] for values in trainings])
    cut = np.sort(first)[-10]  # of twelve networks ten tell by their accuracy, two by their place alone
    full = [place for place in range(len(names)) if first[place] >= cut]
    cost = cost_of([trainings[place] for place in full], len(names) - len(full), cut, 0.5 / math.sqrt(IMAGES))
    generator = np.random.default_rng(0)
    drawn = np.array([1.38, -3.3, -3.7]) + generator.normal(size=(8_000, 3)) * [0.03, 0.8, 0.4]
    weights = np.exp(
        -np.array([cost(row) for row in drawn]) + 0.5 * (((drawn - drawn.mean(0)) / [0.03, 0.8, 0.4]) ** 2).sum(1) - 60
    )
    weights /= weights.sum()
    means = np.array([np.mean(values) for values in trainings])
    counts = np.array([len(values) for values in trainings])
    between, noise = np.exp(drawn[:, 1:2]), np.exp(drawn[:, 2:])
    precision = counts / noise**2 + 1 / between**2
    centres = (means * counts / noise**2 + drawn[:, :1] / between**2) / precision
    centre = weights @ centres
    spread = np.sqrt(weights @ (1 / precision + (centres - centre) ** 2))
    posterior = _fit(STUDY, IMAGES)
    assert posterior.centre == pytest.approx(centre, abs=0.15 * spread.min())
    assert posterior.deviation == pytest.approx(spread, rel=0.1)
    logs, exact = np.log(posterior.noise), weights @ drawn[:, 2]  # of the noise of a training
    unsure = math.sqrt(weights @ (drawn[:, 2] - exact) ** 2)
    found = posterior.weights @ logs
    assert found == pytest.approx(exact, abs=0.15 * unsure)
    assert math.sqrt(posterior.weights @ (logs - found) ** 2) == pytest.approx(unsure, rel=0.12)


@settings(max_examples=30)
@given(st.floats(0.8, 1.5), st.floats(0.001, 0.2))
def test_the_accuracy_of_a_normal_value_on_the_scale_of_equal_errors(centre: float, spread: float) -> None:
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    values = 100 * np.sin(centre + spread * nodes) ** 2
    mean = weights @ values / weights.sum()
    assert _percent(centre, spread) == pytest.approx(
        (mean, math.sqrt(weights @ (values - mean) ** 2 / weights.sum())), rel=1e-6, abs=1e-6
    )


def posterior(weights: list[float], centres: list[list[float]], deviations: list[list[float]]) -> _Posterior:
    return _Posterior(
        names=tuple(f"n{place}" for place in range(len(centres[0]))),
        counts=np.ones(len(centres[0]), dtype=np.int64),
        weights=np.array(weights),
        centres=np.array(centres),
        deviations=np.array(deviations),
        noise=np.full(len(weights), 0.02),
        between=np.full(len(weights), 0.03),
    )


def test_mean_and_spread_are_those_of_the_mixture_over_all_numbers() -> None:
    mixed = posterior([0.3, 0.7], [[1.2, 1.3], [1.3, 1.25]], [[0.02, 0.03], [0.05, 0.01]])
    generator = np.random.default_rng(0)
    rows = generator.choice(2, 400_000, p=mixed.weights)
    drawn = generator.normal(mixed.centres[rows], mixed.deviations[rows])
    assert mixed.centre == pytest.approx(drawn.mean(0), abs=3e-4)
    assert mixed.deviation == pytest.approx(drawn.std(0), rel=0.01)
    accuracies = 100 * np.sin(drawn) ** 2
    for place in range(2):
        assert mixed.percent(place) == pytest.approx(
            (accuracies[:, place].mean(), accuracies[:, place].std()), rel=0.01
        )


@pytest.mark.parametrize("count", [1, 2, 20])
def test_typical_optimism_is_what_the_highest_of_so_many_single_trainings_promises_too_much(count: int) -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(0, 0.03, size=(100_000, count))
    seen = truth + generator.normal(0, 0.02, size=truth.shape)
    best = seen.argmax(1)[:, None]
    promised = (np.take_along_axis(seen, best, 1) - np.take_along_axis(truth, best, 1)).mean()
    model = posterior([1.0], [[1.3] * count], [[0.02] * count])
    assert _typical_excess(model) == pytest.approx(promised, abs=3e-4 if count > 1 else 1e-3)


def test_typical_optimism_is_in_percent() -> None:
    """Networks with many repeats, so that spread and noise are known: the excess times the slope of the accuracy."""
    generator = np.random.default_rng(0)
    truth = generator.normal(z(90.0), 0.04, size=60)
    study = {
        f"n{place:02d}": list(100 * np.sin(generator.normal(centre, 0.03, size=6)) ** 2)
        for place, centre in enumerate(truth)
    }
    found = standing(study, images=IMAGES)
    seen = (draws := generator.normal(0, 0.04, size=(20_000, 60))) + generator.normal(0, 0.03, size=(20_000, 60))
    best = seen.argmax(1)[:, None]
    excess = (np.take_along_axis(seen, best, 1) - np.take_along_axis(draws, best, 1)).mean()
    slope = 2 * math.sqrt(found.first.expected * (100 - found.first.expected))  # d(100 sin^2 z) / dz
    assert found.typical_optimism == pytest.approx(slope * excess, rel=0.25)
    model = _fit(study, IMAGES)
    accuracy = math.sin(model.centre.max()) ** 2
    slope = 200 * math.sqrt(accuracy * (1 - accuracy))
    assert found.typical_optimism == pytest.approx(slope * _typical_excess(model))


@settings(max_examples=20)
@given(st.integers(0, IMAGES))
def test_errors_and_right_answers_are_scaled_alike(right: int) -> None:
    """A share and what is left of it: the scale has no favourite end, and 0 and 100 % are not at its ends."""
    scaled = [float(racing._arcsine(np.array([100 * count / IMAGES]), IMAGES)[0]) for count in (right, IMAGES - right)]
    assert sum(scaled) == pytest.approx(math.pi / 2)
    assert 0.01 < scaled[0] < math.pi / 2 - 0.01


def test_of_two_networks_alone_the_better_is_probably_the_best_and_of_one_surely() -> None:
    found = standing({"a": [97.0], "b": [90.0]}, images=IMAGES)
    assert found.first.name == "a"
    assert 0.9 < found.first.probability < 1
    assert found.first.expected < 97.0  # drawn to each other
    alone = standing({"a": [97.0]}, images=1)
    assert (alone.first.probability, alone.typical_optimism, alone.runners_up) == (1.0, 0.0, ())
