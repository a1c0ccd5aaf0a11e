"""The comparison behind a refactoring sees what a user would, and nothing that another run of the same code changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import optuna
import pytest
from onnx import TensorProto, helper, numpy_helper
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from safetensors.numpy import save_file

from benchmarks.unchanged.difference import differences
from benchmarks.unchanged.files import without_times
from benchmarks.unchanged.reading import folder_facts

ROOT = Path(__file__).parents[1]


def write_journal(folder: Path, *, trials: int = 2, identity: str = "ab12", seconds: float = 1.5) -> None:
    folder.mkdir(parents=True)
    storage = JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    study = optuna.create_study(storage=storage, study_name="s", directions=["maximize", "minimize"])
    for number in range(trials):
        trial = study.ask()
        trial.suggest_int("depth", 1, 1)
        trial.set_user_attr("architecture_id", f"{identity}-{number}")
        trial.set_user_attr("seconds", seconds)
        study.tell(trial, [50.0, 1000.0])


def write_weights(folder: Path, value: float = 0.5) -> None:
    folder.mkdir(parents=True)
    save_file({"stem": np.full((2, 3), value, np.float32)}, folder / "weights.safetensors", {"architecture": "{}"})


def write_onnx(folder: Path, *, value: float = 0.5, producer: str = "one", note: str = "line 3") -> None:
    folder.mkdir(parents=True)
    shape = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    node = helper.make_node("Add", ["x", "w"], ["y"], name="sum")
    entry = node.metadata_props.add()
    entry.key, entry.value = "stack", note
    weight = numpy_helper.from_array(np.array([value], np.float32), "w")
    graph = helper.make_graph([node], "g", shape[:1], shape[1:], [weight])
    onnx.save(helper.make_model(graph, producer_name=producer), folder / "model.onnx")


def write_texts(folder: Path, *, seconds: float = 1.5, clip: str = "p0123456789", accuracy: float = 50.0) -> None:
    folder.mkdir(parents=True)
    result = {"val_accuracy": accuracy, "seconds": seconds, "of": [{"seconds": seconds, "macs": 7}]}
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    (folder / "trials.csv").write_text(f"number,seconds,val_accuracy\n0,{seconds},{accuracy}\n", encoding="utf-8")
    (folder / "card.md").write_text(f"{accuracy} % after {seconds} s on 2026-01-0{round(seconds)}\n", encoding="utf-8")
    (folder / "front.svg").write_text(f'<g clip-path="url(#{clip})">{accuracy}</g>', encoding="utf-8")
    (folder / "runs.jsonl").write_text(json.dumps({"began": seconds}), encoding="utf-8")


def changed(folder: Path, write, before: dict[str, object], after: dict[str, object]) -> list[str]:
    """The names of the facts that differ between what `write` leaves with one choice of arguments and another."""
    for name, arguments in (("before", before), ("after", after)):
        write(folder / name, **arguments)
    lines = differences(folder_facts(folder / "before"), folder_facts(folder / "after"))
    return [line.rpartition(" -> ")[0].rpartition(": ")[0] for line in lines]


def test_a_changed_weight_is_seen(tmp_path: Path) -> None:
    assert changed(tmp_path, write_weights, {"value": 0.5}, {"value": 0.5 + 1e-7}) == ["weights.safetensors: tensors"]


def test_a_changed_id_is_seen_with_both_values(tmp_path: Path) -> None:
    write_journal(tmp_path / "before", trials=1)
    write_journal(tmp_path / "after", trials=1, identity="cd34")
    lines = differences(folder_facts(tmp_path / "before"), folder_facts(tmp_path / "after"))
    assert lines == ['journal.log: trial 0, architecture_id: "ab12-0" -> "cd34-0"']


def test_a_missing_trial_is_seen(tmp_path: Path) -> None:
    names = changed(tmp_path, write_journal, {"trials": 2}, {"trials": 1})
    assert len(names) > 3
    assert all(name.startswith("journal.log: trial 1, ") for name in names)


def test_a_missing_file_is_seen(tmp_path: Path) -> None:
    write_weights(tmp_path / "best")
    assert len(differences(folder_facts(tmp_path), {})) == 3


def test_a_changed_initializer_of_an_exported_network_is_seen(tmp_path: Path) -> None:
    assert changed(tmp_path, write_onnx, {"value": 0.5}, {"value": 0.25}) == ["model.onnx: initializers"]


@pytest.mark.parametrize(
    ("write", "other"),
    [
        (write_journal, {"seconds": 2.5}),
        (write_texts, {"seconds": 2.5, "clip": "pabcdef0123"}),
        (write_onnx, {"producer": "another", "note": "line 4"}),
    ],
    ids=["records", "texts", "onnx"],
)
def test_times_and_who_wrote_a_file_are_not(tmp_path: Path, write, other) -> None:
    assert changed(tmp_path, write, {}, other) == []


def test_a_duration_is_a_duration_however_long() -> None:
    lines = [f"took {time} (in all)" for time in ("  9.9 s", " 62.0 s", "2 min", "1 h 2 min", "0.1 minutes")]
    assert len({without_times(line) for line in lines}) == 1
    assert without_times("9.94 % of 362 images") == "9.94 % of 362 images"


def test_another_accuracy_is_seen_in_each_text_and_words_can_be_left_out(tmp_path: Path) -> None:
    write_texts(tmp_path / "before")
    write_texts(tmp_path / "after", accuracy=51.0)
    before, after = folder_facts(tmp_path / "before"), folder_facts(tmp_path / "after")
    files = {line.partition(":")[0] for line in differences(before, after)}
    assert files == {"result.json", "trials.csv", "card.md", "front.svg"}
    assert {line.partition(":")[0] for line in differences(before, after, words=False)} == {"result.json", "trials.csv"}


@pytest.mark.parametrize(("other", "status"), [("ab", 0), ("cd", 1)])
def test_the_exit_status_says_whether_anything_differs(tmp_path: Path, other: str, status: int) -> None:
    for name, value in (("one.json", "ab"), ("other.json", other)):
        (tmp_path / name).write_text(json.dumps({"an id": value, "a number": "1"}), encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.unchanged", "compare", "one.json", "other.json"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == status
    assert result.stdout.endswith(f"{status} of 2 facts differ\n")
    assert ("an id: ab -> cd" in result.stdout) == bool(status)
