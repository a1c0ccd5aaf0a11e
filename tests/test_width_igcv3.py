"""The width optimum of IGC V3: the derivation by sympy, counts and paths of the real block, enumeration."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest
import sympy
from hypothesis import assume, given
from hypothesis import strategies as st

from analysis.width.figure_blocks import figure as figure_of_all
from analysis.width.figure_igcv3 import figure
from analysis.width.igcv3 import Question, counted, layers, pairs_of_groups, paths, widest
from analysis.width.igcv3_rows import lattice_rows, optimum, published_rows
from analysis.width.lattice import width_bound
from analysis.width.reports import Request, together
from analysis.width_optimum import main
from igcnas.errors import BudgetError
from igcnas.network.grouping.product import weights
from igcnas.network.primitives import Convolution

areas = st.sampled_from([1, 9, 25])


@st.composite
def blocks(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """(c, t, G1, G2) of a block that exists."""
    G1, G2 = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    c = math.lcm(G1, G2) * draw(st.integers(1, 3))
    return c, draw(st.integers(1, 6)), G1, G2


def test_sympy_derives_the_optimum_and_igc_v1_and_v2_as_its_special_cases() -> None:
    c, t, S, P, a, b, d, G1, G2 = sympy.symbols("c t S P a b d G1 G2", positive=True)
    h = t * c
    cost = h * c * (a / G1 + b / G2) + d * S * h
    at_product = cost.subs(G2, h / P / G1)
    (best_G1,) = sympy.solve(sympy.diff(at_product, G1), G1)
    best_G2 = h / P / best_G1
    assert sympy.simplify(best_G1 / best_G2 - a / b) == 0  # a G2 = b G1
    assert sympy.simplify(sympy.diff(at_product, G1, 2)).subs(G1, best_G1).is_positive
    bound = 2 * sympy.sqrt(a * b * t * P) * c ** sympy.Rational(3, 2) + d * S * t * c
    assert sympy.simplify(at_product.subs(G1, best_G1) - bound) == 0
    assert all(sympy.diff(bound, symbol).is_positive for symbol in (t, P, c))  # widest with one path and the least t
    # V1: the taps on the first convolution, no depthwise one. L = M S, and T = 2 sqrt(S) G^(3/2).
    first = {a: S, b: 1, t: 1, P: 1}
    assert sympy.simplify((best_G1 / best_G2).subs(first) - S) == 0
    assert sympy.simplify(bound.subs(first | {d: 0}) - 2 * sympy.sqrt(S) * c ** sympy.Rational(3, 2)) == 0
    # V2 with three kernels, the depthwise one among them: c (S + 2 sqrt(c)).
    second = {a: 1, b: 1, t: 1, P: 1, d: 1}
    assert sympy.simplify(bound.subs(second) - c * (S + 2 * sympy.sqrt(c))) == 0


def test_sympy_shows_that_without_a_limit_to_the_expansion_one_hidden_channel_is_the_widest() -> None:
    c, S, P, G1, G2 = sympy.symbols("c S P G1 G2", positive=True)
    cost = P * (S * G1 * G2 + c * (G1 + G2))  # h = P G1 G2
    h = P * G1 * G2
    assert sympy.simplify(h * c * (1 / G1 + 1 / G2) + S * h - cost) == 0
    assert all(sympy.diff(cost, G).is_positive for G in (G1, G2))
    assert sympy.solve(sympy.Eq(cost.subs({P: 1, G1: 1, G2: 1}), 4672), c) == [(4672 - S) / 2]


@given(blocks(), areas, st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))
def test_the_formula_is_the_count_of_the_real_plan(
    block: tuple[int, int, int, int], S: int, stride: int, height: int, width: int
) -> None:
    c, t, G1, G2 = block
    for unit in ("params", "macs"):
        question = Question(t=t, S=S, unit=unit, size=(height, width), stride=stride)
        cost = counted(c, G1, G2, question)
        assert question.cost(c, G1, G2) == (cost.params if unit == "params" else cost.macs)


@given(blocks())
def test_a_pair_has_floor_or_ceil_of_tc_over_G1_G2_paths(block: tuple[int, int, int, int]) -> None:
    c, t, G1, G2 = block
    found = paths(c, t, G1, G2)
    assert (found.fewest, found.most) == (t * c // (G1 * G2), -(-t * c // (G1 * G2)))
    assert Question(t=t).connects(c, G1, G2) is (found.unconnected == 0)
    for least in (1, 2, 5):
        assert Question(t=t, paths=least).connects(c, G1, G2) is (found.fewest >= least)


@given(blocks(), areas, st.sampled_from([1, 2]))
def test_no_block_passes_the_bound_for_its_paths_and_equality_is_at_equal_groups(
    block: tuple[int, int, int, int], S: int, stride: int
) -> None:
    c, t, G1, G2 = block
    assume(t * c >= G1 * G2)
    least = t * c // (G1 * G2)
    question = Question(t=t, S=S, paths=least, unit="macs", size=(8, 8), stride=stride)
    spent = question.cost(c, G1, G2)
    assert c <= question.bound(spent) * (1 + 1e-12)
    assert question.least(c) <= spent * (1 + 1e-12)
    optimal = stride**2 * G2 == G1 and least * G1 * G2 == t * c
    assert math.isclose(c, question.bound(spent), rel_tol=1e-11) == optimal
    assert question.best_groups(c)[0] == pytest.approx(stride**2 * question.best_groups(c)[1])


@given(st.integers(12, 3000), st.integers(1, 6), areas, st.integers(1, 5))
def test_the_widest_integer_block_equals_a_search_by_brute_force(T: int, t: int, S: int, least: int) -> None:
    question = Question(t=t, S=S, paths=least)
    found = [
        (-c, cost, G1, G2)
        for c in range(1, 1 + T // (S * t))
        for G1 in range(1, c + 1)
        if c % G1 == 0
        for G2 in range(1, c + 1)
        if c % G2 == 0 and least * G1 * G2 <= t * c and (cost := question.cost(c, G1, G2)) <= T
    ]
    if not found:
        with pytest.raises(BudgetError, match="no block with expansion"):
            widest(question, T)
        return
    c, _, G1, G2 = min(found)
    assert widest(question, T) == (-c, G1, G2)
    assert -c <= question.bound(T) * (1 + 1e-12)


@given(st.integers(100, 3000), st.integers(1, 6))
def test_the_widest_block_connects_every_pair_of_its_real_module(T: int, t: int) -> None:
    c, G1, G2 = widest(Question(t=t), T)
    assert paths(c, t, G1, G2).condition in ("strict", "loose")


def test_with_expansion_1_and_one_path_it_is_a_product_of_three_sparse_kernels() -> None:
    c, G1, G2 = widest(Question(t=1), 4752)
    assert (c, G1, G2) == (144, 12, 12)
    assert Question(t=1).bound(4752) == pytest.approx(144, rel=1e-12)
    assert Question(t=1).cost(c, G1, G2) == weights((1, c // G1, c // G2), c) == 4752
    assert paths(c, 1, G1, G2).condition == "strict"


def test_igc_v1_is_the_same_bound_with_the_taps_on_the_first_convolution() -> None:
    # p q = S and no depthwise term, in the same law.
    assert width_bound(4672, 9) == pytest.approx((4672 / (2 * math.sqrt(9))) ** (2 / 3))


def test_at_stride_2_the_optimum_in_macs_has_four_times_the_groups_in_the_expansion() -> None:
    macs = Question(unit="macs", stride=2)
    G1, G2 = macs.best_groups(100)
    assert pytest.approx((4, 600)) == (G1 / G2, G1 * G2)
    row = optimum(macs, 4_752_000)
    assert (row["width"], row["G1"], row["G2"]) == (110, 55, 11)
    assert widest(Question(), 4752) == (51, 17, 17)


def test_published_blocks_have_the_formula_of_the_literature_and_equal_groups_meet_their_bound() -> None:
    rows = list(published_rows())
    for row in rows:
        c, G1, G2 = int(row["c"]), int(row["G1"]), int(row["G2"])
        assert row["params"] == 6 * c * c // G1 + 6 * c * c // G2 + 54 * c
        assert row["paths"] == 6 * c // (G1 * G2) == paths(c, 6, G1, G2).fewest == paths(c, 6, G1, G2).most
        meets = math.isclose(float(row["percent_same_paths"]), 100)
        assert meets == (G1 == G2)
        assert float(row["percent_one_path"]) < 60
    deep = [row for row in rows if row["network"] == "IGCV3-D"]
    assert [row["paths"] for row in deep] == [36, 48, 96, 144, 240]
    assert deep[0]["percent_one_path"] == pytest.approx(45.29, abs=0.01)


def test_every_block_within_a_budget_is_in_the_lattice() -> None:
    question = Question(t=2, paths=2)
    rows = list(lattice_rows(question, 400))
    found = {(row["width"], row["G1"], row["G2"]) for row in rows}
    expected = {(c, *G) for c in range(1, 40) for G in pairs_of_groups(c, question) if question.cost(c, *G) <= 400}
    assert found == expected
    assert len(rows) == len(found)
    assert all(float(row["paths"]) >= 2 for row in rows)


def test_the_plan_is_the_body_of_the_real_block() -> None:
    convolutions = [layer for layer in layers(24, 6, 2, 4) if isinstance(layer, Convolution)]
    assert [(layer.groups, layer.kernel) for layer in convolutions] == [(2, 1), (144, 3), (4, 1)]


def test_the_figures_show_the_bounds_and_the_integer_blocks() -> None:
    left, right = figure(Question(), 4752).axes
    dots = [line for line in left.get_lines() if line.get_marker() == "o"]
    assert list(dots[0].get_ydata()) == [widest(Question(t=t), 4752)[0] for t in range(1, 9)]
    assert right.get_xscale() == "log"
    assert any("IGCV3-D" in text.get_text() for text in right.texts)
    (ax,) = figure_of_all(S=9).axes
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert len(figure_of_all(S=25).axes[0].get_lines()) == 6  # published blocks are 3x3


def test_the_figure_of_a_budget_that_few_blocks_fit_says_so() -> None:
    left, right = figure(Question(), 30).axes
    assert [text.get_text() for text in right.texts] == ["no block of expansion 6 fits"]
    assert (
        max(max(line.get_xdata()) for line in left.get_lines() if line.get_marker() == "o" and len(line.get_xdata()))
        < 4
    )


def test_all_blocks_are_set_beside_each_other_in_the_unit_of_the_budget() -> None:
    (row,) = together(Request(budgets=((4672, "params"),))).tables["optima"]
    assert [row[key] for key in ("regular", "igcv1", "igcv2", "igcv3_t1", "igcv3_t6")] == [22, 84, 192, 140, 51]
    (row,) = together(Request(budgets=((4_752_000, "macs"),), stride=2)).tables["optima"]
    assert row["igcv3_t6"] == 110


def test_the_command_prints_and_writes_blocks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--params", "400", "--kernel-area", "9", "--out", str(tmp_path)]
    third = ["--block", "igcv3", "--expansion", "2", "--paths", "2", "--csv"]
    assert main([*third, *options]) == 0
    assert "2 or more paths" in capsys.readouterr().out
    with open(tmp_path / "width_igcv3_lattice.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(list(lattice_rows(Question(t=2, paths=2), 400)))
    assert main(["--block", "all", *options, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["optima"][0]["regular"] == 6
    assert (tmp_path / "width_blocks.svg").exists()
