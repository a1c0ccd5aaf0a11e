"""Retraining: fixed before it begins, exact after any kill, tested once, and careful in what it says."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState, create_trial
from support.campaigns import (
    DIGITS,
    PAIR,
    SHORT,
    WHOLE,
    Here,
    Silent,
    finalist,
    network,
    retrain_settings,
    trained_alone,
)
from support.retrained import IMAGES, Told, result_of, trained

from igcnas.cli import main
from igcnas.data.dataset import Split
from igcnas.errors import IgcnasError, StudyError
from igcnas.network.architecture import Architecture
from igcnas.network.budget import LIMITS, PARAMS
from igcnas.network.cost import count, count_plan
from igcnas.network.grouping import MultiSpectral
from igcnas.results.retraining import (
    FinalistTraining,
    Result,
    choose_finalists,
    figure,
    guard,
    report,
    retraining,
    tabulate,
)
from igcnas.search.campaign import expected_seconds
from igcnas.search.evaluation import Interrupted
from igcnas.search.folder import guard_settings, open_study
from igcnas.search.records import proposal_attributes, records
from igcnas.search.settings import DataSettings, StudySettings
from igcnas.search.space import load_space
from igcnas.training.recipes import recipe_for
from igcnas.training.runs.weights import Checkpoint

pytestmark = pytest.mark.usefixtures("forked_workers")

ROOT = Path(__file__).parents[1]


def timeless(results: Sequence[Result]) -> list[Result]:
    return [dataclasses.replace(result, seconds=0.0) for result in results]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Result], list[str]]:
    folder, told = tmp_path_factory.mktemp("whole"), Told()
    results = trained(folder, retrain_settings(), told)
    return folder, results, told.events


# Trainings


def test_the_test_split_is_read_once_for_each_network_after_its_last_epoch(uninterrupted):
    _, results, events = uninterrupted
    one = ["epoch 1", "epoch 2", "test"]
    stems = ["trial-3-seed0", "known-seed0", "trial-3-seed1", "known-seed1"]
    assert events == [event for stem in stems for event in (f"start {stem}", *one, f"end {stem}")]
    assert all(result.test_images == IMAGES and result.failed is None for result in results)


def test_the_weights_say_the_norm_epsilon_of_the_recipe(tmp_path):
    recipe = recipe_for(SHORT)
    own = dataclasses.replace(recipe, norm=dataclasses.replace(recipe.norm, epsilon=0.25))
    settings = retrain_settings(PAIR[:1], seeds=1, epochs=1)
    training = dataclasses.replace(settings.training, recipe=own.to_dict())
    (one,) = retraining(tmp_path, dataclasses.replace(settings, training=training)).trainings
    trained_alone(one, Here(DIGITS, training))
    assert Checkpoint.read(tmp_path / f"{one.stem}.safetensors").epsilon == 0.25


def test_all_images_but_the_test_split_are_trained_on(tmp_path):
    data = retraining(tmp_path, retrain_settings()).trainings[0].data(Here(DIGITS, SHORT).trainer)
    assert len(data.training) == len(DIGITS.train.labels)
    assert not data.validates()


def test_a_limit_that_is_neither_macs_nor_params_is_measured_and_held_against_the_budget(tmp_path, monkeypatch):
    bytes_of = dataclasses.replace(PARAMS, name="bytes", of=lambda network: 4 * count_plan(network).params)
    monkeypatch.setitem(LIMITS, "bytes", bytes_of)
    settings = dataclasses.replace(retrain_settings(seeds=1), limits={"bytes": 4 * count(PAIR[0].architecture).params})
    workers = Here(DIGITS, settings.training)
    workers.trainer.setup = dataclasses.replace(workers.trainer.setup, limits=("bytes",))
    results = retraining(tmp_path, settings).run(workers, Silent())
    assert [one.measured_limits["bytes"] for one in results] == [4 * one.params for one in results]
    assert [row.over_budget for row in sorted(tabulate(settings, results).rows, key=lambda row: row.params)] == [0, 1]


def test_seeds_differ_from_each_other_and_from_those_of_the_search():
    chosen = retrain_settings()
    found = [chosen.seed(one, repeat) for one in PAIR for repeat in range(5)]
    searched = [SHORT.network_seed(one.architecture.id, repeat) for one in PAIR for repeat in range(5)]
    assert len(set(found) | set(searched)) == 20


def test_seeds_give_other_results_and_all_files(uninterrupted):
    folder, results, _ = uninterrupted
    assert len({result.train_loss for result in results}) == 4
    names = {path.name for path in folder.iterdir()}
    assert names == {
        f"{s}-seed{k}.{kind}" for s in ("trial-3", "known") for k in (0, 1) for kind in ("json", "safetensors")
    }
    checkpoint = Checkpoint.read(folder / "trial-3-seed0.safetensors")
    assert checkpoint.architecture == PAIR[0].architecture
    assert checkpoint.classes == DIGITS.classes


def test_stopped_at_any_step_it_ends_as_if_it_had_not_been(tmp_path, uninterrupted):
    class Every:
        """Asks to stop at each 7th question."""

        asked = 0

        def __call__(self) -> bool:
            self.asked += 1
            return self.asked % 7 == 0

    stop, stops, told = Every(), 0, Told()
    while True:
        try:
            results = trained(tmp_path, retrain_settings(), told, stop=stop)
            break
        except Interrupted:
            stops += 1
    assert stops > 4
    assert timeless(results) == timeless(uninterrupted[1])
    assert told.events.count("test") == 4


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from support.campaigns import retrain_settings
from support.retrained import Told, trained
class Killer(Told):
    def epoch(self, training, report):
        super().epoch(training, report)
        if report.epoch == {epoch} and sum(event.startswith("start") for event in self.events) == {training}:
            os.kill(os.getpid(), signal.SIGKILL)
trained(Path({folder!r}), retrain_settings(), Killer(), checkpoint_seconds=0)
"""


def test_killed_within_a_training_it_gives_the_same_results_to_the_bit(tmp_path, uninterrupted):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    code = KILLED.format(tests=str(ROOT / "tests"), folder=str(tmp_path), training=2, epoch=1)
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert (tmp_path / "trial-3-seed0.json").exists()
    assert (tmp_path / "known-seed0.pt").exists()
    assert not (tmp_path / "known-seed0.json").exists()
    results = trained(tmp_path, retrain_settings(), Told())
    assert timeless(results) == timeless(uninterrupted[1])
    for path in tmp_path.glob("*.safetensors"):
        assert path.read_bytes() == (uninterrupted[0] / path.name).read_bytes()
    assert not list(tmp_path.glob("*.pt"))


def test_what_is_done_is_not_trained_again(uninterrupted):
    folder, results, _ = uninterrupted
    told = Told()
    assert trained(folder, retrain_settings(), told) == results
    assert told.events == []


def test_a_network_with_learned_groups_reports_what_it_costs_when_lowered(tmp_path):
    learned = network(16, MultiSpectral(heads=4, keep=0.5))
    (result,) = trained(tmp_path, retrain_settings([finalist("trial 0", learned)], seeds=1), Told())
    assert 0 < result.macs <= count(learned).macs
    assert result.macs != count(learned).macs


def test_a_training_that_diverges_is_counted_and_named(tmp_path):
    wild = retrain_settings([PAIR[0]], seeds=1)
    wild = dataclasses.replace(
        wild, training=dataclasses.replace(SHORT, learning_rate=1e6, gradient_clip=1e9, warmup=0.0)
    )
    (result,) = trained(tmp_path, wild, Told())
    assert "diverged" in (result.failed or "")
    assert tabulate(wild, [result]) is None
    both = tabulate(
        retrain_settings(),
        [result, result_of("trial 3", 1, 350), result_of("Known", 0, 349), result_of("Known", 1, 351)],
    )
    assert both is not None
    assert [row.failed for row in both.rows if row.finalist.name == "trial 3"] == [1]
    assert "trial 3, seed 0: diverged" in report.text(both, retrain_settings())


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", '{"training_seed": "x"}'])
def test_a_damaged_result_is_named_and_counts_as_none(tmp_path, content):
    (tmp_path / "trial-3-seed0.json").write_text(content)
    notes: list[str] = []
    assert retraining(tmp_path, retrain_settings(), note=notes.append).results() == {}
    assert len(notes) == 1
    assert "trial-3-seed0.json is damaged" in notes[0]
    assert "that network is trained again" in notes[0]


def test_a_training_with_a_damaged_checkpoint_begins_again(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "trial-3-seed0.pt").write_text("nothing")
    notes: list[str] = []
    alone = retrain_settings([PAIR[0]], seeds=1)
    (found,), (wanted,) = trained(tmp_path / "b", alone, Told(), notes=notes), trained(tmp_path / "a", alone, Told())
    assert dataclasses.replace(found, seconds=0.0) == dataclasses.replace(wanted, seconds=0.0)
    assert len(notes) == 1
    assert "trial-3-seed0.pt is damaged" in notes[0]


def test_the_time_is_expected_from_the_study():
    trainings = [FinalistTraining.of(Path(), retrain_settings(), one, 0) for one in PAIR]
    known = {PAIR[0].architecture.id: 2.0, "another": 4.0}
    assert expected_seconds(trainings, known, factor=5.0) == {"trial-3-seed0": 10.0, "known-seed0": 15.0}


# The table


def table_of(rights: dict[str, list[int]], *, margin: float = 0.5) -> Any:
    names = {name: finalist(name, network(4), published=name.startswith("K")) for name in rights}
    seeds = max(map(len, rights.values()))
    chosen = retrain_settings(list(names.values()), seeds=seeds, margin=margin)
    results = [result_of(name, repeat, right) for name, row in rights.items() for repeat, right in enumerate(row)]
    return tabulate(chosen, results), chosen


def test_the_best_published_network_is_the_one_of_the_highest_mean_and_first_the_one_of_the_search():
    table, _ = table_of({"trial 1": [340, 341], "trial 2": [350, 351], "K1": [330, 331], "K2": [338, 339]})
    assert (table.first, table.best_published) == ("trial 1", "K2")
    assert [row.finalist.name for row in table.rows] == ["trial 2", "trial 1", "K2", "K1"]
    assert [one.network for one in table.against_published] == ["trial 1", "trial 2"]
    assert [one.network for one in table.against_first] == ["trial 2", "K1", "K2"]


def test_a_difference_an_equivalence_and_what_is_neither_are_told_apart():
    rights = {
        "trial 1": [350, 351, 350, 351, 350],
        "trial 2": [330, 331, 330, 331, 330],
        "trial 3": [320, 359, 335, 358, 340],
        "K1": [350, 350, 351, 351, 350],
    }
    table, _ = table_of(rights, margin=1.0)
    assert [one.verdict for one in table.against_published] == ["equivalent", "worse", "undecided"]
    assert all(one.p <= one.p_holm for one in (*table.against_published, *table.against_first))


def test_verdicts_are_by_the_corrected_p_value():
    rights = {"trial 1": [340, 343, 346]} | {f"trial {n}": [347, 350, 352] for n in range(2, 12)}
    table, _ = table_of(rights)
    assert all(one.p < 0.05 <= one.p_holm and one.verdict == "undecided" for one in table.against_first)


def test_with_one_seed_nothing_is_tested():
    table, chosen = table_of({"trial 1": [359], "K1": [100]})
    assert table.rows[0].sd is None
    assert table.rows[0].interval is None
    assert [one.verdict for one in table.against_published] == ["undecided"]
    assert "With one seed there is no spread" in report.text(table, chosen)
    assert json.loads(json.dumps(report.plain(table), allow_nan=False))["against_published"][0]["low"] is None


def test_without_a_published_network_only_the_first_is_compared_with():
    table, chosen = table_of({"trial 1": [350, 351], "trial 2": [340, 339]})
    assert (table.best_published, table.against_published) == (None, ())
    assert "No published network fits the budget" in report.text(table, chosen)


def test_text_and_markdown_and_csv_say_the_same():
    table, chosen = table_of({"trial 1": [350, 352, 353], "trial 2": [340, 339, 345], "K1": [345, 350, 341]})
    lines = list(csv.DictReader(report.comma_separated(table).splitlines()))
    assert [line["network"] for line in lines] == [row.finalist.name for row in table.rows]
    for line, row in zip(lines, table.rows, strict=True):
        for text in (report.text(table, chosen), report.markdown(table, chosen, title="t")):
            assert f"{row.mean:.2f}" in text
            assert f"{row.interval[0]:.2f} to " in text
        assert float(line["test_mean"]) == row.mean
    by_name = {line["network"]: line for line in lines}
    assert by_name["K1"]["against_published_p"] == by_name["trial 1"]["against_first_p"] == ""
    assert float(by_name["trial 2"]["against_first_difference"]) == table.against_first[0].difference


def test_the_notes_state_the_error_of_the_test_split_and_how_often_it_was_read():
    table, chosen = table_of({"trial 1": [350, 352], "K1": [345, 350]})
    said = " ".join(report.notes(table, chosen))
    share = 351 / IMAGES
    assert f"standard error of {100 * (share * (1 - share) / IMAGES) ** 0.5:.2f} points" in said
    assert "read 4 times" in said
    assert "+-0.5 points" in said


def test_networks_that_came_out_over_the_budget_are_named():
    chosen = dataclasses.replace(retrain_settings(), budget_macs=9_999)
    table = tabulate(chosen, [result_of("trial 3", 0, 350), result_of("trial 3", 1, 351), result_of("Known", 0, 350)])
    assert table is not None
    assert "trainings of trial 3 2 of 2, Known 1 of 1" in report.text(table, chosen)
    within = tabulate(retrain_settings(), [result_of("trial 3", 0, 350)])
    assert within is not None
    assert "Above the budget" not in report.text(within, retrain_settings())


def test_the_picture_is_drawn(tmp_path):
    table, chosen = table_of({"trial 1": [350, 350, 351], "K1": [345, 350, 340]})
    figure.save(tmp_path / "p.png", table, chosen, title="t")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    assert figure.stacked([1.0, 2.0, 1.0, 1.0]) == [0.0, 0.0, 0.09, 0.18]


# Choosing, and the command


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study of three trained networks, one repeated, one over the budget of 30,000 MACs, one failed."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "studies" / "s"
    folder.mkdir(parents=True)
    data = DataSettings.of(WHOLE, SHORT, spec="digits", data_dir=None, image_size=None)
    facts: dict[str, Any] = {
        "space": load_space("igcv1").to_dict(),
        "space_path": "all",
        "objective": "front",
        "sampler": "tpe",
        "seed": 0,
    }
    guarded = StudySettings(**facts, budget_macs=30_000, baselines=False, data=data, training=SHORT)
    guard_settings(folder, guarded)
    open_study(folder, create_for=guarded)
    add(folder, network(4), 90.0)
    add(folder, network(8), 95.0)
    add(folder, network(8), 91.0)
    add(folder, network(12), 92.0)
    add(folder, network(16), 99.0, measured=40_000)
    add(folder, network(20), None)
    return folder


def add(folder: Path, architecture: Architecture, accuracy: float | None, *, measured: int | None = None) -> None:
    cost = count(architecture)
    costs = {"macs": cost.macs, "params": cost.params, "target": 30_000}
    attributes = proposal_attributes(architecture, **costs, baseline=None, seed=0, epochs=2)
    macs = measured or cost.macs
    attributes |= {"val_accuracy": accuracy, "measured_macs": macs, "measured_params": cost.params, "seconds": 0.5}
    state = TrialState.FAIL if accuracy is None else TrialState.COMPLETE
    values = None if accuracy is None else [accuracy, macs]
    open_study(folder).add_trial(create_trial(state=state, values=values, user_attrs=attributes))


def chosen_of(folder: Path, *, top: int | None = 5, trials: Sequence[int] | None = None) -> list[str]:
    every = records(open_study(folder))
    return [one.name for one in choose_finalists(every, StudySettings.read(folder), top=top, trials=trials)]


def test_the_best_by_mean_accuracy_within_the_budget_are_chosen_with_all_published_that_fit(study):
    assert chosen_of(study) == ["trial 1", "trial 3", "trial 0", "ResNet-20", "MobileNetV2"]
    assert chosen_of(study, top=1) == ["trial 1", "ResNet-20", "MobileNetV2"]
    every = records(open_study(study))
    first = choose_finalists(every, StudySettings.read(study), top=1, trials=None)[0]
    assert (first.val_accuracy, first.trainings) == (93.0, 2)


def test_networks_can_be_named_a_repeat_means_its_network(study):
    assert chosen_of(study, trials=[4, 0, 2]) == ["trial 4", "trial 0", "trial 1", "ResNet-20", "MobileNetV2"]
    with pytest.raises(StudyError, match="no trained network of number 5; trained are 0, 1, 2, 3, 4"):
        chosen_of(study, trials=[5])


def test_settings_survive_a_file_and_other_ones_are_refused_with_the_difference(tmp_path):
    assert guard(tmp_path, retrain_settings()) == retrain_settings()
    assert guard(tmp_path, retrain_settings()) == retrain_settings()
    with pytest.raises(StudyError, match=r"margin: 0.5 -> 0.2; seeds: 2 -> 3"):
        guard(tmp_path, retrain_settings(seeds=3, margin=0.2))
    with pytest.raises(StudyError, match=r"training.epochs: 2 -> 3"):
        guard(tmp_path, retrain_settings(epochs=3))


def test_networks_stay_those_chosen_at_the_start(tmp_path):
    guard(tmp_path, retrain_settings())
    assert guard(tmp_path, retrain_settings(PAIR[:1])).finalists == PAIR


@pytest.mark.parametrize("change", [{"seeds": 0}, {"margin": 0.0}, {"margin": 100.0}])
def test_senseless_settings_are_refused(change):
    with pytest.raises(IgcnasError, match=r"--(seeds|margin) .* is usual"):
        retrain_settings(**change)


COMMAND = ("retrain", "s", "--trials", "0", "--seeds", "2", "--epochs", "1")


def test_the_command_prints_the_table_and_writes_it_and_a_second_call_trains_nothing(study, capsys):
    assert main([*COMMAND, "--workers", "1"]) == 0  # with more the last line may be of another
    out = capsys.readouterr().out
    folder = study / "retrain-1"
    assert "   6/6  MobileNetV2, seed 1" in out
    assert "against trial 0, first in the search" in out
    assert f"wrote     {folder.relative_to(Path.cwd()) / 'table.md'}" in out
    written = {name: (folder / name).read_bytes() for name in ("table.md", "table.csv", "accuracies.png")}
    assert main([*COMMAND, "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert {row["finalist"]["name"] for row in json.loads(captured.out)["rows"]} == {
        "trial 0",
        "ResNet-20",
        "MobileNetV2",
    }
    assert written == {name: (folder / name).read_bytes() for name in written}
    add(study, network(6), 99.5)  # the study goes on; the finalists do not
    assert main([*COMMAND[:2], "--top", "2", "--seeds", "2", "--epochs", "1"]) == 2
    assert "top: None -> 2; trials: [0] -> None" in capsys.readouterr().err


def test_the_results_are_those_of_one_worker_with_any_number(study):
    for workers in "12":
        assert main([*COMMAND, "--workers", workers, "--name", f"by-{workers}", "--json"]) == 0
    for path in (study / "by-1").glob("*-seed*"):
        other = study / "by-2" / path.name
        if path.suffix == ".json":
            found, wanted = (json.loads(one.read_text()) | {"seconds": 0} for one in (other, path))
            assert found == wanted
        else:
            assert other.read_bytes() == path.read_bytes()
    assert len(list((study / "by-2").glob("*.safetensors"))) == 6
    assert '"workers": 2' in (study / "by-2" / "runs.jsonl").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nothing",), "unknown study 'nothing'; known: s"),
        (("s", "--top", "0"), "--top 0 must be 1 or more"),
        (("s", "--trials", "a"), "--trials 'a' must be numbers"),
        (("s", "--trials", "99"), "no trained network of number 99; trained are 0, 1, 2, 3, 4"),
        (("s", "--seeds", "0"), "--seeds 0 must be 1 or more"),
        (("s", "--epochs", "0"), "epochs must be at least 1"),
        (("s", "--margin", "-1"), "--margin -1 must be points"),
        (("s", "--workers", "0"), "--workers 0 must be a number of 1 or more, or auto"),
        (("s", "--device", "tpu"), "unknown device 'tpu'"),
    ],
)
def test_a_mistake_is_one_line(study, capsys, words, message):
    assert main(["retrain", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert not list(study.glob("retrain-*"))


def test_data_that_have_changed_are_refused(study, capsys, monkeypatch):
    turned = dataclasses.replace(WHOLE, train=Split(images=255 - WHOLE.train.images, labels=WHOLE.train.labels))
    monkeypatch.setattr(DataSettings, "load", lambda _self: turned)
    assert main([*COMMAND]) == 2
    assert "has changed since it was searched" in capsys.readouterr().err


def test_ctrl_c_says_how_to_go_on(study):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "igcnas", *COMMAND[:-1], "300"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        while "time " not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped with 0 of 6 trainings; nothing is lost" in out
    assert "igcnas retrain s --trials 0" in out
