"""The benchmarks of the search itself run, count what they say they count, and go on where they were stopped."""

from __future__ import annotations

import dataclasses
import itertools
import math
import random
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest

from benchmarks import (
    against_random,
    nb201,
    ours,
    peers,
    proposal_cost,
    pruning,
    runner,
    sampling,
    summary,
    table,
    tablespace,
    tabular,
    tabular_page,
)
from benchmarks.problem import Problem, Told
from igcnas.statistics import permutation
from igcnas.statistics.pareto import front_hypervolume, hypervolume

MILLION = 1_000_000


@pytest.fixture(scope="module")
def cells_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shape of NAS-Bench-201 with made-up figures: MACs by convolutions, accuracies by edges, 2 or 3 seeds."""
    path = tmp_path_factory.mktemp("cells") / "cells.csv"
    lines = ["cell,macs,cifar10_valid_acc_0,cifar10_valid_acc_1,cifar10_valid_acc_2"]
    draws = random.Random(0)
    for digits in itertools.product("01234", repeat=6):
        macs = 10 * MILLION + 20 * MILLION * digits.count("3") + 2 * MILLION * digits.count("2")
        accuracy = 70 + 3 * digits.count("3") + 2 * digits.count("2") - digits.count("0")
        third = "" if draws.random() < 0.5 else f"{accuracy + draws.gauss(0, 0.3):.3f}"
        first, second = (f"{accuracy + draws.gauss(0, 0.3):.3f}" for _ in range(2))
        lines.append(f"{''.join(digits)},{macs},{first},{second},{third}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> tablespace.TableSpace:
    """The networks of our table with made-up curves: better with MACs and with the last digit of the id."""
    rows = {}
    for name, choice in table.choices().items():
        macs, params = table.costs(choice.architecture)
        level = 200 + round(20 * math.log2(macs / 5_000)) + int(name[-1], 16)
        curves = tuple(tuple(min(360, level - 60 // (epoch + 1) + seed) for epoch in range(15)) for seed in range(3))
        rows[name] = table.Row(id=name, macs=macs, params=params, curves=curves, tests=(level,) * 3)
    path = tmp_path_factory.mktemp("table") / "digits.csv.gz"
    table.write(rows, path, validation_images=362, test_images=359)
    return tablespace.read(path)


def problem_of(cells: nb201.Cells, trainings: int, budget: float) -> Problem:
    return Problem(cells, lambda cell, count: cells.observed(0, cell, count), trainings=trainings, budget=budget)


@pytest.mark.parametrize("name", [name for name in peers.PEERS if name not in peers.SLOW])
def test_a_peer_trains_as_many_networks_as_it_is_given(cells_file: Path, name: str) -> None:
    cells = nb201.read(cells_file)
    problem = problem_of(cells, 30, 40 * MILLION)
    peers.play(peers.PEERS[name], problem, 0)
    assert len(problem.trained) == len(problem.asks) == 30
    outside = sum(cells.macs[cell] > problem.budget for cell in problem.trained)
    assert (outside > 0) == (name == "Optuna TPE, soft constraint, trains everything")


@pytest.mark.parametrize("sampler", ["auto", "random", "evolution", "local"])
def test_our_search_trains_nothing_outside_the_budget_and_nothing_twice(cells_file: Path, sampler: str) -> None:
    cells = nb201.read(cells_file)
    problem = problem_of(cells, 30, 40 * MILLION)
    ours.play(problem, ours.CellDomain(cells), sampler=sampler, seed=0, images=1_000)
    assert len(set(problem.trained)) == 30
    assert all(cells.macs[cell] <= problem.budget for cell in problem.trained)


def test_a_run_is_the_same_each_time(cells_file: Path) -> None:
    task = {"strategy": "igcnas gp", "budget": "40", "run": 3, "trainings": 15, "table": str(cells_file)}
    assert sampling.run_one(task)["cells"] == sampling.run_one(task)["cells"]


def test_regret_is_of_what_was_observed_best_within_the_budget(cells_file: Path) -> None:
    cells = nb201.read(cells_file)
    inside, outside = "222222", "333333"
    result: dict[str, Any] = {"budget": "40", "run": 0, "cells": [outside] + [inside] * 24, "asks": [2] * 25}
    found = sampling.measures(cells, result)[25]
    assert found["regret"] == pytest.approx(cells.best(40 * MILLION) - cells.mean(inside))
    assert found["outside"] == pytest.approx(1 / 25)
    assert found["repeats"] == pytest.approx(23 / 25)
    assert found["asks"] == pytest.approx(2 / 25)
    nothing = sampling.measures(cells, result | {"cells": [outside] * 25})[25]
    assert nothing["regret"] == pytest.approx(cells.best(40 * MILLION) - nb201.CHANCE)


def test_the_seed_of_a_training_follows_from_run_network_and_count(cells_file: Path) -> None:
    cells = nb201.read(cells_file)
    trainings = [cells.observed(5, "123412", count) for count in range(40)]
    assert set(trainings) == set(cells.accuracies["123412"])
    assert trainings == [cells.observed(5, "123412", count) for count in range(40)]


def command(monkeypatch: pytest.MonkeyPatch, main: Any, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark", *words])
    main()


def test_the_sampling_benchmark_writes_its_page_and_runs_nothing_again(
    cells_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sampling, "COUNTS", (4, 8, 12))
    words = ["--table", str(cells_file), "--runs", "2", "--slow-runs", "0", "--budgets", "40,none", "--work"]
    words += [str(tmp_path), "--samplers", "random,local", "--out", str(tmp_path)]
    command(monkeypatch, sampling.main, *words)
    page = (tmp_path / "sampling-nb201.md").read_text()
    assert "| igcnas random | 2 |" in page
    assert "| the best of the others |" in page
    assert str(tmp_path) not in page  # a page tells nothing of the folders of a machine
    monkeypatch.setattr(sampling, "run_one", lambda task: pytest.fail(f"{task} was run again"))
    command(monkeypatch, sampling.main, *words)
    assert "## Without a budget" in capsys.readouterr().out


def test_a_torn_line_is_run_again_and_a_changed_strategy_too(tmp_path: Path) -> None:
    cache = tmp_path / "runs.jsonl"
    tasks = [{"strategy": name, "number": number} for name in "ab" for number in range(3)]
    assert runner.run_tasks(tasks, dict, cache=cache, workers=2) == tasks  # what comes out is the task itself
    lines = sorted(cache.read_text().splitlines(keepends=True))
    cache.write_text("".join(lines))  # the order in which processes end is not given
    whole = cache.read_text()
    cache.write_text(whole[:-20])
    ran = []

    def spy(task: runner.Task) -> runner.Task:
        ran.append(task)
        return {}

    assert runner.run_tasks(tasks, spy, cache=cache, workers=1) == tasks
    assert len(ran) == 1
    ran.clear()
    assert runner.run_tasks(tasks, spy, cache=cache, workers=1, redo=["a"]) == tasks
    assert ran == tasks[:3]
    ran.clear()
    assert runner.run_tasks(tasks, spy, cache=cache, workers=1) == tasks
    assert not ran


def test_an_exact_test_of_signs_counts_all_changes_of_sign() -> None:
    assert permutation.sign_flip([1.0, 1.0, 1.0, 1.0, 1.0]) == 2 / 32
    assert permutation.sign_flip([1.0, -1.0]) == 1.0
    with pytest.raises(ValueError, match="17 pairs"):
        permutation.sign_flip([1.0] * 17)


def test_differences_are_of_the_runs_that_both_have() -> None:
    difference = summary.paired({0: 1.0, 1: 3.0, 2: 9.0}, {0: 0.0, 1: 1.0})
    assert (difference.value, difference.n) == (1.5, 2)
    assert difference.error == pytest.approx(0.5)


def test_hypervolume_is_the_area_between_the_staircase_and_the_reference() -> None:
    reference = {"reference_macs": 400, "reference_accuracy": 80.0}
    assert hypervolume([100, 200, 150], [90.0, 92.0, 70.0], **reference) == pytest.approx(10 + 12)
    assert hypervolume([400, 800], [95.0, 99.0], **reference) == 0.0
    assert hypervolume([], [], **reference) == 0.0
    observed = front_hypervolume([100, 200], [95.0, 90.0], [85.0, 99.0], **reference)
    assert observed == pytest.approx(2 * 5)  # the second was not on the front that was seen


def test_our_table_gives_a_target_the_level_of_its_quarter(space: tablespace.TableSpace) -> None:
    domain = tablespace.TableDomain(space)
    for name, parameters in space.parameters.items():
        chosen = dict(parameters)
        level = chosen.pop(tablespace.LEVEL)
        candidate = domain.solve(chosen, table.TARGETS[level])
        if level in (0, 3):  # the others are above the middle of their quarter or below it
            assert candidate is not None
            assert candidate.key == name
        assert space.cell(parameters) == name


def test_known_networks_of_the_table_are_at_the_budget_and_along_a_front(space: tablespace.TableSpace) -> None:
    assert [known.target for known in space.known(spread=False)] == [200_000] * 4
    assert sorted({known.target for known in space.known(spread=True)}) == [25_000, 50_000, 200_000]
    assert len({known.key for known in space.known(spread=True)}) == 8


def test_neighbours_in_the_table_differ_in_one_choice(space: tablespace.TableSpace) -> None:
    name = space.known(spread=False)[1].key
    own = dict(space.parameters[name])
    level = own.pop(tablespace.LEVEL)
    wider = {space.at(own | {"igcv1.M": M}, level) for M in (1, 4, 8)} - {tablespace.NONE}
    neighbours = space.neighbours(name)
    assert wider <= set(neighbours)
    assert space.at(own, level - 1) in neighbours
    assert name not in neighbours
    assert all(space.parameters[other]["block"] == "igcv1" for other in neighbours)


@pytest.mark.parametrize("name", ["igcnas tpe", "igcnas tpe-mo", *tabular._PEERS["front"]])
def test_a_run_over_a_front_begins_with_the_known_networks(space: tablespace.TableSpace, name: str) -> None:
    problem = Problem(
        space,
        lambda network, count: space.observed(0, network, count),
        trainings=14,
        budget=tablespace.BUDGET,
    )
    tabular._play(space, problem, {"strategy": name, "kind": "front", "run": 0})
    known = [known.key for known in space.known(spread=True)]
    assert problem.trained[: len(known)] == known
    assert len(problem.trained) == 14


def test_optuna_is_told_the_known_networks(space: tablespace.TableSpace) -> None:
    problem = Problem(space, lambda network, count: 50.0, trainings=3, budget=tablespace.BUDGET)
    key = space.known(spread=False)[0].key
    told = Told(key, dict(space.parameters[key]), 90.0)
    trial = peers.trial_of(problem, told, [90.0])
    assert trial.params == told.parameters
    assert trial.state is optuna.trial.TrialState.COMPLETE


def test_without_a_pruner_every_network_has_all_epochs_and_with_it_fewer(space: tablespace.TableSpace) -> None:
    how: dict[str, Any] = {"run": 0, "sampler": "random", "spread": True, "epochs": 300}
    plain = pruning.play(space, min_epochs=None, **how)
    assert [training["epochs"] for training in plain] == [15] * 20
    pruned = pruning.play(space, min_epochs=3, **how)
    assert len(pruned) > len(plain)
    assert all(training["epochs"] == 15 for training in pruned if training["known"])
    ended = [training for training in pruned if training["would_end"] is not None]
    assert {training["epochs"] for training in ended} <= {3, 9, 15}  # 15: spared
    assert sum(training["epochs"] for training in pruned[:-1]) < 300


def test_the_page_of_our_table_has_its_three_parts(
    space: tablespace.TableSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (tabular, tabular_page):
        monkeypatch.setattr(module, "COUNTS", {"accuracy": (6, 8), "front": (10, 12)})
        monkeypatch.setattr(module, "EPOCHS", (150, 225))
    monkeypatch.setattr(tablespace, "read", lambda path: space)
    monkeypatch.setattr(tabular, "SAMPLERS", {"accuracy": ("random", "gp"), "front": ("random", "gp")})
    words = ["--runs", "2", "--pruned-samplers", "random", "--work", str(tmp_path), "--out", str(tmp_path)]
    command(monkeypatch, tabular.main, *words)
    page = (tmp_path / "tabular.md").read_text()
    for title in ("## One budget", "## A front", "## Pruning", "| minus igcnas gp, same runs |", "| epoch 3 | 2 |"):
        assert title in page


def test_a_network_that_was_wrongly_ended_is_counted(space: tablespace.TableSpace) -> None:
    names = sorted(space.parameters, key=lambda name: space.curve(0, name)[-1])
    trained = [{"key": name, "epochs": 15, "would_end": None, "known": False} for name in (*names[:5], names[-1])]
    run: dict[str, Any] = {"run": 0, "trained": trained}
    assert tabular_page._mistakes(space, [run], False) == ("0%", "0.0%", "0% of runs")
    trained[-1] = trained[-1] | {"would_end": 3, "epochs": 3}
    assert tabular_page._mistakes(space, [run], False) == ("17%", "100.0%", "100% of runs")


def test_the_cost_of_proposals_is_measured_for_every_sampler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command(monkeypatch, proposal_cost.main, "--networks", "12", "--repeats", "2", "--out", str(tmp_path))
    rows = (tmp_path / "proposal-cost.md").read_text().splitlines()
    assert [row for row in rows if row.startswith("| nsga2 | 12 | 2 |")]
    assert [row for row in rows if row.startswith(f"| {proposal_cost.OPTUNA} | 12 | 2 |")]


def test_the_verdict_against_random_search_says_so_where_there_is_no_difference() -> None:
    def row(seed: int, better: float) -> dict[str, float]:
        return {"seed": seed, "test": 90 + better, "validation": 91, "hypervolume": 20, "training_seconds": 60}

    pairs = [(row(seed, 1.0), row(seed, 0.0)) for seed in range(8)]
    text = against_random.page("auto", pairs)
    assert "test accuracy of the exported network: the search is better (p 0.008, for two measures 0.016, 8" in text
    assert "hypervolume of all networks: no difference that 8 pairs can show (p 1.000" in text


def test_a_search_that_fails_ends_the_comparison_with_its_message(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"igcnas search .*ended with status 2"):
        against_random.search(tmp_path, "tpe", 0, 2, -1.0)


def test_cells_compare_as_what_they_are(cells_file: Path) -> None:
    cells = nb201.read(cells_file)
    assert dataclasses.is_dataclass(cells)
    assert cells.cell(cells.suggest(optuna.trial.FixedTrial({f"edge{edge}": "none" for edge in range(6)}))) == "000000"
    assert len(cells.neighbours("000000")) == len(set(cells.neighbours("000000"))) == 24
