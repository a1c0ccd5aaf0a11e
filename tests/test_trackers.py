"""What a search tells TensorBoard, MLflow and Weights & Biases, read back from their own files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import igcnas
from igcnas.api.study import SearchedStudy
from igcnas.api.trackers import MLflow, TensorBoard, WandB
from igcnas.errors import MissingExtraError
from igcnas.search.records import TrialRecord
from igcnas.training.reports import EpochReport

pytestmark = pytest.mark.usefixtures("forked_workers")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> SearchedStudy:
    """Two trials: their events are told to each tracker again."""
    how: dict[str, Any] = {"epochs": 2, "seeds": 1, "no_baselines": True, "no_export": True, "workers": 1, "seed": 3}
    root = tmp_path_factory.mktemp("studies")
    return igcnas.search("digits", budget_mflops=0.05, networks=2, study="s", studies_dir=root, progress=False, **how)


def tell(callback: igcnas.Callback, study: SearchedStudy, *, until: int | None = None) -> None:
    """All events of the study, or those before the trial `until` ends."""
    callback.search_began(study.folder)
    for trial in study.trials:
        callback.trial_began(trial)
        for epoch, loss, accuracy in trial.curve:
            callback.epoch_ended(trial, EpochReport(epoch=epoch, train_loss=loss, val_accuracy=accuracy))
        if trial.number == until:
            break
        callback.trial_ended(trial)
    callback.search_ended(study._study)


def comes_to_hold(file: Path, text: bytes) -> bool:
    """Whether a file that another process writes holds the text before long."""
    end = time.monotonic() + 60
    while text not in file.read_bytes():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def accuracies(trial: TrialRecord) -> list[float]:
    return [accuracy for _, _, accuracy in trial.curve]


def test_tensorboard_holds_a_run_a_trial_with_its_curve(study, tmp_path):
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import RecordWriter  # noqa: F401  the reader below is of its format

    tell(TensorBoard(tmp_path), study)
    for trial in study.trials:
        (file,) = (tmp_path / f"{trial.number:05d}").glob("events.out.tfevents.*")
        content, place, points = file.read_bytes(), 0, []
        while place < len(content):
            size = int.from_bytes(content[place : place + 8], "little")
            event = Event.FromString(content[place + 12 : place + 12 + size])
            place += 16 + size
            points += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
        curve = [(step, value) for tag, step, value in points if tag == "val_accuracy"]
        assert curve == [(step, pytest.approx(value)) for step, value in enumerate(accuracies(trial), start=1)]


def test_tensorboard_goes_to_the_folder_of_the_study_by_itself(study):
    tell(TensorBoard(), study)
    assert sorted(path.name for path in (study.folder / "tensorboard").iterdir())[0] == "00000"


def test_mlflow_holds_a_run_a_trial_and_takes_it_up_again(study, tmp_path):
    from mlflow.tracking import MlflowClient

    where = f"sqlite:///{tmp_path / 'runs.db'}"
    last = study.trials[-1]
    tell(MLflow(tracking_uri=where), study, until=last.number)
    client = MlflowClient(tracking_uri=where)
    experiment = client.get_experiment_by_name("s").experiment_id
    runs = {run.data.params["number"]: run for run in client.search_runs([experiment])}
    assert runs[str(last.number)].info.status == "KILLED"
    tell(MLflow(tracking_uri=where), study)
    runs = {run.data.params["number"]: run for run in client.search_runs([experiment])}
    assert len(runs) == len(study.trials)
    for trial in study.trials:
        run = runs[str(trial.number)]
        assert run.info.status == "FINISHED"
        assert run.data.params["architecture_id"] == trial.architecture.id
        assert run.data.metrics["accuracy"] == trial.val_accuracy
        assert run.data.metrics["final_macs"] == trial.final_macs
        history = client.get_metric_history(run.info.run_id, "val_accuracy")
        assert {(point.step, point.value) for point in history} == set(enumerate(accuracies(trial), start=1))


def test_weights_and_biases_offline_writes_its_own_files_alone(study, tmp_path):
    tell(WandB(mode="offline", folder=tmp_path), study)
    files = sorted(tmp_path.glob("wandb/offline-run-*/run-*.wandb"))
    assert len(files) == len(study.trials)
    for trial, file in zip(study.trials, files, strict=True):
        for text in (trial.architecture.id, "val_accuracy", "train_loss"):
            assert comes_to_hold(file, text.encode()), text


def test_a_tracker_that_is_not_installed_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "wandb", None)
    with pytest.raises(MissingExtraError, match=r'pip install "igcnas\[wandb\]"'):
        WandB()


def test_a_trial_that_failed_is_a_run_that_failed(study, tmp_path):
    import dataclasses

    from mlflow.tracking import MlflowClient

    where = f"sqlite:///{tmp_path / 'runs.db'}"
    tracker, failed = (
        MLflow(tracking_uri=where),
        dataclasses.replace(study.trials[0], state="failed", val_accuracy=None, reason="diverged"),
    )
    tracker.search_began(Path("s"))
    tracker.trial_began(failed)
    tracker.trial_ended(failed)
    client = MlflowClient(tracking_uri=where)
    (run,) = client.search_runs([client.get_experiment_by_name("s").experiment_id])
    assert run.info.status == "FAILED"
    assert "accuracy" not in run.data.metrics
