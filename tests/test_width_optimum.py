"""The width optimum: the algebra by sympy, every integer point by enumeration, every count from the real plan."""

from __future__ import annotations

import csv
import json
import math
from fractions import Fraction
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from analysis.width_figure import compute, draw
from analysis.width_lattice import (
    FIG3,
    LARGEST_BUDGET,
    PUBLISHED,
    closed_form,
    configuration,
    corner_cases,
    count_convolutions,
    formula,
    frontier,
    lattice,
    optimum,
    published,
    wider_than_regular,
    widest,
    width_bound,
)
from analysis.width_optimum import main
from igcnas.errors import BudgetError
from igcnas.grouping import Dense, Interleaved

areas = st.sampled_from([1, 9, 25, 49])
partitions = st.integers(1, 60)


def weights(L: int, M: int, S: int) -> int:
    return int(formula(np.array([L]), np.array([M]), S)[0])


@given(partitions, partitions, areas)
def test_formula_equals_the_count_of_the_real_plan(L: int, M: int, S: int) -> None:
    assert weights(L, M, S) == configuration(L, M, S).params


@given(partitions, partitions, areas, st.integers(1, 40), st.integers(1, 40))
def test_macs_of_the_plan_are_the_parameters_for_each_position(L: int, M: int, S: int, height: int, width: int) -> None:
    cost = count_convolutions(Interleaved(L=L, M=M), L * M, S, (height, width))
    assert cost.macs == cost.params * height * width
    assert cost.params == configuration(L, M, S).params


@given(partitions, partitions, areas)
def test_bound_is_met_exactly_where_L_is_M_times_S(L: int, M: int, S: int) -> None:
    T, G = configuration(L, M, S).params, L * M
    slack = T**2 - 4 * S * G**3  # in integers: the bound cubed, times a square
    assert slack >= 0
    assert (slack == 0) == (L == M * S)
    assert math.isclose(G, width_bound(T, S), rel_tol=1e-12) == (L == M * S)


@given(st.integers(2, 5000), areas)
def test_no_point_of_the_lattice_passes_the_bound_or_the_budget(T: int, S: int) -> None:
    if T < S + 1:
        return
    L, M = lattice(T, S)
    assert formula(L, M, S).max() <= T
    assert (L * M).max() <= width_bound(T, S) * (1 + 1e-12)


@given(st.integers(1, 700), areas)
def test_lattice_and_widest_point_equal_a_search_by_brute_force(T: int, S: int) -> None:
    points = {(L, M): (-L * M, L * M * M * S + M * L * L, M) for L in range(1, 30) for M in range(1, 30)}
    inside = {point: rank for point, rank in points.items() if rank[1] <= T}
    if not inside:
        with pytest.raises(BudgetError):
            widest(T, S)
        return
    found_L, found_M = lattice(T, S)
    assert len(found_L) == len(set(inside))
    assert set(zip(found_L.tolist(), found_M.tolist(), strict=True)) == set(inside)
    best = widest(T, S)
    first = min(inside, key=lambda point: inside[point])
    assert first == (best.L, best.M)


def test_of_equally_wide_blocks_the_one_with_the_fewest_weights_is_taken() -> None:
    assert weights(40, 5, 9) == 17000
    assert weights(50, 4, 9) == 17200
    assert (widest(17536, 9).L, widest(17536, 9).M) == (40, 5)


def test_of_equally_wide_and_heavy_blocks_the_one_with_the_smallest_M_is_taken() -> None:
    assert weights(1, 2, 1) == weights(2, 1, 1) == 6
    assert (widest(6, 1).L, widest(6, 1).M) == (2, 1)


def test_sympy_derives_the_closed_form_from_the_equation_of_the_parameters() -> None:
    L, M, S, G, T = sympy.symbols("L M S G T", positive=True)
    parameters = L * M**2 * S + M * L**2
    assert sympy.factor(parameters**2 - 4 * S * (L * M) ** 3 - (L * M) ** 2 * (M * S - L) ** 2) == 0
    at_width = parameters.subs(L, G / M)
    (best_M,) = sympy.solve(sympy.diff(at_width, M), M)
    assert sympy.simplify(G / best_M - best_M * S) == 0  # L = M S
    assert sympy.simplify(sympy.diff(at_width, M, 2)).is_positive  # the least T for this width, everywhere
    (most_G,) = sympy.solve(sympy.Eq(at_width.subs(M, best_M), T), G)
    for budget, area in [(4672, 9), (17536, 9), (4672, 25)]:
        values = {T: budget, S: area}
        assert float(most_G.subs(values)) == pytest.approx(width_bound(budget, area), rel=1e-12)
        assert closed_form(budget, area)[1] == pytest.approx(float(best_M.subs(G, most_G).subs(values)), rel=1e-12)


def test_parameters_and_widths_of_the_points_of_figure_3_are_the_papers() -> None:
    blocks = {T: [configuration(L, M, 9) for L, M, _ in points] for T, points in FIG3.items()}
    assert [b.params for b in blocks[4672]] == [4784, 4672, 4680, 4750, 4698, 4752, 4620, 4640, 4672]
    expected = [17468, 17422, 17776, 17280, 17402, 17480, 17836, 17630, 17472, 17510, 17536]
    assert [b.params for b in blocks[17536]] == expected
    assert [b.width for b in blocks[4672]] == [23, 32, 39, 50, 54, 72, 84, 80, 64]
    assert [b.width for b in blocks[17536]] == [44, 62, 88, 144, 154, 184, 196, 205, 192, 170, 128]
    assert [max(points, key=lambda p: p[2])[:2] for points in FIG3.values()] == [(40, 2), (85, 2)]


@pytest.mark.parametrize(
    ("T", "L", "M", "G", "regular"), [(4672, 27.60, 3.067, 84.64, 22.78), (17536, 42.89, 4.766, 204.42, 44.14)]
)
def test_optimum_of_the_budgets_of_figure_3(T: int, L: float, M: float, G: float, regular: float) -> None:
    row = optimum(T, 9)
    assert row["closed_L"] == pytest.approx(L, abs=5e-3)
    assert row["closed_M"] == pytest.approx(M, abs=5e-4)
    assert row["closed_width"] == pytest.approx(G, abs=5e-3)
    assert row["bound"] == pytest.approx(G, abs=5e-3)
    assert row["regular_width"] == pytest.approx(regular, abs=5e-3)
    assert row["macs_32x32"] == 1024 * int(row["params"])


def test_widest_point_of_figure_3_is_the_widest_of_all_only_where_it_keeps_the_budget() -> None:
    assert (optimum(4672, 9)["L"], optimum(4672, 9)["M"], optimum(4672, 9)["width"]) == (28, 3, 84)
    paper = configuration(41, 5, 9)
    assert (paper.width, paper.params) == (205, 17630)  # over 17536, hence over the bound 204.42 for 17536
    assert optimum(17536, 9)["width"] == 200
    assert (widest(17630, 9).L, widest(17630, 9).M) == (41, 5)


@pytest.mark.parametrize(
    ("L", "M", "share", "ratio"),
    [(24, 2, 99.3, 1.33), (4, 32, 37.8, 0.014), (16, 16, 71.1, 0.111), (100, 2, 80.3, 5.56)],
)
def test_published_blocks_reach_the_known_share_of_the_bound(L: int, M: int, share: float, ratio: float) -> None:
    assert (L, M) in [entry[:2] for entry in PUBLISHED]
    row = published(L, M, "")
    assert row["percent_of_bound"] == pytest.approx(share, abs=0.05)
    assert row["L_over_MS"] == pytest.approx(ratio, abs=0.005)
    r = L / (9 * M)  # the share depends on L / (M S) alone
    assert row["percent_of_bound"] == pytest.approx(100 * (4 * r / (1 + r) ** 2) ** (1 / 3), rel=1e-12)
    assert row["network"] == f"IGC-L{L}M{M}"
    assert (row["wider"], published(1, 23, "")["wider"]) == ("yes", "no")


def test_blocks_of_the_literature_have_the_published_parameters() -> None:
    expected = {(24, 2): 2016, (24, 4): 5760, (24, 8): 18432, (4, 8): 2432, (4, 16): 9472, (4, 32): 37376}
    assert {point: configuration(*point, 9).params for point in expected} == expected


@given(partitions, partitions, areas)
def test_wider_than_regular_agrees_with_the_widest_regular_convolution_that_fits(L: int, M: int, S: int) -> None:
    T = configuration(L, M, S).params
    regular = math.isqrt(T // S)
    assert count_convolutions(Dense(), regular, S).params <= T < count_convolutions(Dense(), regular + 1, S).params
    assert wider_than_regular(L, M, S) is bool(regular < L * M)
    if L > 1:
        assert wider_than_regular(L, M, S) == (Fraction(L, L - 1) < M * S)


def test_only_blocks_of_one_partition_are_no_wider_than_regular_with_a_3x3_kernel() -> None:
    assert not any(wider_than_regular(1, M, 9) for M in range(1, 100))
    assert corner_cases(9, up_to=40) == []
    assert corner_cases(1, up_to=4) == [(2, 1), (2, 2), (3, 1), (4, 1)]


def test_frontier_is_the_largest_L_for_each_M() -> None:
    for T, S in [(4672, 9), (17536, 9), (17536, 25), (10, 9)]:
        for M, L in enumerate(frontier(T, S).tolist(), start=1):
            assert weights(L, M, S) <= T < weights(L + 1, M, S)
        assert weights(1, len(frontier(T, S)) + 1, S) > T


def test_panel_of_a_paper_budget_shows_the_papers_points_with_their_real_parameters() -> None:
    panel = compute(4672, 9)
    assert [(b.L, b.M) for b in panel.named] == [point[:2] for point in FIG3[4672]]
    assert panel.accuracy == tuple(point[2] for point in FIG3[4672])
    assert max(b.width for b in panel.blocks) == 84
    ax = Figure().add_subplot()
    draw(panel, ax)
    assert ax.get_xticklabels()[0].get_text() == "(1, 23)  4,784"
    right = ax.figure.axes[1]
    assert "CIFAR-100" in right.get_ylabel()
    assert "paper's own" in right.get_legend_handles_labels()[1][0]


@pytest.mark.parametrize(("T", "S"), [(4672, 25), (100_000, 1), (3_000_000, 9), (11, 9)])
def test_panel_of_another_budget_names_the_widest_block_and_no_accuracy(T: int, S: int) -> None:
    panel = compute(T, S)
    assert widest(T, S) in panel.named
    assert widest(T, S) in panel.blocks
    assert panel.accuracy == ()
    assert len(panel.blocks) <= 65
    figure = Figure()
    draw(panel, figure.add_subplot())
    assert len(figure.axes) == 1


def test_drawing_leaves_the_settings_of_matplotlib_alone() -> None:
    before = dict(mpl.rcParams)
    draw(compute(4672, 9), Figure().add_subplot())
    assert dict(mpl.rcParams) == before


def test_command_prints_both_tables_and_writes_both_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "folder"
    assert main(["--params", "4672", "300", "300", "--kernel-area", "9", "1", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "99.25" in printed
    assert "IGC-L24M2" in printed
    assert "S = 9: none" in printed
    assert (out / "width_optimum.png").read_bytes().startswith(b"\x89PNG")
    with open(out / "width_optimum.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["budget"], row["S"]) for row in rows] == [("4672", "9"), ("300", "9"), ("4672", "1"), ("300", "1")]
    assert (rows[0]["L"], rows[0]["M"], rows[0]["params"]) == ("28", "3", "4620")


def test_default_folder_is_studies_width_optimum_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--params", "300", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [row["S"] for row in data["optima"]] == [9, 25, 49]
    assert data["published"][0]["network"] == "IGC-L24M2"
    written = sorted(path.name for path in (tmp_path / "studies" / "width_optimum").iterdir())
    assert written == ["width_optimum.csv", "width_optimum.png"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        *[
            (["--kernel-area", area], "square of an odd number")
            for area in ["4", "15", "16", "0", "three", "9.0", "-9"]
        ],
        *[(["--params", budget], "positive whole number") for budget in ["0", "1e4"]],
        (["--params", "9"], "the smallest has 10"),
        (["--params", str(LARGEST_BUDGET + 1)], "too large"),
        (["--params", "300", "--out", "/dev/null/folder"], "Not a directory"),
    ],
)
def test_wrong_argument_gives_one_line_and_exit_status_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status: int | str | None = main(arguments)
    except SystemExit as stop:
        status = stop.code
    captured = capsys.readouterr()
    assert status == 2
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert said in captured.err
