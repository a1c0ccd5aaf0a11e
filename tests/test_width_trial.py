"""The width trial: networks that differ in L / (M S) alone, statistics that find a known peak, exact resumes."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.campaigns import Here, trained_alone

from analysis import width_trial
from analysis.width.lattice import FIG3
from analysis.width_trial import course, figure, report, verdict
from analysis.width_trial.data import default_splits, images_of, pooled
from analysis.width_trial.networks import (
    KERNEL_AREA,
    RATIOS,
    SLACK,
    Entrant,
    Skeleton,
    choose,
    complete,
    entrants,
    smallest_budget,
    solutions,
)
from analysis.width_trial.quadratic import Quadratic, fit, fit_points, log_errors
from analysis.width_trial.result import Result, analyse, best_p, paper
from analysis.width_trial.settings import TrialSettings, guard
from analysis.width_trial.training import Outcome, WidthTraining
from igcnas.data.dataset import Dataset, Split
from igcnas.errors import BudgetError, IgcnasError, StudyError
from igcnas.network.cost import count
from igcnas.network.grouping import Dense
from igcnas.network.plan import plan
from igcnas.network.primitives import Convolution
from igcnas.search.evaluation import Interrupted, ProcessEvaluator
from igcnas.statistics.intervals import t_interval
from igcnas.training.recipes import short_settings

pytestmark = pytest.mark.usefixtures("forked_workers")

ROOT = Path(__file__).resolve().parent.parent
DIGITS = Skeleton(input_shape=(1, 8, 8), classes=10, depth=5, residual=False)
BUDGET = smallest_budget(DIGITS, 0.01, RATIOS) or 0
X = np.array([-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0])
SKELETONS = [
    Skeleton(input_shape=shape, classes=10, depth=depth, residual=residual)
    for shape in ((1, 8, 8), (3, 32, 32))
    for depth, residual in ((5, False), (8, False), (8, True))
]


def trial_settings(**changes: object) -> TrialSettings:
    defaults = TrialSettings(
        data_name="digits",
        data_fingerprint="0",
        input_shape=(1, 8, 8),
        classes=10,
        splits="repeated",
        test_fraction=0.5,
        budget_macs=BUDGET,
        tolerance=0.01,
        ratios=tuple(map(str, RATIOS)),
        depth=5,
        residual=False,
        near=4.0,
        rates=(0.6,),
        tuning_seeds=2,
        training=short_settings(1000, epochs=1),
    )
    return dataclasses.replace(defaults, **changes)


def seeds_of(curve, n, *, noise, seed, common=1.0):
    """n seeds of a curve over X: an error of each seed and one of each network in it."""
    generator = np.random.default_rng(seed)
    return curve(X) + common * generator.normal(size=(n, 1)) + noise * generator.normal(size=(n, len(X)))


# Networks


@settings(max_examples=40)
@given(st.sampled_from(SKELETONS), st.floats(0.3, 60.0), st.sampled_from((0.01, 0.015, 0.02)))
def test_all_networks_of_any_budget_cost_the_same_within_the_tolerance(skeleton, scale, tolerance):
    budget = round(scale * 1e6 * skeleton.input_shape[1] ** 2 / 64)
    try:
        networks, left_out = entrants(skeleton, budget, tolerance, RATIOS)
    except BudgetError:
        return
    assert len(networks) + len(left_out) == len(RATIOS) + 1
    for one in networks:
        assert abs(count(one.architecture).macs - budget) <= tolerance * budget
        assert one.deviation == count(one.architecture).macs / budget - 1
    assert len({one.architecture.depth for one in networks}) == 1
    igc = [one for one in networks if one.kind == "igc"]
    assert [one.ratio for one in igc] == sorted(one.ratio for one in igc)
    assert len({one.M for one in igc}) == len(igc)
    assert igc[0].ratio < 1 < igc[-1].ratio
    for one in igc:
        assert min(abs(math.log2(one.ratio / float(ratio))) for ratio in RATIOS) <= SLACK


@pytest.mark.parametrize("skeleton", SKELETONS[:3], ids=lambda s: f"{s.depth}-{s.residual}")
def test_every_block_of_a_network_has_the_same_ratio(skeleton):
    one = skeleton.entrant(25, 5, 1e6)
    groups = [
        (layer.kernel, layer.groups)
        for _, layer in plan(one.architecture).layers()
        if isinstance(layer, Convolution) and layer.groups > 1
    ]
    assert groups == [(3, 25), (1, 5)] * (skeleton.depth - 2)
    assert one.ratio == 25 / (5 * KERNEL_AREA)
    assert {stage.width for stage in one.architecture.stages} == {125}


@pytest.mark.parametrize("skeleton", SKELETONS[:3], ids=lambda s: f"{s.depth}-{s.residual}")
@given(st.integers(1, 90), st.integers(1, 20))
@settings(max_examples=15)
def test_the_macs_that_are_searched_are_those_of_the_plan(skeleton, L, M):
    a, b = skeleton.coefficients
    assert count(skeleton.architecture(L, M)).macs == L * M * (a * (M * KERNEL_AREA + L) + b)
    assert count(skeleton.architecture(1, M, dense=True)).macs == a * KERNEL_AREA * M * M + b * M


@given(st.integers(1, 200), st.integers(1, 40))
def test_no_whole_network_is_wider_than_the_bound_and_only_at_l_equal_ms_is_one_as_wide(L, M):
    share = DIGITS.entrant(L, M, 1e6).width_share
    assert share <= 1 + 1e-9
    assert (share > 1 - 1e-9) == (L == M * KERNEL_AREA)


def test_the_least_budget_has_every_ratio_and_the_regular_network_and_none_below_has():
    networks, left_out = entrants(DIGITS, BUDGET, 0.01, RATIOS)
    assert [one.name for one in networks] == [
        *("L9M10", "L16M7", "L25M5", "L32M4", "L42M3", "L58M2", "L90M1"),
        "regular W32",
    ]
    assert left_out == ()
    assert not any(complete(DIGITS, share * BUDGET, 0.01, RATIOS) for share in np.linspace(0.5, 0.99, 40))


def test_each_ratio_has_its_nearest_block_of_all_that_cost_as_much():
    found = choose(DIGITS, BUDGET, 0.01, RATIOS)
    for ratio, block in found.items():
        assert block is not None
        others = [lm for lm in solutions(DIGITS, BUDGET, 0.01) if lm[1] not in {b[1] for b in found.values() if b}]
        distance = abs(math.log2(block[0] / (9 * block[1]) / float(ratio)))
        assert all(abs(math.log2(L / (9 * M) / float(ratio))) >= distance for L, M in others)


def test_no_two_ratios_have_blocks_of_the_same_m():
    found = choose(Skeleton(input_shape=(3, 32, 32), classes=10, depth=8, residual=False), 21_459_700, 0.02, RATIOS)
    blocks = [block for block in found.values() if block is not None]
    assert len(blocks) == len({M for _, M in blocks}) == 6


def test_a_budget_with_too_few_ratios_is_refused_with_one_that_has_them_all():
    with pytest.raises(BudgetError, match=r"--budget-mflops [\d.]+ has all of them") as refused:
        entrants(DIGITS, 300_000, 0.01, RATIOS)
    budget = round(1e6 * float(str(refused.value).rpartition("--budget-mflops ")[2].split()[0]))
    networks, left_out = entrants(DIGITS, budget, 0.01, RATIOS)
    assert left_out == ()
    assert len(networks) == len(RATIOS) + 1


def test_a_ratio_without_a_network_is_left_out_by_name():
    networks, left_out = entrants(DIGITS, BUDGET, 0.01, [*RATIOS, Fraction(64)])
    assert left_out == ("L/(MS) = 64",)
    assert len(networks) == len(RATIOS) + 1


# The quadratic


@given(st.floats(-2.5, 2.5), st.floats(-3.0, -0.05), st.floats(10.0, 90.0))
def test_a_known_vertex_is_recovered_through_the_errors_of_seeds(vertex, curvature, height):
    values = seeds_of(lambda x: height + curvature * (x - vertex) ** 2, 5, noise=0.0, seed=1, common=7.0)
    curve = fit(X, values, resamples=20)
    assert curve.vertex == pytest.approx(vertex, abs=1e-6)
    assert curve.curvature == pytest.approx(curvature)
    assert curve.bootstrap == pytest.approx((vertex, vertex), abs=1e-6)
    assert (curve.vertices().low, curve.vertices().high) == pytest.approx((vertex, vertex), abs=1e-5)


def test_the_interval_of_the_vertex_covers_it_as_often_as_it_says():
    hits = {"fieller": 0, "bootstrap": 0}
    runs, truth = 400, 0.7
    for seed in range(runs):
        # Networks of low accuracy vary more, and neighbours vary together: nothing of that is in the model.
        generator = np.random.default_rng(seed)
        steps = generator.normal(size=(12, len(X))).cumsum(1) * (1 + 0.3 * np.abs(X))
        curve = fit(X, 90 - 0.5 * (X - truth) ** 2 + 0.4 * steps, resamples=200 if seed < 150 else 0)
        low, high = curve.curvature_interval()
        vertices = curve.vertices()
        inside = vertices.low <= truth <= vertices.high
        hits["fieller"] += inside == vertices.inside
        if curve.bootstrap is not None:
            hits["bootstrap"] += curve.bootstrap[0] <= truth <= curve.bootstrap[1]
        assert low < curve.curvature < high
    assert 0.925 <= hits["fieller"] / runs <= 0.975
    assert 0.85 <= hits["bootstrap"] / 150 <= 0.98  # percentiles of 12 seeds are a little too narrow


@pytest.mark.parametrize("noise", [0.05, 0.5, 3.0])
def test_the_set_of_vertices_is_where_the_slope_does_not_differ_from_0(noise):
    for seed in range(20):
        values = seeds_of(lambda x: 90 - 0.2 * (x - 1) ** 2, 8, noise=noise, seed=seed)
        vertices = fit(X, values, resamples=0).vertices()
        design = np.stack([np.ones_like(X), X, X**2], axis=1)
        _, b, c = (values @ np.linalg.pinv(design).T).T
        for v in np.linspace(-6, 6, 41):
            low, high = t_interval((b + 2 * c * v).tolist())
            assert (low <= 0 <= high) == ((vertices.low <= v <= vertices.high) == vertices.inside)


def test_the_fit_within_seeds_is_least_squares_with_an_intercept_for_each_seed():
    values = seeds_of(lambda x: 90 - 0.2 * (x - 1) ** 2, 4, noise=0.3, seed=0)
    rows = [[*(s == seed for s in range(4)), x, x * x] for seed in range(4) for x in X]
    solved = np.linalg.lstsq(np.array(rows, dtype=float), values.ravel(), rcond=None)[0]
    curve = fit(X, values, resamples=0)
    assert (curve.slope, curve.curvature) == pytest.approx(tuple(solved[-2:]))
    assert curve.height == pytest.approx(solved[:4].mean())


def test_lack_of_fit_is_found_where_there_is_one_and_seldom_where_there_is_none():
    def found(curve, noise):
        fits = [fit(X, seeds_of(curve, 15, noise=noise, seed=seed), resamples=0).lack_of_fit for seed in range(200)]
        return np.mean([p is not None and p < 0.05 for p in fits])

    assert found(lambda x: 90 - 0.3 * x**2 + x, 0.5) <= 0.1
    assert found(lambda x: 90 - 0.1 * (x < 0) * x**4, 0.5) > 0.95


def test_lack_of_fit_needs_more_seeds_than_it_has_directions():
    assert fit(X, seeds_of(lambda x: 90 + x, 4, noise=1, seed=0)).lack_of_fit is None


@pytest.mark.parametrize("side", [1, -1])
def test_where_the_curve_has_no_highest_point_the_bootstrap_puts_it_at_the_higher_end(side):
    curve = fit(X, seeds_of(lambda x: 90 + side * 0.5 * x + 0.5 * x**2, 5, noise=0.01, seed=0), resamples=50)
    assert curve.bootstrap == (side * math.inf, side * math.inf)


def test_points_of_a_paper_are_fitted_as_numpy_fits_them():
    for budget, judged in paper(4.0).items():
        x = [math.log2(L / (9 * M)) for L, M, _ in FIG3[budget]]
        y = [percent for *_, percent in FIG3[budget]]
        coefficients, covariance = np.polyfit(x, y, 2, cov=True)
        assert judged.curve.curvature == pytest.approx(coefficients[0])
        assert judged.curve.vertex == pytest.approx(-coefficients[1] / 2 / coefficients[0])
        assert judged.curve.covariance == pytest.approx((covariance[1, 1], covariance[0, 0], covariance[0, 1]))
    with pytest.raises(ValueError, match="give 4 or more"):
        fit_points([0.0, 1.0, 2.0], [1.0, 2.0, 1.0])


def test_an_error_of_none_at_all_has_a_logarithm():
    logs = log_errors(np.array([0.0, 1.0, 100.0]), 100)
    assert np.isfinite(logs).all()
    assert (np.diff(logs) < 0).all()


# The verdict


def curve_of(values) -> Quadratic:
    return fit(X, values, resamples=0)


@pytest.mark.parametrize(
    ("shape", "noise", "expected"),
    [
        (lambda x: 90 - 0.5 * (x - 0.5) ** 2, 0.3, verdict.SUPPORT),
        (lambda x: 90 - 0.5 * (x - 3.5) ** 2, 0.3, verdict.CONTRADICT),  # the peak is further away
        (lambda x: 90 + 0.5 * x, 0.3, verdict.CONTRADICT),  # it rises all the way
        (lambda x: 90 + 0.5 * x**2, 0.3, verdict.CONTRADICT),  # a valley
        (lambda x: 90 - 0.5 * (x - 2) ** 2, 0.8, verdict.CANNOT_TELL),  # the interval reaches over the edge
        (lambda x: 90 + 0 * x, 0.3, verdict.CANNOT_TELL),
    ],
)
def test_the_quadratic_supports_contradicts_or_cannot_tell(shape, noise, expected):
    assert verdict.by_quadratic(curve_of(seeds_of(shape, 12, noise=noise, seed=3)), 4.0) == expected


def test_one_seed_cannot_tell():
    assert verdict.by_quadratic(curve_of(seeds_of(lambda x: 90 - x**2, 1, noise=0, seed=0)), 4.0) == "cannot tell"


def test_a_wider_factor_can_turn_doubt_into_support_and_never_into_contradiction():
    curve = curve_of(seeds_of(lambda x: 90 - 0.5 * (x - 1) ** 2, 12, noise=1.5, seed=0))
    said = [verdict.by_quadratic(curve, near) for near in (1.1, 1.5, 2, 4, 16, 256)]
    order = [verdict.CONTRADICT, verdict.CANNOT_TELL, verdict.SUPPORT]
    assert [order.index(one) for one in said] == sorted(order.index(one) for one in said)
    assert said[-1] == verdict.SUPPORT


def test_the_ratios_alone_support_contradict_or_cannot_tell():
    assert verdict.by_ratios([0.5, 1.0, 4.0], 4.0) == verdict.SUPPORT
    assert verdict.by_ratios([8.0], 4.0) == verdict.CONTRADICT
    assert verdict.by_ratios([0.5, 8.0], 4.0) == verdict.CANNOT_TELL


def test_where_the_quadratic_is_refuted_it_counts_only_if_the_ratios_agree():
    assert verdict.together("support", "cannot tell", 0.5) == "support"
    assert verdict.together("support", "cannot tell", 0.01) == "cannot tell"
    assert verdict.together("contradict", "contradict", 0.01) == "contradict"
    assert verdict.together("support", "cannot tell", None) == "support"


# Results


def made_up(
    n: int, *, seed: int = 0, shape=lambda x: 95 - 0.3 * x * x, noise=0.5, resamples=200, **changes: object
) -> Result:
    """A result of outcomes drawn at random; the regular network has the accuracy of x = -3."""
    chosen = trial_settings(**changes)
    networks, left_out = chosen.networks()
    generator = np.random.default_rng(seed)
    outcomes = []
    for repeat in range(n):
        common = generator.normal()
        for one in networks:
            x = math.log2(one.ratio) if one.kind == "igc" else -3.0
            accuracy = min(100.0, shape(x) + common + noise * generator.normal())
            outcomes.append(outcome(one, repeat, round(accuracy * 9)))
    return analyse(chosen, networks, left_out, outcomes, (n,), resamples=resamples)


def outcome(one: Entrant, repeat: int, right: int, **changes: object) -> Outcome:
    base = Outcome(
        network=one.name,
        rate=0.6,
        repeat=repeat,
        right=right,
        images=900,
        train_loss=0.1,
        seconds=1.0,
        device="cpu",
        failed=None,
    )
    return dataclasses.replace(base, **changes)


def test_a_result_says_where_the_peak_is_who_may_be_best_and_who_beats_the_regular_network():
    result = made_up(20)
    assert result.verdict == result.accuracy.verdict == result.by_ratios == verdict.SUPPORT
    assert "L32M4" in [row.entrant.name for row in result.igc if row.may_be_best]
    by_name = {row.entrant.name: row for row in result.rows}
    middle, edge = by_name["L32M4"], by_name["L9M10"]
    assert middle.against_dense is not None
    assert middle.against_dense[0] == pytest.approx(95 - 92.3, abs=0.6)
    assert middle.against_dense[3] < 0.001
    assert not edge.may_be_best
    assert result.rho[0] > 0.8
    assert result.rho[1] <= result.rho[0] <= result.rho[2]


def test_comparisons_are_within_seeds():
    result = made_up(20, noise=0.1)  # the error that a seed has in common is ten times as large
    for row in result.igc:
        assert row.paired[1] - row.paired[0] < 0.3 * (row.interval[1] - row.interval[0])
        assert row.mean == pytest.approx(sum(row.paired) / 2)


def test_the_truly_best_network_is_among_those_that_may_be_best_as_often_as_promised():
    generator = np.random.default_rng(0)
    runs, missed = 400, 0
    for _ in range(runs):
        percent = generator.normal(size=(8, 7)) + 5 * generator.normal(size=(8, 1)) - 0.01 * np.abs(X - 1)
        missed += best_p(percent, 4, range(7), resolution=0.01) < verdict.LEVEL
    assert missed / runs < 0.08  # 0.05 at most; without the correction for six others it would be near 0.2


def test_intervals_for_other_images_are_wider_and_there_are_none_of_a_given_split():
    result = made_up(10)
    assert result.others is not None
    inner, outer = result.accuracy.curve, result.others.curve
    assert outer.covariance == pytest.approx(tuple(11 * value for value in inner.covariance))  # 1 + 10 * 0.5 / 0.5
    assert made_up(10, splits="given").others is None


def test_a_seed_with_a_failed_training_does_not_count_and_is_named():
    chosen = trial_settings()
    networks, left_out = chosen.networks()
    outcomes = [outcome(one, repeat, 850 + one.M + repeat) for repeat in range(4) for one in networks]
    outcomes[0] = dataclasses.replace(outcomes[0], failed="diverged", right=0)
    result = analyse(chosen, networks, left_out, outcomes, (4,))
    assert result.n == 3
    assert result.failed == ("L9M10, seed 0: diverged",)
    assert any("1 trainings failed" in sentence for sentence in report.words(result))
    with pytest.raises(IgcnasError, match="1 seeds are complete, and 2 are needed"):
        analyse(chosen, networks, left_out, outcomes[: 2 * len(networks)], (2,))


def test_the_tables_hold_every_network_once_and_json_holds_no_infinity():
    for result in (made_up(12), made_up(2, shape=lambda x: 95 + 0 * x, noise=2)):
        text = report.markdown(result, {})
        assert [line.split("|")[1].strip() for line in text.splitlines() if line.startswith(("| L", "| regular"))] == [
            row.entrant.name for row in result.rows
        ]
        assert len(report.comma_separated(result, {}).splitlines()) == len(result.rows) + 1
        plain = json.loads(json.dumps(report.plain(result, {}), allow_nan=False))
        assert plain["verdict"] == result.verdict
        assert plain["words"][0].startswith("The data")


def test_the_figure_shows_each_mean_the_curve_and_the_interval_of_the_vertex():
    result = made_up(20)
    upper, lower = figure.figure(result).axes
    means = next(line for line in upper.lines if line.get_marker() == "o")
    assert list(means.get_xdata()) == [row.entrant.ratio for row in result.igc]
    assert list(means.get_ydata()) == [row.mean for row in result.igc]
    labels = upper.get_legend_handles_labels()[1]
    assert "its vertex with 95 % interval" in labels
    assert upper.get_xlim() == lower.get_xlim()
    flat = figure.figure(made_up(3, shape=lambda x: 95 + 0 * x)).axes[0]
    assert "its vertex with 95 % interval" not in flat.get_legend_handles_labels()[1]


# Images


def dataset(images: int = 80, test: int = 20) -> Dataset:
    """Every image has its own number in its pixels."""

    def split(numbers: range) -> Split:
        pixels = np.array(numbers, dtype=np.uint8)[:, None, None, None].repeat(8, 2).repeat(8, 3)
        return Split(images=pixels, labels=np.array(numbers, dtype=np.int64) % 2)

    return Dataset(
        name="numbers",
        classes=("even", "odd"),
        train=split(range(images)),
        load_test=lambda: split(range(images, images + test)),
        flip=False,
        pad=1,
    )


def numbers(split: Split) -> list[int]:
    return split.images[:, 0, 0, 0].tolist()


def test_repeated_splits_share_all_images_differ_by_seed_and_never_overlap():
    chosen, everything = trial_settings(), pooled(dataset(), "repeated")
    seen = []
    for repeat in (0, 0, 1):
        training, test = images_of(everything, chosen, repeat, tuning=False)
        assert sorted(numbers(training.train) + numbers(test)) == list(range(100))
        assert len(test.labels) == 50
        seen.append(numbers(test))
    assert seen[0] == seen[1] != seen[2]
    assert numbers(images_of(everything, chosen, 0, tuning=True)[1]) != seen[0]


def test_a_given_test_split_is_the_same_for_all_seeds_and_tuning_never_sees_it():
    chosen, given_data = trial_settings(splits="given"), pooled(dataset(), "given")
    for repeat in (0, 1):
        training, test = images_of(given_data, chosen, repeat, tuning=False)
        assert (numbers(training.train), numbers(test)) == (list(range(80)), list(range(80, 100)))
        training, test = images_of(given_data, chosen, repeat, tuning=True)
        assert sorted(numbers(training.train) + numbers(test)) == list(range(80))
    assert (default_splits("digits"), default_splits("cifar10")) == ("repeated", "given")


def test_each_network_takes_the_rate_of_its_best_mean_and_a_failed_training_counts_nothing():
    chosen = trial_settings(rates=(0.1, 0.6))
    networks = chosen.networks()[0][:2]
    tuning = [
        outcome(one, repeat, right, rate=rate)
        for one, rights in zip(networks, ((880, 890), (890, 880)), strict=True)
        for rate, right in zip((0.1, 0.6), rights, strict=True)
        for repeat in range(2)
    ]
    assert course.best_rates(chosen, networks, tuning) == {networks[0].name: 0.6, networks[1].name: 0.1}
    tuning[2] = dataclasses.replace(tuning[2], failed="diverged", right=0)
    assert course.best_rates(chosen, networks, tuning)[networks[0].name] == 0.1


# Trainings


def test_networks_of_a_repeat_share_a_seed_and_repeats_and_tuning_have_others():
    chosen = trial_settings()
    seeds = {chosen.training_seed(repeat, tuning=tuning) for repeat in range(5) for tuning in (False, True)}
    splits = {chosen.split_seed(repeat, tuning=tuning) for repeat in range(5) for tuning in (False, True)}
    assert len(seeds) == len(splits) == 10


def training_of(
    folder: Path, chosen: TrialSettings, place: int = 0, *, rate: float = 0.6, repeat: int = 0
) -> WidthTraining:
    entrant = chosen.networks()[0][place]
    return WidthTraining.of(folder, chosen, entrant, rate=rate, repeat=repeat)


def train(training: WidthTraining, data: Dataset, **how) -> Outcome:
    return trained_alone(training, Here(data, training.settings, images="none", **how))


def test_a_damaged_result_counts_as_none_and_one_of_another_training_is_refused(tmp_path):
    training = training_of(tmp_path, trial_settings())
    notes: list[str] = []
    assert training.read(notes.append) is None
    training.path.write_text("{")
    assert training.read(notes.append) is None
    assert len(notes) == 1
    assert f"{training.stem}.json is damaged" in notes[0]
    found = train(training, dataset())
    assert training.read() == found
    with pytest.raises(StudyError, match="is of another training"):
        training_of(tmp_path, trial_settings(training=short_settings(1000, epochs=1, seed=1))).read()


def test_a_training_that_diverges_has_no_accuracy_and_says_why(tmp_path):
    chosen = trial_settings(rates=(1e30,), training=short_settings(1000, epochs=4))
    found = train(training_of(tmp_path, chosen, rate=1e30), dataset())
    assert found.failed is not None
    assert "diverged" in found.failed


def test_a_training_that_goes_on_does_only_the_rest_and_gives_the_same(tmp_path):
    chosen = trial_settings(training=short_settings(1000, epochs=6))
    asked: list[int] = []

    def stop_at(step: int):
        def stop() -> bool:
            asked.append(step)
            return len(asked) == step

        return stop

    with pytest.raises(Interrupted):
        train(training_of(tmp_path, chosen, 3), dataset(), stop=stop_at(4))
    before = len(asked) - 1  # the step that was asked about was not done
    asked.clear()
    resumed = train(training_of(tmp_path, chosen, 3), dataset(), stop=stop_at(0))
    rest = len(asked)
    asked.clear()
    (tmp_path / "fresh").mkdir()
    whole = train(training_of(tmp_path / "fresh", chosen, 3), dataset(), stop=stop_at(0))
    assert before + rest == len(asked) == 6
    assert dataclasses.replace(resumed, seconds=0.0) == dataclasses.replace(whole, seconds=0.0)


KILLED = """
import json, sys
from pathlib import Path
from analysis.width_trial.settings import TrialSettings
from analysis.width_trial.training import WidthTraining
from igcnas.data.loading import load_dataset
from igcnas.search.campaign import Campaign
from igcnas.search.evaluation import ProcessEvaluator
from igcnas.search.settings import DataSettings
from igcnas.search.worker import WorkerSetup

class Loud:
    def started(self, training): pass
    def epoch(self, training, report):
        if training.stem.endswith("seed1") and report.epoch == 2:
            print("trains", training.stem, flush=True)
            sys.stdin.read()  # the worker waits for an answer
    def finished(self, training, result): print(training.stem, flush=True)

folder = Path(sys.argv[1])
settings = TrialSettings.from_dict(json.loads((folder / "settings.json").read_text()))
networks, _ = settings.networks()
data = DataSettings.of(load_dataset("digits"), settings.training, spec="digits", data_dir=None, image_size=None)
often = {"checkpoint_seconds": 0.0, "prunes": True}
setup = WorkerSetup(data=data, training=settings.training, device="cpu", images="none", **often)
work = [
    WidthTraining.of(folder, settings, networks[3], rate=0.6, repeat=repeat) for repeat in range(3)
]
with ProcessEvaluator(setup) as workers:
    Campaign(work).run(workers, Loud())
"""


def of_process(pid: int) -> list[int]:
    """Its children and theirs, from /proc."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
            if parent == pid:
                found += [int(entry.name), *of_process(int(entry.name))]
    return found


def running(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_a_trial_that_was_killed_goes_on_to_the_bit_and_leaves_no_process(tmp_path):
    from igcnas.data.loading import load_dataset

    chosen = trial_settings(test_fraction=0.8, training=short_settings(1000, epochs=3))
    guard(tmp_path, chosen, 3)
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "L32M4-rate0.6-seed0"
        assert process.stdout.readline().strip() == "trains L32M4-rate0.6-seed1"
        children = of_process(process.pid)
        process.send_signal(signal.SIGKILL)
    assert children
    end = time.monotonic() + 30
    while any(running(child) for child in children) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(running(child) for child in children)
    assert [path.stem for path in tmp_path.glob("*.pt")] == ["L32M4-rate0.6-seed1"]
    resumed = train(training_of(tmp_path, chosen, 3, repeat=1), load_dataset("digits"))
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    whole = train(training_of(fresh, chosen, 3, repeat=1), load_dataset("digits"))
    assert dataclasses.replace(resumed, seconds=0.0) == dataclasses.replace(whole, seconds=0.0)
    assert not list(tmp_path.glob("*.pt"))


# The folder and the command


def test_settings_are_what_they_were_written_as_and_others_are_refused(tmp_path):
    chosen = trial_settings()
    assert TrialSettings.from_dict(json.loads(json.dumps(chosen.to_dict()))) == chosen
    assert guard(tmp_path, chosen, 10) == (10,)
    with pytest.raises(StudyError, match=r"near: 4.0 -> 8.0.*--out DIR"):
        guard(tmp_path, trial_settings(near=8.0), 10)


def test_more_seeds_extend_a_trial_and_every_number_asked_for_is_kept(tmp_path):
    chosen = trial_settings()
    assert [guard(tmp_path, chosen, seeds) for seeds in (10, 10, 30, 20)] == [(10,), (10,), (10, 30), (10, 30)]
    result = dataclasses.replace(made_up(3), asked=(10, 30))
    assert any("10, then 30 were asked for" in sentence for sentence in report.words(result))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--near", "1"], "--near 1 must be a factor above 1"),
        (["--seeds", "1"], "--seeds 1 must be 2 or more"),
        (["--ratios", "1/0"], "--ratios '1/0' must be positive ratios"),
        (["--lr", "fast"], "--lr 'fast' must be learning rates"),
        (["--lr", "-1"], "--lr -1.0 must be positive numbers"),
        (["--tolerance", "0"], "--tolerance 0 must be percent"),
        (["--depth", "6"], "depth must be 2 plus a multiple of 3"),
        (["--budget-mflops", "0.1"], "--budget-mflops"),
        (["--budget-mflops", "-3"], "must be a positive number"),
        (["--splits", "repated"], "did you mean 'repeated'?"),
        (["--test-fraction", "1"], "--test-fraction 1 must lie between 0 and 1"),
        (["--workers", "0"], "--workers 0 must be a number of 1 or more, or auto"),
        (["--data", "digitz"], "did you mean 'digits'?"),
    ],
)
def test_an_error_of_the_users_is_one_line(words, message, tmp_path, capsys):
    assert width_trial.main([*words, "--out", str(tmp_path / "trial")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "trial").exists()


def test_the_command_trains_says_what_it_found_and_has_nothing_left_to_do(tmp_path, capsys, monkeypatch):
    from analysis.width_optimum import main

    words = ["--train", "--seeds", "2", "--epochs", "1", "--workers", "1", "--test-fraction", "0.9", "--no-latency"]
    words += ["--out", str(tmp_path), "--json"]
    assert main(words) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["seeds"] == 2
    assert {row["network"] for row in first["networks"]} == {
        one.name for one in entrants(DIGITS, BUDGET, 0.01, RATIOS)[0]
    }
    for name in ("table.md", "table.csv", "width-trial.png", "width-trial.svg"):
        assert (tmp_path / name).stat().st_size > 500
    monkeypatch.setattr(ProcessEvaluator, "hand_in", None)  # a second run has nothing to train
    assert main(words) == 0
    second = json.loads(capsys.readouterr().out)
    assert second == first
    assert main([*words, "--near", "2"]) == 2
    assert "near: 4.0 -> 2.0" in capsys.readouterr().err


def test_help_names_the_trial_and_its_options(capsys):
    from analysis.width_optimum import main

    for words, expected in ((["--help"], "--train"), (["--train", "--help"], "--budget-mflops")):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 0
        assert expected in capsys.readouterr().out


def test_a_network_of_regular_convolutions_has_no_ratio():
    regular = entrants(DIGITS, BUDGET, 0.01, RATIOS)[0][-1]
    assert math.isnan(regular.ratio)
    assert {type(stage.block.grouping) for stage in regular.architecture.stages} == {Dense}
