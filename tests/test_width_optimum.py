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

from analysis.width.figure_igcv1 import compute, draw, figure
from analysis.width.lattice import (
    FIG3,
    closed_form,
    corner_cases,
    formula,
    lattice_rows,
    optimum,
    share,
    wider_than_regular,
    width_bound,
)
from analysis.width.law import MOST_ROWS, Law, law_of, quadratic_of
from analysis.width.published import NETWORKS, Network, fig3_rows, network_law, network_row, stages, whole_networks
from analysis.width.subject import KINDS, Subject
from analysis.width_optimum import main
from igcnas.errors import ArchitectureError, BudgetError
from igcnas.network.cost import count
from igcnas.network.grouping import Interleaved
from igcnas.network.literature import igc, regconv
from igcnas.network.paths import path_counts, summarize

areas = st.sampled_from([1, 9, 25, 49])
partitions = st.integers(1, 60)


def weights(L: int, M: int, S: int) -> int:
    return int(formula(np.array([L]), np.array([M]), S)[0])


@given(partitions, partitions, areas)
def test_formula_equals_the_count_of_the_real_plan(L: int, M: int, S: int) -> None:
    assert weights(L, M, S) == Subject(S=S).count(L, M).params


@given(partitions, partitions, areas, st.integers(1, 40), st.integers(1, 40), st.integers(1, 3))
def test_macs_of_the_plan_are_the_parameters_for_each_position_of_the_output(
    L: int, M: int, S: int, height: int, width: int, stride: int
) -> None:
    subject = Subject(S=S, size=(height, width), stride=stride)
    cost = subject.count(L, M)
    assert cost.macs == cost.params * -(-height // stride) * -(-width // stride)
    assert cost.params == weights(L, M, S)
    assert (subject.macs.best_ratio, subject.params.best_ratio) == (S, S)


@given(partitions, partitions, areas)
def test_bound_is_met_exactly_where_L_is_M_times_S(L: int, M: int, S: int) -> None:
    T, G = Subject(S=S).count(L, M).params, L * M
    slack = T**2 - 4 * S * G**3  # in integers: the bound cubed, times a square
    assert slack >= 0
    assert (slack == 0) == (L == M * S)
    assert math.isclose(G, width_bound(T, S), rel_tol=1e-12) == (L == M * S)


@given(partitions, partitions, areas)
def test_norm_adds_two_for_each_channel_and_a_widening_block_has_half_the_inputs(L: int, M: int, S: int) -> None:
    assert Subject(kind="norm", S=S).count(L, M).params == weights(L, M, S) + 2 * L * M
    widening = Subject(kind="widening", S=S)
    assert widening.count(L, M).params == L * M * (2 * M) * S + (2 * M) * L * L
    assert widening.count_regular(L * M).params == 2 * (L * M) ** 2 * S


@given(st.integers(2, 5000), areas)
def test_no_point_of_the_lattice_passes_the_bound_or_the_budget(T: int, S: int) -> None:
    if T < S + 1:
        return
    L, M = Subject(S=S).params.lattice(T)
    assert formula(L, M, S).max() <= T
    assert (L * M).max() <= width_bound(T, S) * (1 + 1e-12)


@given(st.integers(1, 700), areas)
def test_lattice_and_widest_point_equal_a_search_by_brute_force(T: int, S: int) -> None:
    points = {(L, M): (-L * M, L * M * M * S + M * L * L, M) for L in range(1, 30) for M in range(1, 30)}
    inside = {point: rank for point, rank in points.items() if rank[1] <= T}
    if not inside:
        with pytest.raises(BudgetError):
            Subject(S=S).params.widest(T)
        return
    found_L, found_M = Subject(S=S).params.lattice(T)
    assert len(found_L) == len(set(inside))
    assert set(zip(found_L.tolist(), found_M.tolist(), strict=True)) == set(inside)
    assert min(inside, key=lambda point: inside[point]) == Subject(S=S).params.widest(T)


def test_of_equally_wide_blocks_the_one_with_the_fewest_weights_is_taken() -> None:
    assert weights(40, 5, 9) == 17000
    assert weights(50, 4, 9) == 17200
    assert Subject().params.widest(17536) == (40, 5)


def test_of_equally_wide_and_heavy_blocks_the_one_with_the_smallest_M_is_taken() -> None:
    assert weights(1, 2, 1) == weights(2, 1, 1) == 6
    assert Subject(S=1).params.widest(6) == (2, 1)


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
    blocks = {T: [row for row in fig3_rows() if row["network"] == f"T = {T:,}"] for T in FIG3}
    assert [b["params"] for b in blocks[4672]] == [4784, 4672, 4680, 4750, 4698, 4752, 4620, 4640, 4672]
    expected = [17468, 17422, 17776, 17280, 17402, 17480, 17836, 17630, 17472, 17510, 17536]
    assert [b["params"] for b in blocks[17536]] == expected
    assert [b["width"] for b in blocks[4672]] == [23, 32, 39, 50, 54, 72, 84, 80, 64]
    assert [b["width"] for b in blocks[17536]] == [44, 62, 88, 144, 154, 184, 196, 205, 192, 170, 128]
    assert [max(points, key=lambda p: p[2])[:2] for points in FIG3.values()] == [(40, 2), (85, 2)]


@pytest.mark.parametrize(
    ("T", "L", "M", "G", "regular"), [(4672, 27.60, 3.067, 84.64, 22.78), (17536, 42.89, 4.766, 204.42, 44.14)]
)
def test_optimum_of_the_budgets_of_figure_3(T: int, L: float, M: float, G: float, regular: float) -> None:
    row = optimum(Subject(), T)
    assert row["closed_L"] == pytest.approx(L, abs=5e-3)
    assert row["closed_M"] == pytest.approx(M, abs=5e-4)
    assert row["bound"] == pytest.approx(G, abs=5e-3)
    assert row["regular_width"] == pytest.approx(regular, abs=5e-3)
    assert row["macs"] == 1024 * int(row["params"])


def test_widest_point_of_figure_3_is_the_widest_of_all_only_where_it_keeps_the_budget() -> None:
    row = optimum(Subject(), 4672)
    assert (row["L"], row["M"], row["width"]) == (28, 3, 84)
    paper = Subject().count(41, 5)
    assert paper.params == 17630  # 205 wide; over 17536, hence over the bound 204.42 for 17536
    assert optimum(Subject(), 17536)["width"] == 200
    assert Subject().params.widest(17630) == (41, 5)


@pytest.mark.parametrize(
    ("name", "stage", "expected", "ratio"),
    [
        ("IGC-L24M2", "CIFAR, 1", 99.3, 1.33),
        ("IGC-L24M2", "CIFAR, 3", 90.9, 0.333),
        ("IGC-L4M32", "ImageNet, 1", 37.8, 0.014),
        ("IGC-L16M16", "ImageNet, 1", 71.1, 0.111),
        ("IGC-L100M2", "ImageNet, 1", 80.3, 5.56),
        ("IGC-L100M2", "ImageNet, 4", 44.2, 44.4),
        ("IGC-L450M2", "CIFAR, 1", 52.9, 25.0),
    ],
)
def test_published_stages_reach_the_known_share_of_the_bound(
    name: str, stage: str, expected: float, ratio: float
) -> None:
    (row,) = [row for row in stages() if (row["network"], row["stage"]) == (name, stage)]
    assert row["percent_of_bound"] == pytest.approx(expected, abs=0.05)
    assert row["L_over_MS"] == pytest.approx(ratio, rel=0.05)


def test_the_share_of_the_bound_depends_on_the_ratio_alone() -> None:
    rows = [*stages(), *fig3_rows()]
    assert len(rows) == 27 + 20
    for row in rows:
        assert row["percent_of_bound"] == pytest.approx(100 * share(float(row["L_over_MS"])), rel=1e-12)
    assert [row["wider"] for row in rows].count("no") == 2  # (1, 23) and (1, 44), both with L = 1


def test_blocks_of_the_literature_have_the_published_parameters() -> None:
    expected = {(24, 2): 2016, (24, 4): 5760, (24, 8): 18432, (4, 8): 2432, (4, 16): 9472, (4, 32): 37376}
    assert {point: Subject().count(*point).params for point in expected} == expected


@given(partitions, partitions, areas)
def test_wider_than_regular_agrees_with_the_widest_regular_convolution_that_fits(L: int, M: int, S: int) -> None:
    subject = Subject(S=S)
    T = subject.count(L, M).params
    regular = math.isqrt(T // S)
    assert subject.count_regular(regular).params <= T < subject.count_regular(regular + 1).params
    assert wider_than_regular(L, M, S) is bool(regular < L * M)
    assert wider_than_regular(L, M, S) is subject.wider_than_regular(L, M)
    if L > 1:
        assert wider_than_regular(L, M, S) == (Fraction(L, L - 1) < M * S)


@given(st.integers(2, 10**6), st.integers(1, 10**6), st.sampled_from([1, 2, 3, 4, 9, 25, 49]))
def test_the_corner_cases_of_the_condition_are_complete(L: int, M: int, S: int) -> None:
    # L / (L - 1) is above 1 and at most 2, so that M S >= 3 is always enough, 2 unless L = 2, and 1 never.
    corner = M * S == 1 or (M * S == 2 and L == 2)
    assert wider_than_regular(L, M, S) is not corner


@given(partitions, partitions, st.sampled_from(["block", "norm", "widening"]), areas)
def test_the_condition_is_the_same_with_norm_and_where_the_width_doubles(L: int, M: int, kind: str, S: int) -> None:
    subject = Subject(kind=kind, S=S)
    assert subject.wider_than_regular(L, M) is wider_than_regular(L, M, S)
    assert subject.wider_than_regular(L, M, "macs") is wider_than_regular(L, M, S)


def test_only_blocks_of_one_partition_are_no_wider_than_regular_with_a_3x3_kernel() -> None:
    assert not any(wider_than_regular(1, M, 9) for M in range(1, 100))
    assert corner_cases(9, up_to=40) == []
    assert corner_cases(1, up_to=4) == [(2, 1), (2, 2), (3, 1), (4, 1)]


def test_frontier_is_the_largest_L_for_each_M() -> None:
    for T, S in [(4672, 9), (17536, 9), (17536, 25), (10, 9)]:
        largest, every = Subject(S=S).params.frontier(T)
        assert every.tolist() == list(range(1, len(every) + 1))
        for M, L in enumerate(largest.tolist(), start=1):
            assert weights(L, M, S) <= T < weights(L + 1, M, S)
        assert weights(1, len(every) + 1, S) > T


def test_sympy_derives_the_law_with_norm_stem_and_classifier() -> None:
    L, M, G, p, q, r, c = sympy.symbols("L M G p q r c", positive=True)
    cost = p * L * M**2 + q * M * L**2 + r * L * M + c
    at_width = cost.subs(L, G / M)
    (best_M,) = sympy.solve(sympy.diff(at_width, M), M)
    assert sympy.simplify((G / best_M) / best_M - p / q) == 0  # L / M = p / q, whatever r and c
    least = 2 * sympy.sqrt(p * q) * G ** sympy.Rational(3, 2) + r * G + c
    assert sympy.simplify(at_width.subs(M, best_M) - least) == 0
    law = Law(primary=1044, secondary=42, linear=153, constant=10)
    values = {p: 1044, q: 42, r: 153, c: 10}
    assert float(least.subs(values | {G: 50})) == pytest.approx(law.least(50), rel=1e-12)


@given(
    *[st.integers(1, 40)] * 4,
    *[st.integers(0, 9)] * 2,
    st.integers(1, 2),
    st.integers(0, 20_000),
)
def test_no_integer_point_of_any_law_passes_its_bound_and_equality_is_at_the_best_ratio(
    L: int, m: int, p: int, q: int, r: int, c: int, step: int, spare: int
) -> None:
    law = Law(primary=p, secondary=q, linear=r, constant=c, step=step)
    M = m * step
    T = law.cost(L, M)
    assert law.bound(T) * (1 + 1e-9) >= L * M
    assert law.width_at(T, L / M / law.best_ratio) == pytest.approx(L * M, rel=1e-9)
    assert math.isclose(law.bound(T), L * M, rel_tol=1e-10) == (q * L == p * m)
    best_L, best_M = law.widest(T + spare)
    assert best_L * best_M >= L * M
    assert law.cost(best_L, best_M) <= T + spare
    real_L, real_M = law.closed_form(T)
    assert real_L * real_M == pytest.approx(law.bound(T), rel=1e-9)
    assert law.least(law.bound(T)) == pytest.approx(T, rel=1e-9)


@pytest.mark.parametrize("kind", list(KINDS))
@given(L=st.integers(1, 12), M=st.integers(1, 12), S=areas, depth=st.sampled_from([8, 20, 38]))
def test_the_laws_are_the_counts_of_the_real_plan(kind: str, L: int, M: int, S: int, depth: int) -> None:
    subject = Subject(kind=kind, S=9 if kind == "network" else S, depth=depth)
    cost = subject.count(L, M)
    assert (subject.params.cost(L, M), subject.macs.cost(L, M)) == (cost.params, cost.macs)
    regular = subject.count_regular(L * M)
    assert (subject.regular_params.cost(L * M), subject.regular_macs.cost(L * M)) == (regular.params, regular.macs)


def test_a_count_that_is_no_polynomial_is_refused() -> None:
    with pytest.raises(ValueError, match="no polynomial"):
        law_of(lambda L, M: 9 * L * M * M + M * L * L + (L == 5))
    with pytest.raises(ValueError, match="no quadratic"):
        quadratic_of(lambda width: width**3)


def test_a_block_has_one_optimum_in_parameters_and_macs_and_a_network_has_two() -> None:
    for kind in ("block", "norm", "widening"):
        for stride in (1, 2):
            subject = Subject(kind=kind, stride=stride)
            assert (subject.params.best_ratio, subject.macs.best_ratio) == (9, 9)
    network = Subject(kind="network", depth=20)
    # B = 6 blocks a stage, widths 1, 2, 4, positions 1, 1/4, 1/16; the first block of a stage has half the inputs.
    assert network.params.best_ratio / 9 == pytest.approx((21 * 6 - 10) / (7 * 6))
    assert network.macs.best_ratio / 9 == pytest.approx((3 * 6 - 1) / (1.75 * 6))
    assert network.params.widest(155_962) == (48, 1)
    assert network.macs.widest(28_755_840) == (24, 2)


def test_the_limits_of_the_best_ratio_for_deep_networks_are_3_and_12_over_7() -> None:
    B = sympy.symbols("B", positive=True)
    for ratio, limit in [((21 * B - 10) / (7 * B), 3), ((3 * B - 1) / (7 * B / 4), sympy.Rational(12, 7))]:
        assert sympy.limit(ratio, B, sympy.oo) == limit
        deep = Subject(kind="network", depth=2 + 3 * 200)
        unit = deep.params if limit == 3 else deep.macs
        assert unit.best_ratio / 9 == pytest.approx(float(ratio.subs(B, 200)), rel=1e-12)


def test_the_published_networks_are_those_of_the_literature() -> None:
    costs = {network: network.count() for network in NETWORKS}
    assert len(costs) == 28
    assert costs[Network(L=24, M=2, depth=20)].params == 155_962
    assert costs[Network(L=24, M=2, depth=38, residual=True)].params == 318_778
    large = Network(L=100, M=2, depth=18, residual=True, dataset="imagenet", doubles="L")
    assert costs[large][:2] == (1_264_780_800, 8_637_900)
    assert costs[Network(L=4, M=32, depth=18, residual=True, dataset="imagenet")].macs == 1_944_641_536


@pytest.mark.parametrize("network", [NETWORKS[2], NETWORKS[14], NETWORKS[-3], NETWORKS[-1]], ids=lambda n: n.name)
@pytest.mark.parametrize("unit", ["params", "macs"])
def test_the_law_of_a_published_network_counts_others_of_its_kind(network: Network, unit: str) -> None:
    law = network_law(network, unit)
    for L, M in [(3, 2), (10, 4), (7, 6)]:
        cost = Network(
            L=L,
            M=M,
            depth=network.depth,
            residual=network.residual,
            dataset=network.dataset,
            doubles=network.doubles,
        ).count()
        assert law.cost(L, M) == (cost.params if unit == "params" else cost.macs)


def test_no_network_of_its_depth_and_macs_is_wider_than_igc_l24m2() -> None:
    for network in NETWORKS[:10]:
        row = network_row(network, "macs")
        assert (row["widest"], row["widest_width"]) == ("L24M2", 48)
        assert float(row["percent_of_bound"]) > 99.5
    rows = {str(row["network"]): row for row in whole_networks("params")}
    assert rows["IGC-L24M2 D=20"]["widest_width"] == 48
    assert rows["IGC-L4M8 D=20"]["percent_of_bound"] == pytest.approx(43.28, abs=0.005)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.name)
def test_no_published_network_is_wider_than_the_widest_of_its_cost(network: Network) -> None:
    for unit in ("params", "macs"):
        row = network_row(network, unit)
        assert int(row["width"]) <= int(row["widest_width"]) <= float(row["bound"])


@given(st.integers(1, 400), areas)
def test_every_widest_block_has_exactly_one_path_for_each_pair(extra: int, S: int) -> None:
    L, M = Subject(S=S).params.widest(S + extra)
    layers = Interleaved(L=L, M=M).layers("conv", L * M, L * M, math.isqrt(S), 1, (8, 8))
    paths = summarize(path_counts(layers, L * M))
    assert (paths.fewest, paths.most) == (1, 1)


def test_the_rows_of_a_lattice_are_all_points_with_their_costs() -> None:
    rows = list(lattice_rows(Subject(stride=2), 300 * 256, "macs"))
    expected = {(L, M) for L in range(1, 40) for M in range(1, 10) if weights(L, M, 9) <= 300}
    assert {(row["L"], row["M"]) for row in rows} == expected
    assert len(rows) == len(expected)
    for row in rows:
        L, M = int(row["L"]), int(row["M"])
        assert (row["params"], row["macs"]) == (weights(L, M, 9), 256 * weights(L, M, 9))
        assert (row["wider"] == "yes") is wider_than_regular(L, M, 9)
        assert row["percent_of_own_bound"] == pytest.approx(100 * share(L / (9 * M)), rel=1e-12)
    assert max(int(row["width"]) for row in rows) == optimum(Subject(), 300)["width"]


def test_a_budget_too_large_to_enumerate_is_refused() -> None:
    with pytest.raises(BudgetError, match=r"values of M, at most 1,000,000"):
        Law(primary=9, secondary=1).frontier(9 * (MOST_ROWS + 2) ** 2)
    with pytest.raises(BudgetError, match=r"\(L, M\), at most 25,000,000"):
        Law(primary=9, secondary=1).lattice(10**11)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kind": "stage"}, "kind must be one of"),
        ({"kind": "network", "S": 25}, "kernel area 9"),
        ({"kind": "network", "stride": 2}, "strides of their own"),
        ({"kind": "network", "size": (32, 16)}, "square"),
        ({"kind": "network", "size": (2, 2)}, "4x4 or more"),
    ],
)
def test_what_cannot_be_counted_is_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(ArchitectureError, match=said):
        Subject(**values)  # type: ignore[arg-type]


def test_networks_of_the_subject_are_those_of_the_literature() -> None:
    subject = Subject(kind="network", depth=8, size=(16, 16))
    assert subject.count(3, 2) == count(igc(L=3, M=2, depth=8, size=16))
    assert subject.count_regular(6) == count(regconv(width=6, depth=8, size=16))


def test_panel_of_a_paper_budget_shows_the_papers_points_and_their_accuracy() -> None:
    panel = compute(Subject(), 4672)
    assert panel.named == FIG3[4672]
    assert max(panel.front_widths) == max(panel.widths) == 84
    assert len(panel.widths) == len(Subject().params.lattice(4672)[0])
    page = figure([panel], columns=1)
    above, below = page.axes
    assert "CIFAR-100" in below.get_ylabel()
    (line,) = below.get_lines()[1:] if len(below.get_lines()) > 1 else below.get_lines()
    assert list(line.get_ydata()) == [point[2] for point in FIG3[4672]]
    named = {text.get_text() for text in above.texts}
    assert {f"({L}, {M})" for L, M, _ in FIG3[4672]} <= named


@pytest.mark.parametrize(
    ("subject", "budget", "unit"),
    [
        (Subject(S=25), 4672, "params"),
        (Subject(S=1), 100_000, "params"),
        (Subject(), 3_000_000, "params"),
        (Subject(), 11, "params"),
        (Subject(stride=2), 4672 * 1024, "macs"),
        (Subject(kind="norm"), 4672, "params"),
        (Subject(kind="network"), 155_962, "params"),
    ],
)
def test_panel_of_another_budget_names_the_widest_block_and_no_accuracy(
    subject: Subject, budget: int, unit: str
) -> None:
    panel = compute(subject, budget, unit)
    L, M = panel.widest
    assert panel.named == ()
    assert max(panel.front_widths) <= panel.bound * (1 + 1e-12)
    assert len(panel.widths) <= 20_000
    assert len(panel.front_widths) <= max(200, len(subject.law(unit).frontier(budget)[0]) if panel.widths else 0)
    page = figure([panel], columns=1)
    assert len(page.axes) == 1
    assert f"({L}, {M})" in {text.get_text() for text in page.axes[0].texts}


def test_drawing_leaves_the_settings_of_matplotlib_alone() -> None:
    before = dict(mpl.rcParams)
    draw(compute(Subject(), 4672), Figure().add_subplot())
    assert dict(mpl.rcParams) == before


def test_command_prints_both_tables_and_writes_both_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "folder"
    assert main(["--params", "4672", "300", "300", "--kernel-area", "9", "1", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "99.25" in printed
    assert "IGC-L24M2" in printed
    assert "S = 9: none" in printed
    assert (out / "width_optimum.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (out / "width_optimum.svg").read_text()
    assert not (out / "width_optimum_lattice.csv").exists()
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
    assert [row["unit"] for row in data["networks"]].count("macs") == len(NETWORKS)
    assert len(data["fig3"]) == 20
    written = sorted(path.name for path in (tmp_path / "studies" / "width_optimum").iterdir())
    assert written == ["width_optimum.csv", "width_optimum.png", "width_optimum.svg"]


def test_budgets_in_macs_are_of_the_map_and_the_stride(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = ["--map", "16x8", "--stride", "2", "--kernel-area", "9", "--json", "--out", str(tmp_path)]
    assert main(["--macs", str(4672 * 32), *size]) == 0
    (row,) = json.loads(capsys.readouterr().out)["optima"]
    assert (row["L"], row["M"], row["unit"], row["macs"]) == (28, 3, "macs", 4620 * 32)
    assert row["bound"] == pytest.approx(84.64, abs=5e-3)


def test_the_whole_lattice_is_written_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--params", "300", "--macs", "307200", "--kernel-area", "9", "--csv", "--out", str(tmp_path)]) == 0
    assert "width_optimum_lattice.csv" in capsys.readouterr().out
    with open(tmp_path / "width_optimum_lattice.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    points = [(row["L"], row["M"]) for row in rows]
    assert points[: len(points) // 2] == points[len(points) // 2 :]  # 300 weights are 307200 MACs
    assert {row["unit"] for row in rows} == {"params", "macs"}
    assert len(set(points)) == len(Subject().params.lattice(300)[0])
    assert {"width", "params", "macs", "percent_of_bound", "L_over_MS", "wider"} <= set(rows[0])


def test_a_whole_network_can_be_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--of", "network", "--depth", "20", "--macs", "28755840", "--json", "--out", str(tmp_path)]
    assert main(options) == 0
    (row,) = json.loads(capsys.readouterr().out)["optima"]
    assert (row["L"], row["M"], row["params"], row["macs"]) == (24, 2, 155_962, 28_755_840)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        *[
            (["--kernel-area", area], "square of an odd number")
            for area in ["4", "15", "16", "0", "three", "9.0", "-9"]
        ],
        *[(["--params", budget], "positive whole number") for budget in ["0", "1e4"]],
        *[(["--macs", budget], "positive whole number") for budget in ["0", "1e4"]],
        *[(["--map", size], "HEIGHTxWIDTH") for size in ["32", "0x4", "4x0", "ax4", "32x32x3"]],
        (["--block", "igcv4"], "invalid choice: 'igcv4'"),
        (["--params", "9"], "the smallest costs 10"),
        (["--params", str(10**14)], "too large"),
        (["--of", "network", "--kernel-area", "25"], "kernel area 9"),
        (["--of", "network", "--depth", "21"], "depth must be 2 plus a multiple of 3"),
        (["--block", "igcv2", "--params", "8", "--kernel-area", "9"], "the smallest has 9"),
        (["--block", "igcv2", "--params", str(10**9)], "too many to enumerate"),
        (["--block", "igcv2", "--params", "200000", "--kernel-area", "9", "--csv"], "too large to list"),
        (["--block", "igcv3", "--params", "10"], "one channel alone costs 11"),
        (["--block", "igcv3", "--params", str(10**9)], "too large to enumerate"),
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
