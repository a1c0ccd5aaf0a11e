"""The width optimum of IGC V2: balance by sympy, every factorisation by enumeration, counts and paths from the plan."""

from __future__ import annotations

import csv
import itertools
import json
import math
from pathlib import Path

import pytest
import scipy.special
import sympy
from hypothesis import given
from hypothesis import strategies as st

from analysis.width.factors import branchings, cheapest, orders
from analysis.width.figure_igcv2 import figure
from analysis.width.igcv2 import (
    FIG3,
    FIG3_WIDEST,
    FIG3_WIDTH,
    best_kernels,
    counted,
    layers,
    least,
    paths,
    widest_of_any,
    widest_real,
    widest_relaxed,
)
from analysis.width.igcv2_rows import best, kernels_for_width, lattice_rows, published_rows, widths_for_budget
from analysis.width.lattice import width_bound
from analysis.width.reports import Request, igcv2
from analysis.width_optimum import main
from igcnas.errors import BudgetError
from igcnas.network.cost import layer_cost
from igcnas.network.grouping.product import balanced_branches, least_weights, most_kernels, weights
from igcnas.network.primitives import Convolution

areas = st.sampled_from([1, 9, 25, 49])
widths = st.integers(1, 120)


def ordered(C: int, n: int) -> list[tuple[int, ...]]:
    """All ordered factorisations, by brute force: the first may be 1."""
    divisors = [d for d in range(1, C + 1) if C % d == 0]
    return [K for K in itertools.product(divisors, repeat=n) if math.prod(K) == C and 1 not in K[1:]]


def test_sympy_derives_the_condition_of_balance() -> None:
    C, S, n = sympy.symbols("C S n", positive=True)
    for kernels in (2, 3, 4):
        K = sympy.symbols(f"K1:{kernels + 1}", positive=True)
        multiplier = sympy.symbols("lambda", positive=True)
        lagrangian = S * K[0] + sum(K[1:]) - multiplier * (sympy.prod(K) - C)
        balance = (S * C) ** sympy.Rational(1, kernels)
        at = {K[0]: balance / S, **dict.fromkeys(K[1:], balance), multiplier: balance / C}
        for variable in K:
            assert sympy.simplify(sympy.diff(lagrangian, variable).subs(at)) == 0
        assert sympy.simplify(sympy.prod(K).subs(at) - C) == 0
        assert sympy.simplify((S * K[0] + sum(K[1:])).subs(at) - kernels * balance) == 0
    total = n * (S * C) ** (1 / n)
    (best_n,) = sympy.solve(sympy.diff(sympy.log(total), n), n)
    assert sympy.simplify(best_n - sympy.log(S * C)) == 0
    assert sympy.simplify(sympy.log(total).subs(n, best_n) - sympy.log(sympy.E * sympy.log(S * C))) == 0


def test_sympy_derives_the_best_number_of_kernels_where_the_first_is_depthwise() -> None:
    C, S, n = sympy.symbols("C S n", positive=True)
    total = S + (n - 1) * C ** (1 / (n - 1))
    best_n = 1 + sympy.log(C)
    assert sympy.simplify(sympy.diff(total, n).subs(n, best_n)) == 0
    assert sympy.simplify(total.subs(n, best_n) - S - sympy.E * sympy.log(C)) == 0
    assert best_kernels(64, 9) == pytest.approx((math.log(576), 1 + math.log(64)))
    assert best_kernels(64, 1) == pytest.approx((math.log(64), math.log(64)))  # K1 = e at balance: nothing is gained


def test_two_kernels_are_igc_v1() -> None:
    for T, S in [(4672, 9), (17536, 9), (4672, 25)]:
        assert widest_relaxed(T, 2, S) == pytest.approx(width_bound(T, S), rel=1e-12)
        assert widest_real(T, 2, S) == pytest.approx(width_bound(T, S), rel=1e-12)


@pytest.mark.parametrize(
    ("C", "totals"),
    [
        (64, (36864, 3072, 1598, 1254, 1141, 1108, 1111, 1133)),
        (256, (589824, 24576, 10144, 7094, 6022, 5582, 5416, 5391)),
    ],
)
def test_the_papers_bound_has_the_published_totals_and_ours_is_never_below(C: int, totals: tuple[int, ...]) -> None:
    assert tuple(round(least_weights(C, n)) for n in range(1, 9)) == totals
    for n in range(1, 9):
        assert least(C, n, 9) >= least_weights(C, n) * (1 - 1e-12)
    assert round(least(64, 3, 9)) == 1600  # the paper's 1598 has K1 = 0.92 channels in a branch


@given(widths, st.integers(1, 7), areas)
def test_every_factorisation_is_listed_once_and_stands_for_its_orders(C: int, n: int, S: int) -> None:
    found = list(branchings(C, n))
    assert len(set(found)) == len(found)
    if n <= 3:
        every = ordered(C, n)
        assert {(K[0], *sorted(K[1:])) for K in every} == set(found)
        assert sum(map(orders, found)) == len(every)
    for K in found:
        assert math.prod(K) == C
        assert weights(K, C, math.isqrt(S)) >= least(C, n, S) * (1 - 1e-12)


@given(st.integers(2, 60), areas)
def test_the_enumeration_of_widths_equals_brute_force_and_the_balanced_branches(most: int, S: int) -> None:
    for n, found in itertools.islice(cheapest(most, S), 5):
        assert len(found) == most + 1
        for C in range(1, most + 1):
            every = [weights(K, C, math.isqrt(S)) for K in branchings(C, n)]
            assert found[C] == min(every, default=-1)
            if every:
                assert found[C] == weights(balanced_branches(C, n, math.isqrt(S)), C, math.isqrt(S))


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), areas)
def test_the_bound_is_met_exactly_at_balance(K: list[int], S: int) -> None:
    C, n = math.prod(K), len(K)
    total = weights(tuple(K), C, math.isqrt(S))
    bound = least(C, n, S)
    balanced = n == 1 or (len(set(K[1:])) == 1 and (S * K[0] == K[1] or (K[0] == 1 and K[1] <= S)))
    assert total >= bound * (1 - 1e-12)
    assert math.isclose(total, bound, rel_tol=1e-9) == balanced


@given(st.floats(10, 10**7), st.integers(1, 12), areas)
def test_the_widest_real_width_costs_the_budget_and_the_sharper_bound_is_lower(T: float, n: int, S: int) -> None:
    C = widest_real(T, n, S)
    assert least(C, n, S) == pytest.approx(T, rel=1e-9)
    relaxed = widest_relaxed(T, n, S)
    assert n * relaxed * (S * relaxed) ** (1 / n) == pytest.approx(T, rel=1e-9)
    assert relaxed * (1 + 1e-12) >= C


@given(st.floats(100, 10**8), areas)
def test_over_all_numbers_of_kernels_the_widest_is_lamberts_and_bounds_each(T: float, S: int) -> None:
    paper, whole = widest_of_any(T, S)
    assert paper == pytest.approx(math.exp(scipy.special.lambertw(S * T / math.e).real) / S, rel=1e-9)
    assert math.e * paper * math.log(S * paper) == pytest.approx(T, rel=1e-9)
    if math.e < S:
        assert whole * (S + math.e * math.log(whole)) == pytest.approx(T, rel=1e-9)
    assert whole <= paper * (1 + 1e-12)
    for n in range(1, 30):
        assert widest_relaxed(T, n, S) <= paper * (1 + 1e-9)
        if whole > 1:  # below one channel there is nothing to divide
            assert widest_real(T, n, S) <= max(whole, 1) * (1 + 1e-9)


@given(st.integers(25, 3000), areas)
def test_no_integer_product_is_wider_than_the_bounds_and_brute_force_agrees(T: int, S: int) -> None:
    if T < S:
        with pytest.raises(BudgetError, match="the smallest has"):
            widths_for_budget(T, S)
        return
    rows = widths_for_budget(T, S)
    assert [row["kernels"] for row in rows] == list(range(1, len(rows) + 1))
    for row in rows:
        n, C = int(row["kernels"]), int(row["width"])
        assert int(row["params"]) <= T
        assert C <= float(row["bound"]) * (1 + 1e-12) <= float(row["paper_bound"]) * (1 + 1e-9)
        beyond = range(C + 1, int(float(row["paper_bound"])) + 2)
        assert all(weights(K, wider, math.isqrt(S)) > T for wider in beyond for K in branchings(wider, n))
    fewest = 2 ** len(rows)
    assert min(weights(K, fewest, math.isqrt(S)) for K in branchings(fewest, len(rows) + 1)) > T


@given(st.integers(1, 150).flatmap(lambda C: st.tuples(st.just(C), st.integers(1, most_kernels(C)))), areas)
def test_every_integer_optimum_counts_as_the_formula_and_has_exactly_one_path_a_pair(
    case: tuple[int, int], S: int
) -> None:
    C, n = case
    K = balanced_branches(C, n, math.isqrt(S))
    cost = counted(K, C, S=S, size=(6, 5), stride=2)
    assert cost.params == weights(K, C, math.isqrt(S))
    assert cost.macs == cost.params * 3 * 3
    found = paths(K, C)
    assert (found.fewest, found.most, found.condition) == (1, 1, "strict")


def test_the_plan_of_a_block_has_one_convolution_a_kernel() -> None:
    convolutions = [layer for layer in layers((1, 8, 8), 64) if isinstance(layer, Convolution)]
    assert [layer_cost(layer).params for layer in convolutions] == [576, 512, 512]


def test_the_widest_of_the_budget_of_igc_v1_has_the_papers_width_at_the_papers_number_of_kernels() -> None:
    rows = widths_for_budget(4672, 9)
    assert [(row["K"], row["width"]) for row in rows][1:5] == [
        *[("3x28", 84), ("1x10x14", 140)],
        *[("1x5x5x7", 175), ("1x3x4x4x4", 192)],
    ]
    top = best(rows)
    assert (top["kernels"], top["width"]) == (FIG3_WIDEST, FIG3_WIDTH)
    assert max(FIG3, key=lambda point: point[1])[0] == 3  # the most accurate is narrower
    assert widest_of_any(4672, 9)[1] == pytest.approx(199.68, abs=0.01)


def test_the_published_network_is_wider_than_any_product_that_connects_every_pair() -> None:
    rows = list(published_rows())
    assert [row["params"] for row in rows] == [10_400, 20_800, 41_600]
    assert [row["percent_of_pairs"] for row in rows] == pytest.approx([100 * 64 / C for C in (416, 832, 1664)])
    for row in rows:
        assert float(row["bound"]) < int(row["C"])
    assert float(rows[0]["paper_bound"]) > 416  # K1 below one channel would do
    assert rows[0]["bound"] == pytest.approx(410.18, abs=0.01)


def test_kernels_for_a_width_lists_each_number_that_it_allows() -> None:
    rows = kernels_for_width(64, 9)
    assert [row["params"] for row in rows] == [36864, 3200, 1600, 1344, 1344, 1344, 1344]
    assert [row["ways"] for row in rows] == [len(ordered(64, n)) for n in range(1, 8)]
    assert [row["over_bound"] == 1 for row in rows] == [True, False, True, True, False, False, True]


def test_every_product_within_a_budget_is_in_the_lattice() -> None:
    T = weights((1, 3, 4), 12)  # 192, and so within the budget
    rows = list(lattice_rows(T, 9, size=(4, 4)))
    found = {(int(row["width"]), str(row["K"])): int(row["params"]) for row in rows}
    expected = {
        (C, "x".join(map(str, K))): weights(K, C)
        for n in range(1, 7)
        for C in range(1, 40)
        for K in branchings(C, n)
        if weights(K, C) <= T
    }
    assert found == expected
    assert len(rows) == len(found)
    assert all(row["macs"] == 16 * int(row["params"]) for row in rows)
    assert min(float(row["over_bound"]) for row in rows) >= 1 - 1e-12


def test_the_figure_shows_both_bounds_the_integers_and_the_papers_accuracies() -> None:
    page = figure(T=4672, S=9)
    weights_axes, above, below = page.axes
    assert weights_axes.get_yscale() == "log"
    dots = [line for line in above.get_lines() if line.get_marker() == "o"]
    assert list(dots[0].get_ydata()) == [row["width"] for row in widths_for_budget(4672, 9)]
    assert list(below.get_lines()[0].get_ydata()) == [point[1] for point in FIG3]


def test_a_budget_in_macs_is_that_in_weights_for_each_position_of_the_output() -> None:
    request = Request(budgets=((4672 * 64, "macs"),), size=(16, 16), stride=2)
    (top,) = [row for row in igcv2(request).tables["optima"] if row["widest"] == "yes"]
    assert (top["width"], top["budget"], top["unit"]) == (192, 4672 * 64, "macs")
    assert top["macs"] == 4608 * 64


def test_the_command_prints_and_writes_products(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--block", "igcv2", "--params", "300", "--kernel-area", "9", "--csv", "--out", str(tmp_path)]
    assert main(options) == 0
    printed = capsys.readouterr().out
    assert "no number of kernels is wider than" in printed
    assert "IGCV2*-C416" in printed
    with open(tmp_path / "width_igcv2_lattice.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(list(lattice_rows(300, 9)))
    assert main([*options, "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == ["optima", "published"]
