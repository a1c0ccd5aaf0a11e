"""Studies beside each other: which may be compared, what is measured, and what a test may say."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings as profile
from hypothesis import strategies as st
from support.real_studies import NAMES, unpack

from igcnas.cli import main
from igcnas.errors import StudyError
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock
from igcnas.network.budget import macs_budget
from igcnas.network.grouping import Dense
from igcnas.results.comparison import Comparison, Method, by_settings, compare, given, panels
from igcnas.results.comparison.differences import searches_needed
from igcnas.results.comparison.figure import mean_curve, mean_front, save
from igcnas.results.comparison.progress import Scale, after, progress
from igcnas.results.comparison.search import first
from igcnas.results.comparison.table import comma_separated, markdown, plain, text, verdicts
from igcnas.search.objective import FRONT
from igcnas.search.records import TrialRecord
from igcnas.search.settings import StudySettings
from igcnas.search.study import Study
from igcnas.statistics import permutation
from igcnas.statistics.noise import Noise
from igcnas.statistics.pareto import hypervolume

DATA = Path(__file__).parent / "data" / "studies" / "gp-4"
SETTINGS = dataclasses.replace(StudySettings.read(DATA), seed=0)
STAGE = Stage(block=BasicBlock(grouping=Dense()), width=4, repeats=1)
NETWORK = Architecture(family="resnet", input_shape=(1, 8, 8), num_classes=10, stem_channels=4, stages=(STAGE,))
SCALE = Scale(objective=FRONT, budget=macs_budget(200_000), reference_cost=400_000.0, reference_accuracy=80.0)


def record(number: int, macs: int, accuracy: float | None, **other: Any) -> TrialRecord:
    values: dict[str, Any] = {"state": "failed" if accuracy is None else "complete", "seconds": 2.0, "device": "cpu"}
    values |= {"architecture": NETWORK, "params": 9, "target": macs, "baseline": None, "seed": 1, "epochs": 10}
    return TrialRecord(number=number, macs=macs, val_accuracy=accuracy, **(values | other))


def search(name: str, records: Sequence[TrialRecord], *, seed: int = 0, **other: Any) -> Study:
    """A search whose trainings ended one after the other, two seconds apart."""
    training = dataclasses.replace(SETTINGS.training, seed=seed, **other.pop("training", {}))
    data = dataclasses.replace(SETTINGS.data, **other.pop("data", {}))
    settings = dataclasses.replace(SETTINGS, seed=seed, training=training, data=data, **other)
    ended = {r.number: 2.0 * (place + 1) for place, r in enumerate(records) if r.state != "running"}
    made = Study(folder=Path(name), settings=settings, trials=(), records=tuple(records))
    vars(made)["ended"] = ended
    return made


def made(name: str, *, seed: int = 0, better: float = 0.0, count: int = 12, **other: Any) -> Study:
    """A made search: accuracy grows with MACs, with noise of its seed."""
    generator = random.Random(f"{seed}")
    macs = [generator.randrange(20_000, 200_000) for _ in range(count)]
    accuracies = [90 + 2 * math.log2(cost / 50_000) + generator.gauss(0, 0.5) + better for cost in macs]
    records = [record(i, cost, accuracy) for i, (cost, accuracy) in enumerate(zip(macs, accuracies, strict=True))]
    return search(name, records, seed=seed, **other)


def two_methods(seeds: int, better: float = 0.0, **other: Any) -> list[Method]:
    searches = [made(f"a-{seed}", seed=seed) for seed in range(seeds)]
    searches += [made(f"b-{seed}", seed=seed, better=better, sampler="random", **other) for seed in range(seeds)]
    return by_settings(searches)


def compared(methods: Sequence[Method], **other: Any) -> Comparison:
    (panel,) = panels(methods, apart=False)
    return compare(panel, **other)


# Which studies are one method


def test_studies_that_differ_in_their_seed_alone_are_repeats_of_one_method() -> None:
    searches = [made(f"x-{seed}", seed=seed) for seed in (3, 1)] + [made("y", seed=1, sampler="random")]
    methods = by_settings(searches)
    assert [[s.name for s in method.searches] for method in methods] == [["x-3", "x-1"], ["y"]]
    assert [method.name for method in methods] == ["gp", "y"]


def test_the_default_sampler_is_the_one_that_it_stands_for() -> None:
    assert len(by_settings([made("x", sampler="auto"), made("y", seed=1, sampler="gp")])) == 1


def test_methods_are_called_by_what_sets_them_apart() -> None:
    other = {"sampler": "tpe", "pruner": "halving", "min_epochs": 3}
    searches = [made(f"a-{s}", seed=s) for s in (0, 1)] + [made(f"b-{s}", seed=s, **other) for s in (0, 1)]
    assert [method.name for method in by_settings(searches)] == ["gp, pruner none", "tpe, pruner halving"]
    alone = [made(f"mine-{seed}", seed=seed) for seed in (0, 1)]
    assert [method.name for method in by_settings(alone)] == ["mine"]


def test_groups_of_the_user_come_first_and_must_exist() -> None:
    searches = [made("x", seed=0), made("y", seed=1), made("z", seed=2)]
    methods = given(searches, {"new": ["z"], "old": ["x", "y"]})
    assert [(m.name, [s.name for s in m.searches]) for m in methods] == [("new", ["z"]), ("old", ["x", "y"])]
    with pytest.raises(StudyError, match=r"unknown study in a group: 'zz'; did you mean 'z'\? known: x, y, z"):
        given(searches, {"new": ["zz"]})
    with pytest.raises(StudyError, match="'x' is in two groups"):
        given(searches, {"new": ["x"], "old": ["x"]})


# Which studies may be compared


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"data": {"fingerprint": "other"}}, "data.fingerprint: "),
        ({"training": {"epochs": 99}}, r"training.epochs: 10 -> 99"),
        ({"training": {"validation_fraction": 0.5}}, r"training.validation_fraction: 0.25 -> 0.5"),
        ({"objective": "accuracy"}, "objective: front -> accuracy"),
    ],
)
def test_studies_that_judge_networks_differently_are_refused_with_the_difference(
    change: dict[str, Any], named: str
) -> None:
    methods = by_settings([made("x"), made("y", **change)])
    with pytest.raises(StudyError, match=f"x and y judge networks differently .*{named}.*--apart") as caught:
        panels(methods, apart=False)
    assert "\n" not in str(caught.value)
    assert [[m.name for m in panel] for panel in panels(methods, apart=True)] == [["x"], ["y"]]


def test_a_single_search_with_validation_images_of_its_own_is_refused() -> None:
    methods = by_settings([made("x", seed=0), made("y", seed=1, sampler="random")])
    with pytest.raises(StudyError, match=r"x and y have other validation images \(seed: 0 -> 1\)"):
        panels(methods, apart=False)
    assert len(panels(methods, apart=True)) == 2


def test_repeated_searches_may_have_other_seeds_than_those_of_another_method() -> None:
    searches = [made(f"x-{s}", seed=s) for s in (0, 1)] + [made(f"y-{s}", seed=s, sampler="random") for s in (2, 3)]
    (found,) = panels(by_settings(searches), apart=False)
    assert not any(difference.paired for difference in compare(found).differences)


def test_engines_and_devices_are_told_and_not_refused() -> None:
    there = search("y", [record(0, 1000, 90.0, device="gpu")], training={"engine": "eager"}, sampler="random")
    found = compared(by_settings([made("x"), there]))
    assert any("several engines" in note for note in found.notes)
    assert any("several devices (cpu, gpu)" in note for note in found.notes)


def test_latency_is_compared_on_one_device_alone() -> None:
    values: dict[str, Any] = {"objective": "accuracy,latency"}
    methods = by_settings(
        [
            search("x", [record(0, 1000, 90.0, latency_ms=1.0)], **values),
            search("y", [record(0, 1000, 90.0, latency_ms=1.0, device="gpu")], sampler="tpe", **values),
        ]
    )
    with pytest.raises(StudyError, match="device: cpu -> gpu"):
        panels(methods, apart=False)


# What is measured


def test_hypervolume_over_networks_is_that_of_the_front_so_far() -> None:
    one = search("x", [record(0, 100_000, 90.0), record(1, 200_000, 92.0), record(2, 200_000, 91.0)])
    assert [(s.networks, s.seconds, s.busy, s.hypervolume) for s in progress(one, SCALE)] == [
        (1, 2.0, 2.0, 20.0),
        (2, 4.0, 4.0, 22.0),
        (3, 6.0, 6.0, 22.0),
    ]
    assert [after(progress(one, SCALE), count) for count in (0, 1, 2)] == [0.0, 20.0, 22.0]


def test_time_on_the_clock_counts_networks_at_once_and_pauses_once() -> None:
    one = search("x", [record(0, 100_000, 90.0), record(1, 100_000, 91.0), record(2, 100_000, 92.0)])
    at_once = dataclasses.replace(one)
    vars(at_once)["ended"] = {0: 2.0, 1: 3.0, 2: 100.0}
    assert [step.busy for step in progress(at_once, SCALE)] == [2.0, 3.0, 5.0]
    assert progress(at_once, SCALE)[-1].seconds == 6.0


def test_a_network_counts_with_the_mean_over_its_seeds_from_its_first_training_on() -> None:
    again = record(1, 100_000, 86.0, repeat=1, repeat_of=0)
    steps = progress(search("x", [record(0, 100_000, 90.0), again]), SCALE)
    assert [step.hypervolume for step in steps] == [16.0, 16.0]
    assert [step.networks for step in steps] == [1, 1]


def test_pruned_networks_count_as_networks_and_failed_or_running_ones_do_not() -> None:
    records = [record(0, 1000, 70.0, state="pruned"), record(1, 1000, None, seconds=None), record(2, 1000, 90.0)]
    records.append(record(3, 1000, None, state="running"))
    one = search("x", records)
    assert [step.networks for step in progress(one, SCALE)] == [1, 1, 2]
    assert one.running == 1
    assert [r.number for r in first(one, 1)] == [0]


networks_drawn = st.lists(
    st.tuples(st.integers(1_000, 300_000), st.floats(0, 100), st.sampled_from(("complete", "pruned", "failed"))),
    min_size=1,
    max_size=14,
)


@profile(max_examples=60)
@drawn(networks_drawn)
def test_hypervolume_never_falls_and_ends_at_that_of_all_networks(drawn_networks: list[tuple[int, float, str]]) -> None:
    records = [
        record(i, macs, None if state == "failed" else accuracy, state=state)
        for i, (macs, accuracy, state) in enumerate(drawn_networks)
    ]
    volumes = [step.hypervolume for step in progress(search("x", records), SCALE)]
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise([0.0, *volumes]))
    fitting = [r for r in records if r.state == "complete" and r.within(SCALE.budget)]
    whole = hypervolume(
        [r.macs for r in fitting],
        [r.val_accuracy or 0.0 for r in fitting],
        reference_macs=SCALE.reference_cost,
        reference_accuracy=SCALE.reference_accuracy,
    )
    assert volumes[-1] == pytest.approx(whole, abs=1e-9)


def test_networks_over_the_smallest_budget_are_left_out() -> None:
    small = search("x", [record(0, 90_000, 90.0)], budget_macs=100_000)
    large = search("y", [record(0, 90_000, 89.0), record(1, 150_000, 99.0)], sampler="random")
    found = compared(by_settings([small, large]), reference_accuracy=80.0)
    assert found.scale.budget == macs_budget(100_000)
    assert found.scale.reference_cost == 200_000
    assert [row.best.mean for row in found.rows] == [90.0, 89.0]
    assert found.rows[1].at_marks[-1] == 89.0
    assert any("Budgets differ (0.1 MFLOPs, 0.2 MFLOPs)" in note for note in found.notes)


def test_searches_of_several_lengths_are_tested_at_the_common_one() -> None:
    short = search("x", [record(0, 100_000, 90.0)])
    long = search("y", [record(0, 100_000, 89.0), record(1, 100_000, 95.0)], sampler="random")
    found = compared(by_settings([short, long]), reference_accuracy=80.0)
    assert found.common_networks == 1
    assert [row.hypervolume for row in found.rows] == [20.0, 30.0]
    assert [row.common_hypervolume for row in found.rows] == [20.0, 18.0]
    assert found.rows[1].common_best == pytest.approx(89.0, abs=0.2)
    assert found.rows[1].best.mean == 95.0
    assert any("first 1 network of each" in note for note in found.notes)


def test_the_reference_accuracy_is_one_that_all_reach_with_a_quarter_of_the_budget() -> None:
    first = search("x", [record(0, 50_000, 88.0), record(1, 10_000, 30.0)])
    second = search("y", [record(0, 40_000, 91.0)], sampler="random")
    assert compared(by_settings([first, second])).scale.reference_accuracy == 85.0
    assert compared(by_settings([first, second]), reference_accuracy=33.3).scale.reference_accuracy == 33.3


def test_a_search_that_still_runs_is_compared_as_it_is_and_told() -> None:
    running = search("y", [record(0, 1000, 90.0), record(1, 1000, None, state="running")], sampler="random")
    found = compared(by_settings([made("x"), running]))
    assert "Not at an end: y; what they hold so far is compared." in found.notes
    assert found.rows[1].running == 1


def test_a_search_without_a_network_that_counts_is_told() -> None:
    with pytest.raises(StudyError, match=r"'y' holds no trained network within 0\.2 MFLOPs"):
        compared(by_settings([made("x"), search("y", [record(0, 1000, None)], sampler="random")]))


# What a test may say


def test_the_methods_are_compared_in_pairs_of_one_seed() -> None:
    found = compared(two_methods(8, better=1.0))
    by_measure = {one.measure: one for one in found.differences}
    best = by_measure["best"]
    assert best.paired
    assert best.n == (8, 8)
    assert -1.1 < best.difference < -0.7
    assert best.p == best.least == 2 / 2**8
    assert best.p_holm == 2 * best.p
    assert best.verdict == "worse"
    assert best.high < 0
    assert (best.won, best.of) == (0.0, 8)
    assert by_measure["hypervolume"].verdict == "worse"


def test_pairs_are_of_one_seed_whatever_the_order() -> None:
    first, second = two_methods(8, better=0.2)
    turned = Method(name=second.name, searches=second.searches[::-1])
    assert compared([first, turned]).differences == compared([first, second]).differences


def test_identical_searches_show_no_difference() -> None:
    searches = [made(f"{name}-{seed}", seed=seed) for name in "ab" for seed in range(7)]
    groups = {name: [f"{name}-{seed}" for seed in range(7)] for name in "ab"}
    found = compared(given(searches, groups))
    for one in found.differences:
        assert (one.difference, one.p, one.p_holm, one.verdict) == (0.0, 1.0, 1.0, "undecided")
        assert one.won == one.of / 2


@pytest.mark.parametrize("seeds", [4, 8])
@pytest.mark.parametrize("shift", [0, 3], ids=["paired", "unpaired"])
def test_a_comparison_the_other_way_round_says_the_same(seeds: int, shift: int) -> None:
    first = [made(f"a-{seed}", seed=seed) for seed in range(seeds)]
    second = [made(f"b-{seed}", seed=seed + shift, better=0.3, sampler="random") for seed in range(seeds)]
    forward, backward = compared(by_settings(first + second)), compared(by_settings(second + first))
    assert forward.scale == backward.scale
    opposite = {"better": "worse", "worse": "better"}
    for one, other in zip(forward.differences, backward.differences, strict=True):
        assert one.paired == (shift == 0)
        assert one.difference == pytest.approx(-other.difference)
        assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
        assert one.p == pytest.approx(other.p)
        assert one.verdict == opposite.get(other.verdict, other.verdict)
        assert one.won == one.of - other.won


def test_five_seeds_can_show_nothing_and_say_how_many_could() -> None:
    found = compared(two_methods(5, better=3.0))
    assert {one.verdict for one in found.differences} == {"too few searches"}
    assert {one.least for one in found.differences} == {2 / 2**5}
    assert any("2 comparisons at a level of 0.05 need 7 searches" in line for line in verdicts(found))
    assert searches_needed(1) == 6
    six = compared(two_methods(6, better=3.0)).differences
    assert {(one.p, one.verdict) for one in six} == {(2 / 2**6, "too few searches")}
    assert {one.verdict for one in compared(two_methods(7, better=3.0)).differences} == {"worse"}


def test_with_one_search_each_the_best_networks_are_compared_and_no_method_is() -> None:
    first = [record(0, 90_000, 95.0), *(record(i, 90_000, 95.0 + i / 10, repeat=i, repeat_of=0) for i in (1, 2, 3))]
    second = [record(0, 90_000, 94.0), *(record(i, 90_000, 94.0 - i / 10, repeat=i, repeat_of=0) for i in (1, 2, 3))]
    found = compared(by_settings([search("x", first), search("y", second, sampler="random")]))
    assert found.differences == ()
    (two,) = found.bests
    images = SETTINGS.data.validation_images
    mine, theirs = [95, 95.1, 95.2, 95.3], [94, 93.9, 93.8, 93.7]
    assert two.difference == Noise.of([mine], images).difference(mine, theirs, Noise.of([theirs], images))
    assert two.seeds == (3, 3)
    said = " ".join(verdicts(found))
    assert "no test of the methods is possible" in said
    assert "x minus y is +1.30 points" in said
    alone = compared(by_settings([search("x", first[:1]), search("y", second[:1], sampler="random")]))
    assert "+1.00 points, 95 % interval -" in " ".join(verdicts(alone))
    assert "from the binomial error of the images alone: nothing was trained twice" in " ".join(verdicts(alone))


def test_repeats_of_one_method_are_no_comparison() -> None:
    found = compared(by_settings([made(f"a-{seed}", seed=seed) for seed in range(3)]))
    assert found.differences == found.bests == ()
    assert any("repeats of one method" in line for line in verdicts(found))
    assert not any("the same seed" in note for note in found.notes)
    again = compared(by_settings([made("a"), made("b")]))
    assert any("Several searches by a have the same seed" in note for note in again.notes)
    assert "nothing that it could be compared with" in verdicts(compared(by_settings([made("a")])))[0]


def test_permutation_tests_count_out_all_permutations() -> None:
    assert permutation.unpaired([1.0, 2.0, 3.0], [10.0, 11.0, 12.0]) == 2 / math.comb(6, 3)
    assert permutation.unpaired([1.0], [1.0]) == 1.0
    assert permutation.unpaired([5.0, 6.0, 7.0], [1.0]) == permutation.smallest_unpaired(3, 1) == 1 / 4
    assert permutation.paired([0.1] * 6) == permutation.smallest_paired(6) == 2 / 64
    with pytest.raises(ValueError, match="give at least one of each"):
        permutation.unpaired([], [1.0])


def test_where_permutations_are_too_many_drawn_ones_give_nearly_the_same_p() -> None:
    generator = np.random.default_rng(0)
    first, second = list(generator.normal(0.6, 1, 12)), list(generator.normal(0, 1, 12))
    from scipy.stats import permutation_test

    def apart(x: Any, y: Any, axis: int = -1) -> Any:
        return np.mean(x, axis=axis) - np.mean(y, axis=axis)

    whole = permutation_test((first, second), apart, n_resamples=20_000, rng=np.random.default_rng(1)).pvalue
    assert permutation.unpaired(first, second) == pytest.approx(whole, abs=0.02)
    apart_by_pair = [x - y for x, y in zip(first + second, second + first[::-1], strict=True)]
    assert permutation.paired(apart_by_pair[:16]) == pytest.approx(
        permutation.paired([*apart_by_pair[:16], 0.0]), abs=0.02
    )


@profile(max_examples=30)
@drawn(st.lists(st.integers(-50, 50).map(float), min_size=2, max_size=7), st.integers(-5, 5))
def test_p_values_are_probabilities_and_do_not_depend_on_unit_or_origin(values: list[float], shift: int) -> None:
    p = permutation.paired(values)
    assert permutation.smallest_paired(len(values)) <= p <= 1
    assert permutation.paired([value / 10 for value in values]) == p
    first, second = values[:1], values[1:]
    q = permutation.unpaired(first, second)
    assert permutation.smallest_unpaired(len(first), len(second)) <= q <= 1
    assert permutation.unpaired([v / 10 + shift for v in first], [v / 10 + shift for v in second]) == q
    assert permutation.unpaired(second, first) == q


# Tables and pictures


def test_tables_tell_every_search_and_json_holds_nothing_infinite() -> None:
    found = compared(two_methods(2))
    for page in (text(found), markdown(found)):
        assert all(row.study in page for row in found.rows)
        assert "too few searches" in page
    rows = list(csv.DictReader(comma_separated([found]).splitlines()))
    assert [float(row["hypervolume"]) for row in rows] == [row.hypervolume for row in found.rows]
    assert [float(row["best_expected"]) for row in rows] == [row.best.expected for row in found.rows]
    assert float(rows[0]["reference_accuracy"]) == found.scale.reference_accuracy
    single = compared(
        by_settings([search("x", [record(0, 1000, 90.0)]), search("y", [record(0, 1000, 91.0)], sampler="tpe")])
    )
    data = json.loads(json.dumps(plain(single), allow_nan=False))
    assert data["bests"][0]["difference"]["low"] < -1.0 < data["bests"][0]["difference"]["high"]


def test_the_mean_front_and_curve_are_means_over_searches() -> None:
    first = search("a-0", [record(0, 40_000, 90.0), record(1, 100_000, 94.0)])
    second = search("a-1", [record(0, 50_000, 80.0)], seed=1)
    found = compared(by_settings([first, second]))
    assert mean_front(found.curves, 200_000.0) == ([50_000, 100_000, 200_000.0], [85.0, 87.0, 87.0])
    means, intervals = mean_curve(found.curves, lambda step: step.networks, [0, 1])
    volumes = [curve.steps[0].hypervolume for curve in found.curves]
    assert means == [0.0, sum(volumes) / 2]
    assert intervals[1][0] < means[1] < intervals[1][1]


def test_a_picture_is_written_as_png_and_svg_without_a_warning(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    found = [compared(two_methods(3)), compared(by_settings([made("x"), made("y", sampler="tpe", better=1)]))]
    png, svg = save(tmp_path / "compare.png", found, title="made")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert svg.read_text().rstrip().endswith("</svg>")
    first = svg.read_bytes()
    assert save(tmp_path / "compare.png", found, title="made")[1].read_bytes() == first
    assert [str(w.message) for w in recwarn.list] == []


# The command


@pytest.fixture
def studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        unpack(tmp_path / "studies", name)
    return tmp_path / "studies"


def change(folder: Path, **values: Any) -> None:
    """Settings of a study as another search would have had them."""
    path = folder / "settings.json"
    data = json.loads(path.read_text())
    for key, value in values.items():
        part, _, name = key.rpartition("__")
        (data[part] if part else data)[name] = value
    path.write_text(json.dumps(data))


def test_the_command_writes_table_and_picture_of_real_studies(
    studies: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "gp-4", "studies/random-4"]) == 0
    out = capsys.readouterr().out
    assert "2 searches on digits, 10 epochs a training" in out
    assert "no test of the methods is possible" in out
    assert sorted(path.name for path in Path("comparison").iterdir()) == [
        "compare.csv",
        "compare.md",
        "compare.png",
        "compare.svg",
    ]
    assert main(["compare", "gp-4", "random-4", "--out", "else", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    rows = data["panels"][0]["rows"]
    assert [row["networks"] for row in rows] == [30, 30]
    assert [row["trainings"] for row in rows] == [40, 40]
    assert rows[0]["seconds"] == pytest.approx(37.264)
    assert rows[0]["busy"] < rows[0]["seconds"]  # two workers
    assert {Path(path).parent.name for path in data["files"]} == {"else"}


def test_studies_that_differ_are_refused_or_set_apart(studies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(studies / "random-4", training__epochs=15)
    assert main(["compare", "gp-4", "random-4"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "training.epochs: 10 -> 15" in err
    assert not Path("comparison").exists()
    assert main(["compare", "gp-4", "random-4", "--apart"]) == 0
    out = capsys.readouterr().out
    assert "no number of one says anything about another" in out
    assert " minus " not in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gp-4"], "only 'gp-4' is given; name two studies or more"),
        (["gp-4", "gp-5"], "unknown study 'gp-5'; did you mean 'gp-4'? known: gp-4, random-4"),
        (["gp-4", "studies/gp-4"], "study 'gp-4' is given twice"),
        (["gp-4", "random-4", "--group", "x"], "--group 'x' must be METHOD=NAME,NAME"),
        (["gp-4", "random-4", "--group", "x=gp-4", "--group", "x=random-4"], "--group 'x' is given twice"),
        (["gp-4", "random-4", "--reference", "100"], "--reference 100 must be an accuracy in percent"),
        (
            ["gp-4", "random-4", "--out", "studies/gp-4/settings.json"],
            "cannot make studies/gp-4/settings.json: File exists",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(
    studies: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["compare", *arguments]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1


def test_a_comparison_leaves_the_studies_as_they_were(studies: Path) -> None:
    before = {path: path.read_bytes() for path in studies.rglob("*") if path.is_file()}
    assert main(["compare", "gp-4", "random-4"]) == 0
    after_it = {path: path.read_bytes() for path in studies.rglob("*") if path.is_file()}
    assert {p for p in after_it if not p.name.endswith(".flock")} == set(before)
    assert all(after_it[path] == content for path, content in before.items())
