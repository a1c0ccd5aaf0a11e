"""Times that are predicted: a table from measured networks, budgets in milliseconds, and MACs beside time."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import islice, pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.searches import SMALL, Quiet, Trainings, settings_of

from igcnas.cli import main
from igcnas.errors import IgcnasError, TrainingError
from igcnas.export.latency.fitting import LEAST, Sample, fitted
from igcnas.export.latency.measuring import Latency
from igcnas.export.latency.operators import VECTORS, work
from igcnas.export.latency.setting import Setting
from igcnas.export.latency.table import HeldOut, TimeTable, keep_table, known_table, table_of
from igcnas.export.latency.timing import Timing, machine_of
from igcnas.network.architecture import Architecture
from igcnas.network.budget import Budget
from igcnas.network.cost import count
from igcnas.network.plan import Plan, plan
from igcnas.network.primitives import Sequence
from igcnas.network.width import widest
from igcnas.results.times import comparison, fitting, sampling
from igcnas.results.times.drawing import Drawn, space_networks, table_families, table_networks
from igcnas.results.times.sampling import Timed, times
from igcnas.search import controller
from igcnas.search.controller import Search
from igcnas.search.evaluation import InTurn
from igcnas.search.folder import open_study
from igcnas.search.records import TrialRecord, records
from igcnas.search.settings import StudySettings
from igcnas.search.space import SearchSpace, Structure
from igcnas.search.worker import keeping_time

pytestmark = pytest.mark.usefixtures("forked_workers")
HERE = Setting()
FAMILIES = table_families()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IGCNAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Everything(dict[str, float]):
    """A cost for whatever is asked, other for each."""

    def get(self, name: str, default: Any = None) -> float:
        return 1e-9 + 1e-6 * random.Random(name).random()


def table(costs: dict[str, float] | None = None, *, vector: int = 8) -> TimeTable:
    version, machine = machine_of(HERE)
    return TimeTable(
        setting=HERE,
        version=version,
        machine=machine,
        vector=vector,
        costs=Everything() if costs is None else costs,
        over=1.1,
        fitted=100,
        errors=(HeldOut(of="all", networks=30, median=0.07, p90=0.2),),
    )


def structure(space: SearchSpace, seed: int) -> Structure:
    draws = random.Random(seed)
    parameters = {axis: draws.choice(options) for axis, options in space.axes(space.families[0]).items()}
    return space.decode(parameters | {"block": space.families[0].name}, (3, 16, 16), 10)


def milliseconds(network: Plan) -> float:
    """A machine of which the time is a sum over layers: what a MAC costs, and what a call of each layer does."""
    counted = work(network, 16)
    macs = sum(number for (_, what), number in counted.items() if what == "macs")
    calls = sum(number for (_, what), number in counted.items() if what == "calls")
    return 0.01 + 2e-8 * macs + 2e-3 * calls


def made_up(networks: Iterator[Drawn], setting: Setting, *, quiet: bool = True, **_: Any) -> Iterator[Timed]:
    """In place of `sampling.times`: on the machine of `milliseconds`."""
    version, machine = machine_of(setting)
    for drawn in networks:
        network = plan(drawn.architecture)
        latency = Latency(median_ms=milliseconds(network), iqr_ms=0.001, runs=9, quiet=quiet)
        yield Timed(
            drawn=drawn,
            network=network,
            timing=Timing(setting=setting, latency=latency, version=version, machine=machine),
        )


# The table


@pytest.mark.parametrize("space", FAMILIES, ids=lambda space: f"{space.name}-{space.families[0].name}")
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_least_time_never_falls_as_a_network_is_widened_and_is_part_of_the_prediction(
    space: SearchSpace, seed: int
) -> None:
    networks = [plan(structure(space, seed).at(n)) for n in range(16, 40)]
    for vector in VECTORS:
        costs = table(vector=vector)
        least = [costs.least(network) for network in networks]
        assert all(a <= b * (1 + 1e-12) for a, b in pairwise(least))
        predicted = [costs.predict(network) for network in networks]
        assert all(a <= b * (1 + 1e-12) for a, b in zip(least, predicted, strict=True))


def test_a_prediction_is_a_sum_over_layers_and_over_kinds() -> None:
    costs = table()
    for drawn in islice(table_networks(), len(FAMILIES)):
        network = plan(drawn.architecture)
        rows = [Plan(Sequence("row", (layer,)), network.input_shape) for layer in network.root.layers]
        call = costs.predict(Plan(Sequence("nothing", ()), network.input_shape))
        assert costs.predict(network) == pytest.approx(call + sum(costs.predict(row) - call for row in rows))
        assert costs.predict(network) == pytest.approx(sum(costs.by_kind(network).values()))


def test_a_fit_finds_the_costs_of_a_machine_and_says_its_error_on_networks_that_it_has_not_seen() -> None:
    drawn = list(islice(table_networks(), 8 * len(FAMILIES)))
    samples = [Sample(family=one.family, network=(p := plan(one.architecture)), ms=milliseconds(p)) for one in drawn]
    half = len(samples) // 2
    found = fitted(samples[:half], samples[half:], HERE, "a version", "a machine")
    assert found.fitted == half
    assert all(cost > 0 for cost in found.costs.values())
    whole, *each = found.errors
    assert (whole.of, whole.networks) == ("all", half)
    assert whole.median < 0.05
    assert sum(one.networks for one in each) == 2 * half  # by family, and by size
    slower = [replace(one, ms=1.5 * one.ms) for one in samples[half:]]
    off = fitted(samples[:half], slower, HERE, "a version", "a machine")
    assert off.errors[0].median == pytest.approx(1 / 3, abs=0.05)
    assert off.over == pytest.approx(1.5, rel=0.1)


def test_a_table_is_kept_for_its_setting_and_machine_and_a_damaged_one_is_none(cache: Path) -> None:
    kept = table({"call": 0.5, "dense 1x1: macs": 1.25e-8})
    path = Path(keep_table(kept))
    assert path.parent == cache
    assert known_table(HERE) == kept
    assert table_of(json.loads(json.dumps(asdict(kept)))) == kept
    assert known_table(Setting(batch=2)) is None
    path.write_text("{", encoding="utf-8")
    assert known_table(HERE) is None


def test_networks_are_really_timed_once_and_remembered() -> None:
    first = list(times(islice(table_networks(), 2), HERE))
    assert [one.timing.remembered for one in first] == [False, False]
    assert all(one.timing.latency.median_ms > 0 for one in first)
    if all(one.timing.latency.quiet for one in first):
        assert [one.timing for one in times(islice(table_networks(), 2), HERE)] == [
            replace(one.timing, remembered=True) for one in first
        ]


def test_a_timing_that_is_due_after_the_end_is_not_begun() -> None:
    assert list(sampling.times(table_networks(), HERE, clock=lambda: 2.0, until=1.0)) == []


def test_latency_fits_a_table_shows_it_and_predicts_by_it(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    assert main(["latency", "--table"]) == 2
    said = "error: no table of times is kept for ONNX Runtime, batch 1, 1 thread, CPU; fit one: igcnas latency --fit\n"
    assert capsys.readouterr().err == said
    monkeypatch.setattr(fitting, "times", made_up)
    monkeypatch.setattr(fitting, "fit_table", lambda *words, **named: _fit(*words, **named | {"most": 60}))
    assert main(["latency", "--fit"]) == 0
    out = capsys.readouterr().out
    assert "median error" in out
    assert "condensenet" in out
    assert main(["latency", "--table", "--json"]) == 0
    (kept,) = json.loads(capsys.readouterr().out)["tables"]
    assert kept["fitted"] == 47
    words = ["depth=8", "width=4", "size=8", "channels=1", "classes=10"]
    assert main(["latency", "--family", "resnet", *words, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["timings"]
    assert found["predicted_ms"] > 0
    assert main(["latency", "--family", "resnet", *words]) == 0
    assert "predicted ms" in capsys.readouterr().out


_fit = fitting.fit_table


def test_a_fit_on_a_busy_machine_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "times", lambda *words, **named: made_up(*words, **named, quiet=False))
    with pytest.raises(IgcnasError, match=f"needs {LEAST + LEAST // 4} quiet timings or more, and 0 of 40 were"):
        _fit(HERE, most=40)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["x", "--fit"], "--fit stands in place of 'x'; give one"),
        (["x", "--compare-macs"], "--compare-macs stands in place of 'x'; give one"),
        (["--compare-macs", "--networks", "2"], "--networks 2 cannot be ranked; give 3 or more"),
        (["--compare-macs", "--size", "0"], "--size 0 must be at least 1"),
        (["--compare-macs", "--runtime", "onnx", "torch"], "--compare-macs times in one runtime; leave the others out"),
    ],
)
def test_what_cannot_be_asked_of_times_is_one_line(words: list[str], said: str, capsys: Any) -> None:
    assert main(["latency", *words]) == 2
    assert capsys.readouterr().err == f"error: {said}\n"


# MACs beside time


def test_macs_against_time_is_drawn_with_rank_correlations(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    monkeypatch.setattr(comparison, "times", made_up)
    path = tmp_path / "figure.png"
    words = ["latency", "--compare-macs", "--networks", "27", "--size", "16", "--out", str(path)]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["files"] == [str(path), str(path.with_suffix(".svg")), str(path.with_suffix(".csv"))]
    assert path.stat().st_size > 10_000
    assert len(path.with_suffix(".csv").read_text(encoding="utf-8").splitlines()) == 28
    whole, *each = found["agreements"]
    assert (whole["networks of"], whole["n"], len(each)) == ("all", 27, 9)
    ranks = [np.argsort(np.argsort([one[key] for one in found["networks"]])) for key in ("macs", "median_ms")]
    assert whole["Spearman's rho"] == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=0.02)
    assert whole["95 % interval"][0] <= whole["Spearman's rho"] <= whole["95 % interval"][1]


def test_networks_of_a_space_are_of_every_family_and_of_spread_budgets() -> None:
    drawn = space_networks(SMALL, (3, 32, 32), 2e7, 30)
    assert len({one.architecture.id for one in drawn}) == 30
    assert {one.family for one in drawn} == {family.name for family in SMALL.families}
    macs = [count(one.architecture).macs for one in drawn]
    assert max(macs) <= 2e7
    assert max(macs) > 10 * min(macs)


# Budgets in milliseconds


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), place=st.integers(0, len(FAMILIES) - 1), share=st.floats(0.05, 0.95))
def test_the_widest_network_within_a_time_is_found_although_wider_ones_may_be_faster(
    seed: int, place: int, share: float
) -> None:
    costs, found = table(), structure(FAMILIES[place], seed)
    most = min(found.most, 40)
    spent = [costs.nanoseconds(plan(found.at(n))) for n in range(1, most + 1)]
    allowed = round(min(spent) + share * (max(spent) - min(spent)))
    fit = widest(found.at, Budget({"time": allowed}, costs), most=most)
    assert fit is not None
    assert fit.n == max(n for n, time in enumerate(spent, start=1) if time <= allowed)
    assert fit.used == spent[fit.n - 1]


def timed_settings(allowed: int, **other: Any) -> StudySettings:
    usual = {"budget_macs": None, "limits": {"time": allowed}, "latency": HERE, "times": table(dict(COSTS))}
    return replace(settings_of(SMALL), **usual | other)


# Of the machine of `milliseconds`, about.
COSTS = {"call": 0.01, "convolution: calls": 2e-3, "convolution: macs": 2e-8}


def searched(folder: Path, allowed: int, numbers: list[int]) -> list[TrialRecord]:
    for number in numbers:
        folder.mkdir(exist_ok=True)
        study_settings = timed_settings(allowed)
        if (folder / "settings.json").exists():
            study_settings = StudySettings.read(folder)
        else:
            (folder / "settings.json").write_text(json.dumps(study_settings.to_dict()), encoding="utf-8")
        study = open_study(folder, create_for=study_settings)
        Search(study, folder, SMALL, study_settings, InTurn(Trainings()), Quiet()).run(number)
    return records(study)


def test_every_network_of_a_search_keeps_its_time_as_predicted_and_a_search_that_is_resumed_is_the_same(
    tmp_path: Path,
) -> None:
    at_once = searched(tmp_path / "a", 60_000, [8])
    costs = table(dict(COSTS))
    for record in at_once:
        assert record.planned("time") == costs.nanoseconds(plan(record.architecture)) <= 60_000
        assert record.target_of == "time"
    in_parts = searched(tmp_path / "b", 60_000, [3, 8])
    assert [one.architecture.id for one in in_parts] == [one.architecture.id for one in at_once]


def test_a_measured_time_counts_where_there_is_one_and_may_be_over_by_its_spread(tmp_path: Path) -> None:
    record = searched(tmp_path / "a", 60_000, [1])[0]
    budget = timed_settings(60_000).budget
    assert record.used("time") == record.planned("time")
    measured = replace(record, latency_ms=0.07, latency_iqr_ms=0.011)
    assert measured.used("time") == 70_000
    assert measured.within(budget)
    assert not replace(measured, latency_iqr_ms=0.009).within(budget)
    words = timed_settings(60_000).costs.words(measured)
    assert words.startswith("0.07 ms, ")
    assert words.endswith(f"(predicted {record.planned('time') / 1e6:.3g} ms)")


def test_a_study_keeps_the_table_that_it_began_with() -> None:
    mine = timed_settings(60_000)
    assert mine.differences(replace(mine, times=table({"call": 1.0}))) == []
    assert mine.differences(replace(mine, limits={"time": 50_000})) == ["limits.time: 60000 -> 50000"]


def small_network() -> Architecture:
    return structure(FAMILIES[0], 0).at(1)


def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, milliseconds: float, spread: float) -> None:
    """Have the network of these times measured, where it was not before, and held to a millisecond."""
    version, machine = machine_of(HERE)
    latency = Latency(median_ms=milliseconds, iqr_ms=spread, runs=9, quiet=True)
    told = Timing(setting=HERE, latency=latency, version=version, machine=machine)
    monkeypatch.setattr(keeping_time, "timed", lambda *_: told)
    trainer: Any = SimpleNamespace(setup=SimpleNamespace(timing=HERE))
    keeping_time.require_time(trainer, small_network(), tmp_path, 1_000_000)


def test_a_network_that_is_measured_over_its_time_is_not_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        TrainingError, match=r"not trained: it takes 1.2 ms \(interquartile range 0.1\), more than --budg"
    ):
        judged(tmp_path, monkeypatch, 1.2, 0.1)


def test_a_training_that_is_taken_up_is_judged_by_what_was_measured_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(tmp_path, monkeypatch, 1.2, 0.3)  # over, but within its spread
    judged(tmp_path, monkeypatch, 9.0, 0.0)
    (tmp_path / keeping_time.FILE).write_text("{", encoding="utf-8")
    with pytest.raises(TrainingError):
        judged(tmp_path, monkeypatch, 9.0, 0.0)


def test_a_search_trains_no_network_that_is_measured_over_its_budget_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(controller, "_MAX_FAILURES_IN_A_ROW", 2)
    keep_table(table({"convolution: macs": 1e-8}))  # a machine that is faster than any
    words = ["search", "--budget-ms", "0.001", "--space", "igcv3", "--epochs", "1", "--workers", "1", "--no-baselines"]
    words += ["--study", "s", "--studies-dir", str(tmp_path), "--networks", "3"]
    assert main(words) == 2
    told = capsys.readouterr()
    assert "times     predicted by a table for ONNX Runtime" in told.out
    assert "2 trainings in a row failed, the last with: not trained: it takes" in told.err
    folder = tmp_path / "s"
    assert [record.state for record in records(open_study(folder))] == ["failed", "failed"]
    assert all("more than --budget-ms 0.001" in str(record.reason) for record in records(open_study(folder)))
    assert list(folder.glob("trials/*/weights.safetensors")) == []
