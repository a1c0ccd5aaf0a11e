"""What a report says: numbers of each part against their definitions, and words that follow from them."""

from __future__ import annotations

import dataclasses
import json
import math
import random
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.searches import BUDGET, DATA, SMALL, Quiet
from support.studies import network as small_network

from igcnas.cli import main, parser
from igcnas.cli.search_options import study_settings
from igcnas.data.loading import load_dataset
from igcnas.drawing.figures import page_svg, save, svg_of
from igcnas.errors import StudyError
from igcnas.network.architecture import Architecture
from igcnas.network.budget import macs_budget
from igcnas.network.cost import count
from igcnas.network.grouping import Dense, Interleaved
from igcnas.results.audit.reading import read_audit
from igcnas.results.audit.result import ALL, compute
from igcnas.results.audit.rows import BASELINES, Row
from igcnas.results.audit.table import networks as table_of
from igcnas.results.figures import compute_front
from igcnas.results.report import compose
from igcnas.results.report.composing import composition
from igcnas.results.report.figure import Drawing
from igcnas.results.report.numbers import Numbers, importance, measure
from igcnas.results.report.numbers.baselines import compare_baselines
from igcnas.results.report.numbers.checks import checks_of
from igcnas.results.report.numbers.history import history_of
from igcnas.results.report.numbers.importance import importance_of
from igcnas.results.report.numbers.networks import facts_of, front_section
from igcnas.results.report.numbers.provenance import command_of, fingerprint, structures
from igcnas.results.report.numbers.random_search import (
    LEAST,
    RANDOM,
    RandomSearch,
    against,
    compare_random,
    expected_maximum,
    score_searched,
)
from igcnas.results.report.numbers.spending import PURPOSES, open_seconds, purpose_of, spending_of
from igcnas.results.report.numbers.verdict import CLEAR, Candidate, State, Verdict, state_of, verdict_of
from igcnas.results.report.sections.baselines import baselines_sentence
from igcnas.results.report.sections.random_search import (
    draw_random_search,
    random_search_drawings,
    random_search_section,
)
from igcnas.results.report.sections.spending import spending_section
from igcnas.results.report.sections.summary import candidates_sections, verdict_words
from igcnas.results.report.words import tied
from igcnas.search.controller import Search
from igcnas.search.evaluation import InTurn, OnEpoch, Outcome
from igcnas.search.folder import guard_settings, open_study
from igcnas.search.objective import FRONT, OBJECTIVES, CostAxis
from igcnas.search.observing import observed
from igcnas.search.proposals import Judge
from igcnas.search.records import TrialRecord, champions, networks
from igcnas.search.settings import StudySettings
from igcnas.search.space import known_spaces, load_space
from igcnas.search.storage import lock_study
from igcnas.search.study import Study
from igcnas.statistics.pareto import hypervolume
from igcnas.training.reports import EpochReport
from igcnas.training.settings import TrainingSettings

pytestmark = pytest.mark.usefixtures("forked_workers")

EPOCHS = 9
IMAGES = DATA.validation_images
RIGHT = 100 / IMAGES


class Learning:
    """A stand-in for training: quality by the id and the seed; some fail, some come out over the budget."""

    def __init__(self) -> None:
        self.begun = 0
        self.over = False

    def __call__(self, architecture: Architecture, folder: Path, on_epoch: OnEpoch, repeat: int = 0) -> Outcome:
        self.begun += 1
        if self.begun == 12:
            return Outcome(reason="the loss is not finite")
        cost = count(architecture)
        draws = random.Random(f"{architecture.id}/{repeat}")
        final = 84 + 12 * int(architecture.id[:4], 16) / 65535 + 2 * draws.random()
        curve: list[list[float]] = []
        for epoch in range(1, EPOCHS + 1):
            curve.append([epoch, 1.0, round(final * epoch / EPOCHS / RIGHT) * RIGHT])
            ends = on_epoch(EpochReport(epoch=epoch, train_loss=1.0, val_accuracy=curve[-1][2]))
            if ends and epoch < EPOCHS:
                break
        results = {"val_accuracy": curve[-1][2], "seconds": 0.5 * len(curve), "device": "stand-in", "curve": curve}
        if len(curve) < EPOCHS:
            return Outcome(results=results, pruned=True)
        over = self.begun > 4 and not self.over
        self.over = self.over or over
        results |= {"measured_macs": BUDGET + 1 if over else cost.macs, "measured_params": cost.params}
        results |= {"peak_memory_mb": float(self.begun), "latency_ms": None, "latency_iqr_ms": None}
        return Outcome(results=results)


def settings_of(**other: Any) -> StudySettings:
    values: dict[str, Any] = {"objective": "front", "sampler": "gp", "baselines": True, "seed": 0}
    values |= {"pruner": "halving", "min_epochs": 3, "budget_macs": BUDGET, "data": DATA}
    values |= {"space": SMALL.to_dict(), "space_path": "small", "training": TrainingSettings(epochs=EPOCHS)}
    return StudySettings(**(values | other))


def made(folder: Path, number: int, **other: Any) -> Path:
    """A real study on disk of so many networks, with a few repeats."""
    chosen = settings_of(**other)
    folder.mkdir(parents=True)
    guard_settings(folder, chosen)
    study = open_study(folder, create_for=chosen)
    Search(study, folder, SMALL, chosen, InTurn(Learning()), Quiet()).run(number, seeds=4, repeats=8)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("root") / "studies" / "s", 28)


@pytest.fixture(scope="module")
def source(folder: Path) -> Study:
    return Study.read(folder)


@pytest.fixture(scope="module")
def numbers(source: Study) -> Numbers:
    return measure(source, importance=False)


# Hand-made studies


def record(number: int, macs: int, accuracy: float | None, **other: Any) -> TrialRecord:
    values: dict[str, Any] = {"architecture": small_network(Interleaved(L=2, M=2)), "baseline": None}
    values |= {"state": "failed" if accuracy is None else "complete", "params": 9, "target": macs, "seed": 1}
    values |= {"epochs": 2, "canonical_id": str(number)}
    return TrialRecord(number=number, macs=macs, val_accuracy=accuracy, **(values | other))


def source_of(every: Sequence[TrialRecord], **other: Any) -> Study:
    """A source of these records, without a folder: trainings follow each other, a second each."""
    start = datetime(2026, 1, 1)
    at = {one.number: start + timedelta(seconds=place) for place, one in enumerate(every)}
    made = Study(
        folder=Path("studies/made"),
        settings=settings_of(**{"pruner": "none", "min_epochs": 0} | other),
        trials=(),
        records=every,
    )
    vars(made)["parameters"] = {one.number: {} for one in every}
    vars(made)["times"] = {number: (begun, begun + timedelta(seconds=1)) for number, begun in at.items()}
    return made


def repeated(first: TrialRecord, *accuracies: float, number: int) -> list[TrialRecord]:
    return [
        dataclasses.replace(
            first, number=number + place, val_accuracy=accuracy, repeat=1 + place, repeat_of=first.number
        )
        for place, accuracy in enumerate(accuracies)
    ]


# State and verdict


def test_counts_are_those_of_igcnas_status(folder, numbers, capsys):
    assert main(["status", str(folder), "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    state = numbers.state
    names = ("trained", "pruned", "failed", "running", "repeats", "over_budget")
    assert {name: getattr(state, name) for name in names} == {name: status[name] for name in names}
    assert min(state.pruned, state.failed, state.repeats, state.over_budget) > 0  # else this shows little
    assert state.networks == state.trained + state.pruned == 28
    standing = status["standing"]
    assert numbers.verdict.first.number == standing["first"]["number"]
    assert [one.number for one in numbers.verdict.others] == [one["number"] for one in standing["runners_up"]]
    assert numbers.verdict.first.probability == standing["first"]["probability"]
    assert [one.number for one in numbers.networks if one.on_front] == sorted(one["number"] for one in status["front"])


def candidate(probability: float, *, sd: float | None = 0.3) -> Candidate:
    return Candidate(
        number=7,
        name="",
        label="igcv3",
        cost=0.1,
        costs="0.1 MFLOPs",
        macs=100_000,
        mean=97.0,
        sd=sd,
        n=1 if sd is None else 3,
        expected=96.9,
        uncertainty=0.2,
        probability=probability,
    )


def verdict_at(probability: float, others: int = 1) -> Verdict:
    rest = tuple(candidate((1 - probability) / max(1, others)) for _ in range(others))
    return Verdict(
        first=candidate(probability),
        others=rest,
        contenders=20,
        trainings=25,
        optimism=0.5,
        typical_optimism=0.4,
        seed_sd=0.3,
    )


def state(**other: int) -> State:
    values = dict.fromkeys(("networks", "trained", "pruned", "failed", "running", "repeats", "over_budget"), 0)
    return State(**(values | {"trained": 20, "networks": 20} | other), in_use=False)


@given(st.floats(0.05, 1.0))
def test_the_verdict_claims_a_best_network_only_where_it_is_probable_enough(probability):
    words = verdict_words(verdict_at(probability), state())
    settled = words.startswith("The best network is network 7")
    assert settled == (probability >= CLEAR)
    assert ("this is settled" in words) == settled
    assert words.startswith("This study cannot tell") == (probability < 0.5)
    assert settled or "1 other may be the best, too" in words


def test_a_study_whose_networks_all_came_out_over_the_budget_has_no_result():
    every = [record(0, 100, 90.0, measured_macs=BUDGET + 1), record(1, 90, 80.0, measured_macs=BUDGET + 2)]
    found = source_of(every)
    assert verdict_of(found) is None
    assert verdict_words(None, state_of(found)).startswith("None of the 2 trained networks keeps the budget")
    assert not any(one.on_front for one in facts_of(found))


def test_what_was_left_unfinished_counts_as_stopped_unless_a_search_runs():
    every = [record(0, 100, 90.0), record(1, 90, None, state="running")]
    found = source_of(every)
    assert (state_of(found).running, state_of(found).stopped) == (1, 1)
    assert state_of(dataclasses.replace(found, in_use=True)).stopped == 0


def test_a_search_that_holds_the_lock_is_running(folder):
    assert not Study.read(folder).in_use
    with lock_study(folder):
        assert Study.read(folder).in_use
        assert "A search is running now" in compose_text(folder)
    assert not Study.read(folder).in_use


def compose_text(folder: Path) -> str:
    return " ".join(composition(Study.read(folder), importance=False).report.summary.paragraphs)


# Networks and front


def test_networks_stand_where_the_figure_has_them(source, numbers):
    figure = compute_front(source.records, budget=macs_budget(BUDGET), validation_images=IMAGES)
    complete = [one for one in numbers.networks if one.state == "complete"]
    searched = [(one.cost, one.accuracy) for one in complete if one.kind == "searched"]
    assert sorted(searched) == sorted(point for points in figure.searched.values() for point in points)
    assert {one.block for one in complete if one.kind == "searched"} == figure.searched.keys()
    known = [(one.name, one.cost, one.accuracy) for one in complete if one.kind == "baseline"]
    assert known == figure.baselines
    assert [(one.cost, one.accuracy) for one in numbers.networks if one.state == "pruned"] == figure.pruned
    line = sorted((one for one in complete if one.on_front), key=lambda one: one.cost)
    assert [(one.cost, one.accuracy) for one in line] == figure.front
    assert [one.error for one in line] == figure.front_errors
    assert all(one.error is None for one in numbers.networks if not one.on_front)


def test_a_network_has_all_its_trainings_with_their_curves_and_seconds(source, numbers):
    trainings = {one.record.number: one for one in networks(source.records)}
    several = [one for one in numbers.networks if one.n > 1]
    assert several
    for one in several:
        assert one.accuracies == trainings[one.number].accuracies
        assert [curve[-1][2] for curve in one.curves] == pytest.approx(one.accuracies)
        assert one.seconds == pytest.approx(0.5 * EPOCHS * one.n)
    assert sum(len(one.curves) for one in numbers.networks) == sum(
        record.state in ("complete", "pruned") for record in source.records
    )


def test_choices_are_in_words_and_known_networks_have_none(numbers):
    searched = next(one for one in numbers.networks if one.kind == "searched")
    assert {"block type", "blocks in stage 1", "growth of the width from stage to stage"} <= searched.choices.keys()
    assert searched.choices["block type"] == searched.architecture.family
    assert all(one.choices == {} for one in numbers.networks if one.kind == "baseline")


def test_the_table_of_the_front_has_a_column_for_a_cost_of_its_own(monkeypatch):
    doubled = dataclasses.replace(
        FRONT,
        name="accuracy,doubled",
        axis=CostAxis(size=10, title="tens of doubles", unit="tens", equal="doubles"),
        measured=lambda record: 2.0 * record.final_macs,
    )
    monkeypatch.setitem(OBJECTIVES, "accuracy,doubled", doubled)
    every = [record(0, 100, 90.0), record(1, 60, 80.0)]
    source = source_of(every, objective="accuracy,doubled")
    [table] = front_section(source, facts_of(source)).tables
    assert [row["doubles tens"] for row in table.data()] == [12.0, 20.0]
    source = source_of(every)
    [table] = front_section(source, facts_of(source)).tables
    assert table.heads == ["network", "MFLOPs", "parameters", "accuracy %", "error", "n", "what it is"]


def test_a_network_without_a_latency_has_no_place_on_a_front_of_latencies():
    every = [record(0, 100, 90.0, latency_ms=1.5), record(1, 90, 80.0)]
    assert [(one.number, one.cost) for one in facts_of(source_of(every, objective="accuracy,latency"))] == [(0, 1.5)]


# Baselines


def known_study() -> list[TrialRecord]:
    big = record(0, 50_000, 95.0, baseline="ResNet-20")
    small = record(1, 1_000, 60.0, baseline="ResNet-20")
    cheap = record(2, 20_000, 95.0)
    lucky = record(3, 40_000, 98.0)
    over = record(4, 30_000, 99.9, measured_macs=BUDGET + 1)
    costly = record(5, 55_000, 99.0)
    return [big, small, cheap, lucky, over, costly, *repeated(lucky, 97.0, 96.0, number=6)]


def test_a_baseline_that_stands_twice_in_the_figure_has_its_cost_beside_its_name():
    figure = compute_front(known_study(), budget=macs_budget(BUDGET), validation_images=IMAGES)
    assert [name for name, _, _ in figure.baselines] == ["ResNet-20, 0.05 MFLOPs", "ResNet-20, 0.001 MFLOPs"]
    one = compute_front(known_study()[1:], budget=macs_budget(BUDGET), validation_images=IMAGES)
    assert [name for name, _, _ in one.baselines] == ["ResNet-20"]


def test_a_known_network_is_set_beside_the_best_searched_one_that_costs_no_more():
    big, small = compare_baselines(source_of(known_study()))
    assert (big.name, big.accuracy, big.macs, big.n) == ("ResNet-20", 95.0, 50_000, 1)
    assert big.rival is not None
    assert (big.rival.number, big.rival.accuracy, big.rival.n) == (3, 97.0, 3)
    assert big.rival.gap.difference == pytest.approx(2.0)
    assert big.rival.fewer_errors == pytest.approx(40.0)
    assert big.rival.further == pytest.approx(1.5)  # without the 98 that made it the first choice
    assert (big.reached_by, big.times) == (2, pytest.approx(2.5))
    assert small.rival is None  # nothing is as cheap
    assert (small.reached_by, small.times) == (2, pytest.approx(0.05))


def test_where_only_accuracy_counts_whatever_keeps_the_budget_is_a_rival():
    every = [record(0, 90, 70.0, baseline="ResNet-20"), record(1, 95, 90.0), record(2, 80, 60.0)]
    (front,) = compare_baselines(source_of(every))
    (alone,) = compare_baselines(source_of(every, objective="accuracy"))
    assert (front.rival.number, alone.rival.number) == (2, 1)
    words = baselines_sentence((front,), source_of(every))
    assert words.startswith("At equal or fewer MACs, the search has found no network that is shown to be better")
    assert "Still better than what the search has found: network 2 (60.00 %" in words
    words = baselines_sentence((alone,), source_of(every, objective="accuracy"))
    assert words.startswith("Within the budget, the search has found a better network than the one baseline")
    assert "network 1 (90.00 %) against ResNet-20 of 9e-05 MFLOPs (70.00 %) +20.00 points (+1" in words


def test_the_summary_says_what_was_won_against_each_known_network():
    """The best searched network beats all at its budget by far, and equals one that is far dearer."""
    known = [record(n, 10_000, 85.0 - n, baseline=f"Plain-{n}") for n in range(4)]
    dear = record(4, 50_000, 95.0, baseline="Dear")
    best = record(5, 10_000, 95.2)
    found = source_of([*known, dear, best])
    (words,) = [baselines_sentence(compare_baselines(found), found)]
    assert words.startswith(
        "At equal or fewer MACs, the search has found a better network than 4 of the 5 baselines that were "
        "trained alike: network 5 (95.20 %) against Plain-0 of 0.01 MFLOPs (85.00 %) +10.20 points (+"
    )
    assert re.search(r"\+10.20 points \(\+\S+ to \+\S+\); 3 more by \+11.20 to \+13.20 points\. ", words)
    assert (
        "Not told apart by these trainings: network 5 (95.20 %, 5.0 times cheaper) against Dear of 0.05 MFLOPs "
        "(95.00 %) +0.20 points (-"
    ) in words
    assert words.count("Plain") == 1
    assert words.endswith("for one pair at a time; all baselines are under “Against baselines”.")
    assert [one.verdict for one in compare_baselines(found)] == ["open", "beaten", "beaten", "beaten", "beaten"]


def test_of_many_known_networks_the_rest_is_told_by_its_range():
    known = [record(n, 10_000, 80.0 - n, baseline=f"Plain-{n}") for n in range(9)]
    found = source_of([*known, record(9, 9_000, 95.0)])
    words = baselines_sentence(compare_baselines(found), found)
    assert words.startswith(
        "At equal or fewer MACs, the search has found a better network than each of the 9 baselines"
    )
    assert words.count("against Plain-") == 2
    assert "7 more by +17.00 to +23.00 points" in words


def test_of_each_kind_the_dearest_known_network_is_named_before_a_second_one():
    beaten = [record(n, 10_000, 80.0 - n, baseline=f"Plain-{n}") for n in range(3)]
    ahead = [record(3 + n, 20_000, 99.9, baseline=f"Great-{n}") for n in range(2)]
    found = source_of(
        [*beaten, *ahead, record(5, 9_000, 95.0), record(6, 500, 20.0), record(7, 400, 60.0, baseline="Tiny")]
    )
    words = baselines_sentence(compare_baselines(found), found)
    assert [words.count(f"against {name}") for name in ("Plain-0", "Plain-1", "Great-0", "Great-1", "Tiny")] == [
        1,
        0,
        1,
        0,
        0,
    ]
    assert "Nothing as cheap was searched as 1 further baseline" in words


@pytest.mark.parametrize(
    ("optimism", "said"),
    [
        (1.2, "here it overstates its network by 1.20 points (0.50 would be usual)"),
        (-0.001, "here it overstates its network by 0.00 points (0.50 would be usual)"),
        (-1.2, "here it does not, and is 1.20 points below what its network is expected to average to (0.50 above"),
    ],
)
def test_how_far_the_best_training_flatters_is_said_without_a_sign(source, optimism, said):
    verdict = dataclasses.replace(verdict_of(source), optimism=optimism, typical_optimism=0.5)
    sections = candidates_sections(source, verdict, state_of(source))
    assert said in sections[0].paragraphs[0]


def test_a_known_network_that_nothing_searched_is_as_cheap_as_is_named():
    found = source_of(
        [record(0, 1_000, 60.0, baseline="Tiny"), record(1, 9_000, 50.0, baseline="Low"), record(2, 9_000, 90.0)]
    )
    assert "Nothing as cheap was searched as Tiny (0.001 MFLOPs)" in baselines_sentence(compare_baselines(found), found)
    assert baselines_sentence((), found) == ""


def test_nothing_reaches_a_known_network_that_is_better_than_all():
    found = compare_baselines(source_of([record(0, 100, 99.0, baseline="ResNet-20"), record(1, 90, 80.0)]))
    assert (found[0].reached_by, found[0].times) == (None, None)
    assert found[0].rival is not None
    assert found[0].rival.fewer_errors == pytest.approx(-1900.0)


# Random draws


def test_random_networks_are_those_whose_record_says_so(source, numbers):
    scored = {one.number: score for one, score in score_searched(source)}
    drawn = {one.number for one in source.records if one.origin == RANDOM and one.number in scored}
    found = numbers.random_search.comparison
    assert found is not None
    assert sorted(found.random.scores) == sorted(scored[number] for number in drawn)
    assert found.later.n == len(scored) - len(drawn)
    assert numbers.random_search.unknown == 0
    assert numbers.random_search.pruned == sum(one.state == "pruned" for one in source.records if one.searched)


def test_a_pruned_network_is_scored_beside_the_known_ones_at_its_epoch(source):
    judge = Judge.of(observed(source.records, source.parameters, FRONT), images=IMAGES)
    scored = {one.number: score for one, score in score_searched(source)}
    pruned = [one for one in source.records if one.state == "pruned"]
    assert pruned
    for one in pruned:
        early = judge.score(one.accuracies[-1], one.macs, epoch=one.pruned_at)
        assert scored[one.number] == pytest.approx(early)
        assert early != pytest.approx(judge.score(one.accuracies[-1], one.macs))


def test_a_study_of_before_says_that_it_does_not_know_and_one_at_random_has_nothing_to_compare(source):
    before = dataclasses.replace(source, records=[dataclasses.replace(one, origin="") for one in source.records])
    found = compare_random(before)
    assert (found.random, found.comparison) == (None, None)
    assert found.unknown == sum(
        one.searched and bool(one.accuracies) for one in source.records if one.state != "failed"
    )
    at_random = dataclasses.replace(before, settings=dataclasses.replace(source.settings, sampler="random"))
    found = compare_random(at_random)
    assert found.random is not None
    assert (found.unknown, found.later, found.comparison) == (0, 0, None)


@settings(max_examples=30)
@given(
    st.lists(st.floats(-3, 3), min_size=LEAST, max_size=12, unique=True),
    st.lists(st.floats(-3, 3), min_size=LEAST, max_size=12, unique=True),
)
def test_a_comparison_with_random_draws_is_by_its_definitions(random_scores, later_scores):
    found = against(list(enumerate(random_scores)), list(enumerate(later_scores, start=100)))
    pairs = [(later > drawn) + 0.5 * (later == drawn) for later in later_scores for drawn in random_scores]
    assert found.superiority == pytest.approx(sum(pairs) / len(pairs))
    assert found.difference == pytest.approx(np.mean(later_scores) - np.mean(random_scores))
    assert found.low <= found.difference <= found.high
    assert found.above == sum(score > max(random_scores) for score in later_scores)
    assert found.later.best == max(later_scores) == later_scores[found.later.best_number - 100]
    assert found.expected_best > found.random.mean


def test_of_equal_scores_nothing_is_shown():
    found = against([(n, 0.5) for n in range(3)], [(n, 0.5) for n in range(4)])
    assert (found.p, found.p_ranks, found.above) == (1.0, 1.0, 0)
    chance = RandomSearch(random=found.random, comparison=found, unknown=0, later=4, pruned=0)
    drawings = random_search_drawings(source_of([]), chance)
    section = random_search_section(source_of([]), chance, drawings)
    assert "interval: unknown" in section.paragraphs[1]
    shown = [*section.paragraphs, *(cell for table in section.tables for row in table.cells() for cell in row)]
    assert not any(word in " ".join(shown) for word in ("inf", "nan"))


@pytest.mark.parametrize("n", [2, 10, 100])
def test_the_expected_maximum_is_that_of_draws(n):
    draws = np.random.default_rng(0).normal(size=(20_000, n)).max(1)
    assert expected_maximum(n) == pytest.approx(draws.mean(), abs=4 * draws.std() / math.sqrt(len(draws)))


def test_a_search_that_is_better_than_random_draws_is_shown_to_be_and_one_that_is_not_is_not():
    draws = np.random.default_rng(1)
    drawn = list(enumerate(draws.normal(0.0, 0.5, 20)))
    better = against(drawn, list(enumerate(draws.normal(1.0, 0.5, 40))))
    alike = against(drawn, list(enumerate(draws.normal(0.0, 0.5, 40))))
    assert better.low > 0
    assert max(better.p, better.p_ranks) < 0.001
    assert alike.low < 0 < alike.high
    assert min(alike.p, alike.p_ranks) > 0.05


# Time


def test_the_history_ends_at_the_front_of_first_trainings(source, numbers):
    history = numbers.history
    firsts = [
        one for one in source.records if one.state == "complete" and one.repeat == 0 and one.within(macs_budget(BUDGET))
    ]
    last = history.moments[-1]
    assert last.networks == numbers.state.networks
    assert last.best == max(one.val_accuracy for one in firsts)
    assert history.reference_cost == pytest.approx(2 * BUDGET / 1e6)
    whole = hypervolume(
        [one.final_macs for one in firsts],
        [one.val_accuracy for one in firsts],
        reference_macs=2 * BUDGET,
        reference_accuracy=10.0,
    )
    assert last.hypervolume == pytest.approx(whole)
    for before, after in zip(history.moments, history.moments[1:], strict=False):
        assert (before.best or 0) <= (after.best or 0)
        assert (before.hypervolume or 0) <= (after.hypervolume or 0) + 1e-9
        assert before.seconds <= after.seconds


def test_the_last_gain_is_the_last_time_that_the_best_rose():
    every = [record(n, 1_000 + n, accuracy) for n, accuracy in enumerate((80.0, 85.0, 85.0, 84.0, 90.0, 90.0))]
    found = history_of(source_of(every))
    assert [moment.best for moment in found.moments] == [80.0, 85.0, 85.0, 85.0, 90.0, 90.0]
    assert found.last_gain is not None
    assert (found.last_gain.networks, found.last_gain.number) == (5, 4)
    all_at_budget = history_of(source_of(every, objective="accuracy"))
    assert (all_at_budget.reference_cost, all_at_budget.moments[-1].hypervolume) == (None, None)


# Cost


def test_every_training_that_ended_was_for_one_purpose_and_shares_add_up(source, numbers):
    spending = numbers.spending
    ended = [one for one in source.records if one.state != "running"]
    assert sum(one.trainings for one in spending.purposes) == len(ended)
    assert sum(one.share for one in spending.purposes) == pytest.approx(1.0)
    assert sum(one.seconds for one in spending.purposes) == pytest.approx(spending.seconds)
    assert {one.key for one in spending.purposes} >= {
        "searched",
        "baseline",
        "repeat",
        "pruned",
        "over budget",
        "failed",
    }
    assert spending.wasted == pytest.approx(
        sum(one.seconds for one in spending.purposes if one.key in ("failed", "over budget"))
    )
    assert spending.devices == (("stand-in", len(ended) - 1),)  # the failed one had no time to say
    assert spending.peak_memory_mb == max(one.peak_memory_mb or 0 for one in source.records)
    pruned = [one for one in source.records if one.state == "pruned"]
    assert spending.saved == pytest.approx(sum(0.5 * (EPOCHS - one.pruned_at) for one in pruned))


records_of_any_end = st.builds(
    record,
    number=st.integers(0, 9),
    macs=st.sampled_from((1_000, BUDGET + 1)),
    accuracy=st.just(50.0),
    state=st.sampled_from(("complete", "pruned", "failed", "running")),
    seconds=st.one_of(st.none(), st.floats(0, 100)),
    repeat=st.integers(0, 2),
    baseline=st.one_of(st.none(), st.just("ResNet-20")),
    spared_at=st.one_of(st.none(), st.just(3)),
)


def test_what_trained_is_told_where_it_is_known(source):
    every = [one for one in source.records if one.device is not None]
    before = spending_of(source)  # a study of before, which does not say
    assert before.steps == ()
    assert f"Trained on stand-in ({len(every)} trainings)." in " ".join(spending_section(before, None).paragraphs)
    said = [dataclasses.replace(one, steps="eager" if one.number == every[0].number else "graph") for one in every]
    found = spending_of(dataclasses.replace(source, records=tuple(said)))
    assert found.steps == (("graph", len(every) - 1), ("eager", 1))
    where = f"by steps captured in a graph ({len(every) - 1}) and eager steps (1)"
    assert where in " ".join(spending_section(found, None).paragraphs)


@given(st.lists(records_of_any_end, max_size=8))
def test_shares_of_any_study_add_up(every):
    numbered = [dataclasses.replace(one, number=number) for number, one in enumerate(every)]
    found = spending_of(source_of(numbered))
    ended = [one for one in numbered if one.state != "running"]
    assert sum(one.trainings for one in found.purposes) == len(ended)
    assert sum(one.seconds for one in found.purposes) == pytest.approx(found.seconds)
    assert sum(one.share for one in found.purposes) == pytest.approx(1.0 if found.seconds else 0.0)
    assert 0 <= found.wasted_share <= 1 + 1e-9
    assert {purpose_of(one, macs_budget(BUDGET)) for one in ended} == {one.key for one in found.purposes}
    assert {key for key, _, waste in PURPOSES if waste} == {"over budget", "failed"}


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), max_size=8))
def test_open_seconds_count_each_second_once(spans):
    start = datetime(2026, 1, 1)
    moments = [(start + timedelta(seconds=at), start + timedelta(seconds=at + length)) for at, length in spans]
    assert open_seconds(moments) == len({second for at, length in spans for second in range(at, at + length)})


# What mattered


def test_an_analysis_is_made_once_for_the_same_networks(tmp_path, monkeypatch):
    from igcnas.results.importance import analyse, samples_of

    folder = made(tmp_path / "s", 22, baselines=False, sampler="random", pruner="none", min_epochs=0)
    source = Study.read(folder)
    report = analyse(samples_of(source), resamplings=2, judged=1)
    made_of: list[int] = []
    monkeypatch.setattr(importance, "analyse", lambda samples: made_of.append(len(samples)) or report)
    first, again = (importance_of(Study.read(folder)) for _ in range(2))
    assert len(made_of) == 1
    assert repr(again) == repr(first)  # NaN is not equal to itself
    path = folder / "importance.json"
    path.write_text(path.read_text()[:100])
    importance_of(Study.read(folder))
    assert len(made_of) == 2  # what is torn does not count
    path.write_text(json.dumps(json.loads(path.read_text()) | {"digest": "of other networks"}))
    importance_of(Study.read(folder))
    assert len(made_of) == 3
    monkeypatch.setattr(importance, "MADE", 20)
    assert repr(importance_of(Study.read(folder))) == repr(first)  # also of a large study, as it was kept
    path.unlink()
    found = importance_of(Study.read(folder))
    assert isinstance(found, str)
    assert found.startswith("Not made yet")


def test_of_few_networks_nothing_is_said_to_matter(tmp_path):
    found = importance_of(Study.read(made(tmp_path / "s", 6)))
    assert isinstance(found, str)
    assert "from 20 on" in found


# Audits and retrainings


def audit_folder(study: Path, *, seeds: int = 2) -> list[Row]:
    draws = random.Random(0)
    rows = []
    for number in range(9):
        quality = draws.random()
        rows.append(
            Row(
                number=number,
                name=f"network, {number}",
                band=number % 3,
                macs=1_000 * (number + 1),
                short=80 + 10 * quality,
                long=tuple(85 + 10 * quality + draws.random() for _ in range(seeds)),
                repeats=(81.25, 82.5) if number == 2 else (),
                scores={name: draws.random() for name in BASELINES},
            )
        )
    folder = study / "audit-90"
    (folder / "trainings").mkdir(parents=True)
    sample = {"members": [{}] * 9, "limits": [[0, 4_000], [4_000, 7_000], [7_000, 9_000]], "ids": {}}
    training = dataclasses.asdict(TrainingSettings(epochs=90))
    (folder / "settings.json").write_text(json.dumps({"sample": sample, "training": training, "short_epochs": 9}))
    (folder / "trainings" / "00000-0.json").write_text(json.dumps({"seconds": 2.5, "device": "cpu"}))
    return rows


@pytest.mark.parametrize("seeds", [1, 2])
def test_an_audit_is_read_back_as_it_was_measured(tmp_path, seeds):
    rows = audit_folder(tmp_path, seeds=seeds)
    found = read_audit(tmp_path / "audit-90")
    assert (found.result, found.networks, found.trainings, found.seconds) == (None, 9, 1, 2.5)
    limits = [(0, 4_000), (4_000, 7_000), (7_000, 9_000)]
    expected = compute(rows, limits, seed=0)
    (tmp_path / "audit-90" / "audit.csv").write_text(table_of(expected).csv(), encoding="utf-8")
    result = read_audit(tmp_path / "audit-90").result
    assert result is not None
    assert result.rows == expected.rows
    assert repr(result.scopes[ALL]) == repr(expected.scopes[ALL])


def test_what_is_damaged_is_named_and_the_rest_is_read(tmp_path, source):
    rows = audit_folder(tmp_path)
    audited = compute(rows, [(0, 4_000), (4_000, 7_000), (7_000, 9_000)], seed=0)
    (tmp_path / "audit-90" / "audit.csv").write_text(table_of(audited).csv(), encoding="utf-8")
    for name in ("audit-18", "retrain-36"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "settings.json").write_text("{")
    found = checks_of(dataclasses.replace(source, folder=tmp_path))
    assert [audit.folder.name for audit in found.audits] == ["audit-90"]
    assert len(found.damaged) == 2
    assert "audit-18" in found.damaged[0]
    assert "retrain-36" in found.damaged[1]
    assert found.test_readings == {}


def test_a_retraining_is_read_back_with_its_readings_of_the_test_split(tmp_path, source):
    from support.campaigns import retrain_settings
    from support.retrained import result_of

    from igcnas.results.retraining import guard, retraining

    folder = tmp_path / "retrain-2"
    folder.mkdir()
    chosen = guard(folder, retrain_settings())
    for training in retraining(folder, chosen).trainings[:3]:
        identity = {"architecture_id": "", "training_seed": training.seed}
        result = result_of(training.finalist, training.repeat, 350)
        (folder / f"{training.stem}.json").write_text(json.dumps(identity | result.to_dict()))
    (found,) = checks_of(dataclasses.replace(source, folder=tmp_path)).retrainings
    assert (found.done, found.planned) == (3, 4)
    assert found.tests is not None
    assert found.tests.test_readings == 3


def test_finalists_are_chosen_by_the_mean_over_repeats_as_the_verdict_is():
    from igcnas.results.retraining import choose_finalists

    steady, lucky = (record(n, 1_000, 96.0 + n, architecture=small_network(Dense(), 4 * n + 4)) for n in (0, 1))
    every = [steady, lucky, *repeated(lucky, 92.0, 93.0, number=2)]
    source = source_of(every)
    first = choose_finalists(every, source.settings, top=1, trials=None)[0]
    assert (first.number, first.val_accuracy, first.trainings) == (0, 96.0, 1)
    named = choose_finalists(every, source.settings, top=None, trials=[3])[0]  # a repeat means its network
    assert (named.number, named.trainings) == (1, 3)
    assert named.val_accuracy == pytest.approx((97 + 92 + 93) / 3)


# Provenance


@pytest.mark.parametrize("name", known_spaces())
def test_the_fingerprint_of_a_stored_space_is_that_of_the_space(name):
    space = load_space(name)
    assert fingerprint(json.loads(json.dumps(space.to_dict()))) == space.fingerprint()


def test_structures_are_all_combinations_of_choices():
    families = {"resnet": 2, "igcv1": 3 * 2 * 2 * 2, "igcv3": 2 * 1 * 2 * 1}
    own = {family.name: math.prod(map(len, family.axes().values())) for family in SMALL.families}
    common = 2**2 * len(SMALL.growths) * len(SMALL.final_sizes) * len(SMALL.head_ratios)
    assert structures(SMALL.to_dict()) == common * sum(own.values())
    assert own.keys() == families.keys()
    assert structures({**SMALL.to_dict(), "families": [{"kind": "Mine", "name": "mine"}]}) is None


@pytest.mark.parametrize(
    "words",
    [
        "--budget-mflops 0.06",
        "--budget-mflops 0.123457 --space igcv1 --objective accuracy --no-baselines --sampler tpe --seed 3 --epochs 7",
        "--budget-mflops 2 --data digits --pruner halving --min-epochs 2 --epochs 9 --engine eager",
    ],
)
def test_the_command_of_a_study_means_its_settings(words):
    def meant(command: Sequence[str]) -> StudySettings:
        arguments = parser().parse_args(command)
        found = study_settings(arguments, load_space(arguments.space), load_dataset(arguments.data))
        engine = "fast" if arguments.engine == "auto" else arguments.engine
        return dataclasses.replace(found, training=dataclasses.replace(found.training, engine=engine))

    expected = meant(["search", *words.split()])
    source = dataclasses.replace(source_of([record(0, 100, 90.0)]), settings=expected)
    assert meant(command_of(source).split()[1:]).differences(expected) == []


# The whole


def test_who_may_be_the_best_comes_after_the_front_with_what_to_run_next(folder):
    source = Study.read(folder)
    report = composition(source, importance=False).report
    first = report.sections[0]
    assert (first.key, report.summary.tables, report.summary.commands) == ("candidates", (), ())
    assert [command.split()[1] for command in first.commands] == ["retrain", "audit", "export"]
    assert first.tables[0].rows[0][0] == str(report.first)
    running = composition(dataclasses.replace(source, in_use=True), importance=False).report
    assert [command.split()[1] for command in running.sections[0].commands] == ["status"]


def test_every_table_has_a_cell_for_each_column_and_every_section_a_name_of_its_own(folder):
    found = composition(Study.read(folder), importance=False).report
    sections = (found.summary, *found.sections)
    assert len({section.key for section in sections}) == len(sections)
    for section in sections:
        assert section.paragraphs
        for table in section.tables:
            assert {len(row) for row in table.rows} == {len(table.columns)}
    pictures = [picture for section in sections for picture in section.pictures]
    assert {picture.name for picture in pictures} >= {"random", "history"}
    ids = [id_ for picture in pictures for id_ in ids_of(picture.svg)]
    assert len(set(ids)) == len(ids)


def ids_of(svg: str) -> list[str]:
    return [element.attrib["id"] for element in ElementTree.fromstring(svg).iter() if "id" in element.attrib]


def test_the_command_writes_the_page_and_its_figures_and_prints_every_number(folder, capsys, tmp_path):
    page = tmp_path / "r.html"
    assert main(["report", str(folder), "--no-importance", "--out", str(page), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["files"][0] == str(page)
    assert all(Path(path).stat().st_size > 2_000 for path in printed["files"])
    names = {Path(path).name for path in printed["files"][1:]}
    assert names == {f"{name}.{kind}" for name in ("pareto", "random", "history") for kind in ("png", "svg")}
    assert page.read_text().lower().startswith("<!doctype html>")
    assert printed["sentence"] in page.read_text().replace("\u00a0", " ")
    assert len(printed["networks"]) == printed["state"]["networks"]
    assert main(["report", str(folder), "--no-importance", "--out", str(page), "--no-figures"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out == [printed["sentence"], f"wrote     {page}"]


def test_a_study_without_a_trained_network_is_one_line(tmp_path, capsys):
    study = tmp_path / "studies" / "empty"
    study.mkdir(parents=True)
    guard_settings(study, settings_of())
    open_study(study, create_for=settings_of())
    assert main(["report", str(study)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "holds no trained network yet" in error
    assert not (study / "report.html").exists()
    with pytest.raises(StudyError):
        compose(study)


def test_a_study_of_one_network_has_a_report(tmp_path):
    found = composition(Study.read(made(tmp_path / "s", 1, baselines=False)), importance=False)
    assert found.report.summary.paragraphs[0].startswith("Only one network that keeps the budget was trained")
    assert len(found.report.networks) == 1
    assert found.report.first == 0
    assert [command.split()[1] for command in found.report.summary.commands] == ["status"]


# Figures as files


def figure() -> Any:
    from igcnas.drawing.figures import new_figure

    drawn = new_figure(5, 2)
    scores = list(enumerate(np.random.default_rng(0).normal(size=9)))
    draw_random_search(against(scores, scores), drawn.add_subplot())
    return drawn


def test_a_figure_is_written_as_png_and_svg_with_the_same_bytes_each_time_and_text_as_text(tmp_path):
    first, second = save(figure(), tmp_path / "a.png"), save(figure(), tmp_path / "b.png")
    assert [path.name for path in first] == ["a.png", "a.svg"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    text = first[1].read_text()
    assert ">drawn at random (9)<" in text
    assert "sans-serif" in text
    assert "<dc:date>" not in text


def test_a_figure_in_a_page_has_ids_of_its_own_and_colours_that_the_page_may_change():
    one, other = (page_svg(svg_of(figure()), prefix=prefix) for prefix in ("one", "other"))
    assert one.startswith("<svg ")
    assert not set(ids_of(one)) & set(ids_of(other))
    assert one.replace("one-", "other-") == other
    root = ElementTree.fromstring(one)
    used = {value[1:] for element in root.iter() for key, value in element.attrib.items() if key.endswith("href")}
    assert used
    assert used <= set(ids_of(one))
    assert "var(--igc-paper, #ffffff)" in one
    assert "<style" not in one
    assert "<metadata" not in one


@given(st.text())
def test_tying_numbers_to_units_changes_spaces_alone(text):
    assert tied(text).replace("\u00a0", " ") == text.replace("\u00a0", " ")


def test_a_front_of_the_records_is_that_of_the_report(source, numbers):
    line = {one.record.number for one in champions(source.records, macs_budget(BUDGET))}
    assert line == {one.number for one in numbers.networks if one.on_front}


def test_a_figure_of_a_report_is_drawn_as_svg_once_for_the_page_and_the_file(tmp_path, monkeypatch):
    drawn = []

    def counting(one: Any) -> str:
        drawn.append(one)
        return svg_of(one)

    monkeypatch.setattr("igcnas.results.report.figure.svg_of", counting)
    drawing = Drawing(name="chance", caption="c", alt="a", figure=figure())
    picture, files = drawing.picture(), drawing.write(tmp_path)
    assert len(drawn) == 1
    assert picture.svg == page_svg(files[1].read_text(), prefix="chance")
    assert files[0].read_bytes().startswith(b"\x89PNG")
