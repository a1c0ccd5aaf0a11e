"""Agreement of two orders: values worked out by hand, scipy beside, intervals and ceilings near what they must be."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from igcnas.errors import StudyError
from igcnas.results.audit.agreement import Interval, identity, interval, recall, regret, resamples, rhos, taus
from igcnas.results.audit.result import ALL, SHORT, WITHIN, AuditResult, ceilings, compute
from igcnas.results.audit.rows import BASELINES, Row
from igcnas.results.audit.sampling import stratified
from igcnas.results.audit.verdict import AS_GOOD, BELOW, REVERSED, UNDECIDED, WORSE, verdict

VALUES = st.lists(st.integers(0, 6), min_size=2, max_size=12)


def tau(x: list[float], y: list[float], bands: list[int] | None = None) -> float:
    return float(taus(x, y, identity(len(x)), bands)[0])


def rho(x: list[float], y: list[float], bands: list[int] | None = None) -> float:
    return float(rhos(x, y, identity(len(x)), bands)[0])


# Agreement


def test_tau_of_known_orders() -> None:
    assert tau([1, 2, 3, 4], [10, 20, 30, 40]) == 1
    assert tau([1, 2, 3, 4], [4, 3, 2, 1]) == -1
    assert tau([1, 2, 3, 4], [1, 2, 4, 3]) == pytest.approx(4 / 6)  # five pairs agree, one does not
    assert tau([1, 1, 2], [1, 2, 3]) == pytest.approx(2 / math.sqrt(2 * 3))  # one pair is tied in x
    assert math.isnan(tau([1, 1, 1], [1, 2, 3]))
    assert tau([-math.inf, 0, math.inf], [1, 2, 3]) == 1


@settings(max_examples=60)
@given(st.data(), VALUES)
def test_tau_and_rho_are_those_of_scipy_with_any_ties(data: st.DataObject, x: list[float]) -> None:
    y = data.draw(st.lists(st.integers(0, 6), min_size=len(x), max_size=len(x)))
    with np.errstate(invalid="ignore"):
        expected = stats.kendalltau(x, y).statistic
        assert tau(x, y) == pytest.approx(expected, nan_ok=True)
        if not math.isnan(expected):
            assert rho(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)


@settings(max_examples=40)
@given(VALUES, st.integers(0, 9))
def test_a_resample_is_a_sample_in_which_networks_stand_more_than_once(x: list[float], seed: int) -> None:
    y = np.random.default_rng(seed).integers(0, 5, len(x)).astype(float)
    drawn = resamples([0] * len(x), seed=seed, count=3)
    for row, found_tau, found_rho in zip(drawn, taus(x, y, drawn), rhos(x, y, drawn), strict=True):
        again = np.array(x, float)[row], y[row]
        assert found_tau == pytest.approx(tau(list(again[0]), list(again[1])), nan_ok=True)
        assert found_rho == pytest.approx(rho(list(again[0]), list(again[1])), nan_ok=True)


def test_within_bands_only_pairs_of_one_band_count() -> None:
    # Perfect over the bands, reversed inside each: what matched cost leaves is -1.
    x, y, bands = [1, 2, 3, 11, 12, 13], [3, 2, 1, 13, 12, 11], [0, 0, 0, 1, 1, 1]
    assert tau(x, y) == pytest.approx((9 - 6) / 15)
    assert tau(x, y, bands) == -1
    assert rho(x, y, bands) == pytest.approx(-1)
    assert tau(x, [1, 2, 3, 13, 12, 11], bands) == 0


def test_resamples_keep_the_number_of_each_band_and_repeat_by_seed() -> None:
    bands = np.array([0, 0, 1, 1, 1, 2])
    drawn = resamples(bands, seed=4, count=50)
    assert (bands[drawn] == bands).all()
    assert (drawn == resamples(bands, seed=4, count=50)).all()
    assert (drawn != resamples(bands, seed=5, count=50)).any()


def test_the_interval_of_independent_orders_covers_zero_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    inside = 0
    for trial in range(100):
        x, y = generator.normal(size=(2, 25))
        found = interval(tau(list(x), list(y)), taus(x, y, resamples(np.zeros(25), seed=trial, count=300)))
        inside += found.low <= 0 <= found.high
    assert 85 <= inside <= 100


def test_recall_and_regret_of_the_best() -> None:
    short, long = [90, 80, 70, 60], [50, 99, 98, 40]
    assert [recall(short, long, k) for k in (1, 2, 3, 4)] == [0, 0.5, 1, 1]
    assert regret(short, long) == 49
    # Ties are broken at random: one of the two at 90 is the long best, and its place among the top is worth one half.
    assert recall([90, 90, 70], [99, 98, 97], 1) == 0.5
    assert regret([90, 90, 70], [99, 98, 97]) == 0.5
    with pytest.raises(ValueError, match="between 1 and the 3 networks"):
        recall([1, 2, 3], [1, 2, 3], 4)


# The sample


@settings(max_examples=60)
@given(st.integers(9, 60), st.integers(1, 3), st.integers(9, 30), st.integers(0, 99))
def test_every_band_and_both_halves_of_its_ranks_are_in_the_sample(n: int, bands: int, count: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    networks = [(i, int(generator.integers(1, 99)), float(generator.integers(0, 20))) for i in range(n)]
    members, limits = stratified(networks, count=count, bands=bands, seed=seed)
    assert (members, limits) == stratified(networks[::-1], count=count, bands=bands, seed=seed)
    assert len({m.number for m in members}) == len(members) == min(n, count)
    by_cost = sorted(networks, key=lambda network: (network[1], network[0]))
    for band in range(bands):
        inside = by_cost[n * band // bands : n * (band + 1) // bands]
        assert limits[band] == (inside[0][1], inside[-1][1])
        ranked = [number for number, _, _ in sorted(inside, key=lambda network: (-network[2], network[0]))]
        ranks = [ranked.index(m.number) for m in members if m.band == band]
        assert ranks == sorted(ranks)
        assert ranks[0] < len(ranked) / 2 <= ranks[-1]


def test_other_seeds_draw_others_and_too_few_networks_are_refused() -> None:
    networks = [(i, i, float(i % 7)) for i in range(60)]
    assert stratified(networks, count=12, bands=3, seed=0) != stratified(networks, count=12, bands=3, seed=1)
    with pytest.raises(StudyError, match="the study holds 8 trained networks, but 3 bands need 9"):
        stratified(networks[:8], count=12, bands=3, seed=0)
    with pytest.raises(StudyError, match="--networks 5, but 2 bands need 6"):
        stratified(networks, count=5, bands=2, seed=0)
    with pytest.raises(StudyError, match="--bands 0"):
        stratified(networks, count=5, bands=0, seed=0)


# Ceiling and verdict


def simulated(*, n: int, seeds: int, noise: float, short_noise: float, seed: int = 0, sign: int = 1) -> list[Row]:
    """Networks whose true accuracies have standard deviation 1, in three bands that say nothing of them."""
    generator = np.random.default_rng(seed)
    found = []
    for number, truth in enumerate(generator.normal(size=n)):
        long = truth + noise * generator.normal(size=seeds)
        scores = {name: float(generator.normal()) for name in BASELINES}
        short = sign * truth + short_noise * generator.normal()
        row = Row(number=number, name="n", band=number % 3, macs=1, short=short, long=tuple(long), scores=scores)
        found.append(row)
    return found


def result(rows: list[Row]) -> AuditResult:
    return compute(rows, [(1, 1)] * 3, seed=0)


@pytest.mark.parametrize("noise", [0.3, 1.0])
def test_the_ceiling_of_two_seeds_is_that_of_two_normal_variables_with_their_correlation(noise: float) -> None:
    # Greiner: tau of a bivariate normal with correlation r is 2 / pi * asin(r), and r = 1 / (1 + noise^2).
    expected = 2 / math.pi * math.asin(1 / (1 + noise**2))
    rows = simulated(n=600, seeds=2, noise=noise, short_noise=0)
    assert float(ceilings(rows, identity(600), None)[0]) == pytest.approx(expected, abs=0.03)


def test_more_seeds_raise_the_ceiling_because_their_mean_is_less_noisy() -> None:
    # r of one seed and the mean of m others: 1 / sqrt((1 + s^2) (1 + s^2 / m)).
    rows = simulated(n=600, seeds=5, noise=1.0, short_noise=0)
    expected = 2 / math.pi * math.asin(1 / math.sqrt(2 * (1 + 1 / 4)))
    assert float(ceilings(rows, identity(600), None)[0]) == pytest.approx(expected, abs=0.03)


def test_a_short_training_as_noisy_as_a_long_one_reaches_the_ceiling() -> None:
    found = result(simulated(n=150, seeds=3, noise=0.3, short_noise=0.3))
    scope = found.scopes[WITHIN]
    assert scope.behind_ceiling is not None
    assert scope.behind_ceiling.low < 0 < scope.behind_ceiling.high
    assert verdict(found)[0] == AS_GOOD
    assert "better than MACs alone" in verdict(found)[1]


def test_the_verdict_says_what_the_numbers_say() -> None:
    assert verdict(result(simulated(n=150, seeds=3, noise=0.3, short_noise=1.5)))[0] == BELOW
    assert verdict(result(simulated(n=9, seeds=2, noise=0.5, short_noise=0.5)))[0] == UNDECIDED
    word, sentence = verdict(result(simulated(n=24, seeds=3, noise=0.3, short_noise=0.4)))
    assert word == UNDECIDED  # the interval contains 0, and it is too wide for that to mean anything
    assert "allows for none and for more than 0.1" in sentence
    word, sentence = verdict(result(simulated(n=60, seeds=1, noise=0.5, short_noise=0.5)))
    assert word == UNDECIDED
    assert "give --seeds 2" in sentence
    word, sentence = verdict(result(simulated(n=90, seeds=2, noise=0.3, short_noise=0.3, sign=-1)))
    assert word == WORSE
    assert sentence.startswith("Short training ranks worse than MACs alone inside bands")
    word, sentence = verdict(result(simulated(n=60, seeds=2, noise=3.0, short_noise=0.1)))
    assert word == UNDECIDED  # though short training is above that ceiling
    assert "do not agree enough among themselves" in sentence
    worst = simulated(n=90, seeds=2, noise=0.3, short_noise=0.3, sign=-1)
    as_bad = [dataclasses.replace(row, scores={**row.scores, "macs": row.short}) for row in worst]
    assert verdict(result(as_bad))[0] == REVERSED
    word, sentence = verdict(result(simulated(n=60, seeds=2, noise=0.3, short_noise=99.0)))
    assert word == UNDECIDED
    assert "too few to tell" in sentence


def test_what_cost_explains_is_in_the_tau_over_all_and_not_in_that_within_bands() -> None:
    rows = []
    generator = np.random.default_rng(1)
    for number in range(90):
        band = number // 30
        scores = {name: band + 0.1 * float(generator.normal()) for name in BASELINES}
        long = tuple(3 * band + generator.normal() + 0.2 * generator.normal(size=2))
        rows.append(Row(number=number, name="n", band=band, macs=1, short=long[0], long=long, scores=scores))
    found = result(rows)
    assert found.scopes[ALL].taus["macs"].low > 0.4
    within = found.scopes[WITHIN].taus["macs"]
    assert within.low < 0 < within.high
    assert found.scopes[WITHIN].taus[SHORT].low > 0.7
    assert [band.n for band in found.bands] == [30, 30, 30]


def test_the_spread_within_bands_leaves_out_what_is_between_them() -> None:
    rows = simulated(n=150, seeds=2, noise=0.1, short_noise=0.1)
    moved = [dataclasses.replace(r, long=tuple(value + 50 * r.band for value in r.long)) for r in rows]
    found = result(moved)
    assert found.scopes[ALL].spread > 30
    assert found.scopes[WITHIN].spread == pytest.approx(1, abs=0.2)
    assert found.seed_sd == pytest.approx(0.1, abs=0.05)


def test_repeats_of_the_short_training_have_a_ceiling_of_their_own() -> None:
    rows = simulated(n=40, seeds=2, noise=0.1, short_noise=0.1)
    assert result(rows).short_ceiling is None
    again = [dataclasses.replace(r, repeats=(r.short,) if r.number < 10 else ()) for r in rows]
    found = result(again)
    assert found.short_ceiling_n == 10
    assert found.short_ceiling is not None
    assert found.short_ceiling.value == 1


def test_an_interval_that_cannot_be_told_has_no_value() -> None:
    assert not Interval(value=math.nan, low=math.nan, high=math.nan).known
    found = interval(0.5, np.array([np.nan, 0.4, 0.4]))
    assert (found.low, found.high) == (0.4, 0.4)
