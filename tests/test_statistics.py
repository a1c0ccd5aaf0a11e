"""Intervals and tests against scipy and the textbooks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from igcnas.statistics.intervals import (
    EVERYWHERE,
    Difference,
    bootstrap_interval,
    deviation,
    holm,
    mean,
    t_below,
    t_interval,
    t_quantile,
    tost,
    welch,
    wilson_interval,
)

FIRST = [97.2, 97.8, 96.9, 97.5, 97.1]
SECOND = [96.1, 97.4, 95.8, 96.9]
values = st.lists(st.integers(0, 10_000).map(lambda n: n / 100), min_size=2, max_size=8)
p_values = st.lists(st.floats(0, 1), max_size=8)


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_the_wilson_interval_is_that_of_scipy(counts, level):
    k, n = counts
    expected = stats.binomtest(k, n).proportion_ci(level, method="wilson")
    low, high = wilson_interval(k, n, level)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= low <= k / n <= high <= 1


def test_none_of_ten_is_a_share_of_28_percent_at_most():
    assert wilson_interval(0, 10) == (0.0, pytest.approx(0.2775, abs=5e-5))


def test_mean_and_deviation_are_those_of_numpy():
    assert mean(FIRST) == pytest.approx(np.mean(FIRST))
    assert deviation(FIRST) == pytest.approx(np.std(FIRST, ddof=1))
    assert math.isnan(deviation([97.0]))


def test_the_t_interval_is_that_of_scipy():
    expected = stats.t.interval(0.9, len(FIRST) - 1, loc=np.mean(FIRST), scale=stats.sem(FIRST))
    assert t_interval(FIRST, 0.9) == pytest.approx(expected)


def test_the_welch_test_is_that_of_scipy():
    expected = stats.ttest_ind(FIRST, SECOND, equal_var=False)
    interval = expected.confidence_interval(0.95)
    found = welch(FIRST, SECOND)
    assert found.difference == pytest.approx(np.mean(FIRST) - np.mean(SECOND))
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


@given(values, values, st.floats(0.01, 10))
def test_equivalence_is_what_the_90_percent_interval_says(first, second, margin):
    found = welch(first, second, 0.9)
    if min(abs(found.low + margin), abs(found.high - margin)) > 1e-9:
        assert (tost(first, second, margin=margin) < 0.05) == (-margin < found.low and found.high < margin)


def test_equivalence_is_two_one_sided_tests_of_scipy():
    above = stats.ttest_ind(np.array(FIRST) + 2, SECOND, equal_var=False, alternative="greater").pvalue
    below = stats.ttest_ind(np.array(FIRST) - 2, SECOND, equal_var=False, alternative="less").pvalue
    assert tost(FIRST, SECOND, margin=2) == pytest.approx(max(above, below))


def test_holm_of_a_textbook_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(p_values)
def test_holm_never_lowers_a_p_value_nor_changes_their_order(p):
    corrected = holm(p)
    assert all(q >= one and q <= 1 for q, one in zip(corrected, p, strict=True))
    order = np.argsort(p, kind="stable")
    assert np.all(np.diff(np.array(corrected)[order]) >= 0)
    assert holm(p[::-1]) == corrected[::-1]


@given(p_values)
def test_holm_lies_between_no_correction_and_bonferroni(p):
    assert all(q <= min(1, len(p) * one) for q, one in zip(holm(p), p, strict=True))


@pytest.mark.parametrize("second", [[97.0], [97.0, 97.0]])
def test_without_a_spread_nothing_is_shown(second):
    assert t_interval(second) == EVERYWHERE
    found = welch([98.0, 98.0], second)
    assert (found.difference, found.low, found.high, found.p) == (1.0, *EVERYWHERE, 1.0)
    assert tost([98.0, 98.0], second, margin=5) == 1.0


def test_equal_values_are_known_to_their_resolution_only():
    step = 100 / 360
    low, high = t_interval([97.5] * 5, resolution=step)
    assert high - low == pytest.approx(2 * stats.t.ppf(0.975, 4) * step / math.sqrt(12 * 5))
    found = welch([97.5] * 5, [97.5 - step] * 5, resolution=step)
    assert 0 < found.p < 1
    assert math.isfinite(found.low)


def test_a_resolution_finer_than_the_spread_changes_nothing():
    assert welch(FIRST, SECOND, resolution=0.01) == welch(FIRST, SECOND)


def test_the_bootstrap_interval_of_a_mean_is_near_the_t_interval():
    data = np.random.default_rng(3).normal(size=200)
    found = bootstrap_interval(lambda drawn: float(data[drawn].mean()), len(data))
    assert found == pytest.approx(t_interval(list(data)), abs=0.02)
    assert found == bootstrap_interval(lambda drawn: float(data[drawn].mean()), len(data))


def test_a_bootstrap_of_nothing_but_nan_is_everywhere():
    assert bootstrap_interval(lambda _drawn: math.nan, 5, resamples=10) == EVERYWHERE


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: wilson_interval(3, 2),
        lambda: wilson_interval(0, 0),
        lambda: t_interval([]),
        lambda: t_interval(FIRST, 95),
        lambda: welch([], FIRST),
        lambda: tost(FIRST, SECOND, margin=0),
        lambda: holm([1.5]),
        lambda: bootstrap_interval(lambda _drawn: 0.0, 0),
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match=r"give|must|between"):
        wrong()


def test_quantiles_with_infinite_degrees_are_those_of_the_normal_distribution():
    assert t_quantile(math.inf, 0.975) == pytest.approx(stats.norm.ppf(0.975))
    assert t_below(math.inf, -1.0) == pytest.approx(stats.norm.cdf(-1.0))
    assert t_quantile(3.0, 0.975) == pytest.approx(stats.t.ppf(0.975, 3))


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, 1.5])
def test_levels_at_the_ends_are_refused(level):
    with pytest.raises(ValueError, match="both excluded"):
        t_interval([1.0, 2.0], level)


@pytest.mark.parametrize("resamples", [0, -1])
def test_a_bootstrap_of_nothing_is_refused_and_of_one_is_not(resamples):
    with pytest.raises(ValueError, match="at least one of each"):
        bootstrap_interval(float, 3, resamples=resamples)
    with pytest.raises(ValueError, match="at least one of each"):
        bootstrap_interval(float, 0)
    assert bootstrap_interval(lambda places: float(len(places)), 1, resamples=1) == (1.0, 1.0)


def test_a_difference_from_no_values_is_refused_also_beside_a_single_one():
    with pytest.raises(ValueError, match="give at least one"):
        welch([], [1.0])
    with pytest.raises(ValueError, match="give at least one"):
        welch([1.0], [])
    with pytest.raises(ValueError, match="give at least one"):
        tost([1.0], [], margin=1)
    assert welch([1.0], [2.0, 3.0]).p == 1.0


def test_a_difference_is_shown_where_its_interval_leaves_out_none() -> None:
    for low, high, shown in (
        (0.1, 0.9, True),
        (-0.9, -0.1, True),
        (-0.1, 0.9, False),
        (0.0, 0.9, False),
        (-0.9, 0.0, False),
    ):
        assert Difference(difference=0.5, low=low, high=high, p=0.5).shown is shown


def test_all_of_all_have_an_interval_that_ends_at_one() -> None:
    assert wilson_interval(5, 5)[1] == 1.0
    assert wilson_interval(0, 5)[0] == 0.0
    assert wilson_interval(4, 5)[1] < 1.0


def test_two_values_of_each_show_a_difference() -> None:
    found = welch([1.0, 2.0], [8.0, 9.0])
    assert found.p == pytest.approx(stats.ttest_ind([1.0, 2.0], [8.0, 9.0], equal_var=False).pvalue)
    assert found.shown


def test_no_interval_of_a_share_leaves_0_to_1_by_rounding() -> None:
    n = 7999527915771880
    assert wilson_interval(n - 1, n)[1] <= 1.0
    assert wilson_interval(1, n)[0] >= 0.0
