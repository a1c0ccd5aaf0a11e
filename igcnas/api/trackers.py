"""Callbacks that write what happens in a search to TensorBoard, MLflow or Weights & Biases.

Convention: a trial is a run of the tracker, named by its number and network. Its parameters are the searched values and
what the network costs; its curve is logged by epoch under train_loss and val_accuracy (percent), its result under
accuracy and macs. A training that is taken up tells its curve again: the points are overwritten or repeated, as
the tracker has it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igcnas.search.callbacks import Callback
from igcnas.system.extras import extra

if TYPE_CHECKING:
    from igcnas.search.records import TrialRecord
    from igcnas.search.study import Study
    from igcnas.training.reports import EpochReport


def _parameters(trial: TrialRecord) -> dict[str, Any]:
    """What a run says of its network."""
    return {
        "number": trial.number,
        "network": trial.architecture.title(),
        "architecture_id": trial.architecture.id,
        "family": trial.architecture.family,
        "baseline": trial.baseline or "",
        "repeat_of": "" if trial.repeat_of is None else trial.repeat_of,
        "macs": trial.macs,
        "params": trial.params,
        "epochs": trial.epochs,
        "seed": trial.seed,
    }


def _points(epoch: EpochReport) -> dict[str, float]:
    found = {"train_loss": epoch.train_loss, "val_accuracy": epoch.val_accuracy}
    return {name: value for name, value in found.items() if not math.isnan(value)}


def _results(trial: TrialRecord) -> dict[str, float]:
    """Of a trial that ended with an accuracy."""
    if trial.val_accuracy is None:
        return {}
    return {"accuracy": trial.val_accuracy, "final_macs": trial.final_macs, "final_params": trial.final_params}


def _name(trial: TrialRecord) -> str:
    return f"{trial.number:05d} {trial.baseline or trial.architecture.label()}"


class TensorBoard(Callback):
    """Events that TensorBoard shows, a folder a trial. folder: where to; None: tensorboard/ in that of the study."""

    def __init__(self, folder: str | Path | None = None) -> None:
        self._writers = extra("tensorboardX", what="igcnas.TensorBoard")
        self._folder = None if folder is None else Path(folder)
        self._open: dict[int, Any] = {}

    def search_began(self, folder: Path) -> None:
        """Find the place."""
        self._folder = folder / "tensorboard" if self._folder is None else self._folder

    def trial_began(self, trial: TrialRecord) -> None:
        """One folder more."""
        assert self._folder is not None, "the search said where it is"
        self._open[trial.number] = self._writers.SummaryWriter(str(self._folder / f"{trial.number:05d}"))

    def epoch_ended(self, trial: TrialRecord, epoch: EpochReport) -> None:
        """One point of each curve."""
        for name, value in _points(epoch).items():
            self._open[trial.number].add_scalar(name, value, epoch.epoch)

    def trial_ended(self, trial: TrialRecord) -> None:
        """Its parameters beside its results."""
        writer = self._open.pop(trial.number, None)
        if writer is None:
            return
        results = _results(trial)
        if results:
            writer.add_hparams(_parameters(trial), results, name="result")
        writer.close()

    def search_ended(self, study: Study) -> None:
        """Close what a stop left open."""
        for writer in self._open.values():
            writer.close()
        self._open = {}


class MLflow(Callback):
    """Runs of an MLflow experiment. tracking_uri: of the server or folder; None: as MLflow is configured."""

    def __init__(self, *, tracking_uri: str | None = None, experiment: str | None = None) -> None:
        tracking = extra("mlflow.tracking", what="igcnas.MLflow")
        self._client = tracking.MlflowClient(tracking_uri=tracking_uri)
        self._experiment_name, self._experiment = experiment, ""
        self._runs: dict[int, str] = {}

    def search_began(self, folder: Path) -> None:
        """The experiment of that name, made if it is not there."""
        name = self._experiment_name or folder.name
        found = self._client.get_experiment_by_name(name)
        self._experiment = self._client.create_experiment(name) if found is None else found.experiment_id

    def trial_began(self, trial: TrialRecord) -> None:
        """A run, or the one of an earlier call, which goes on."""
        found = self._client.search_runs([self._experiment], f"params.architecture_id = '{trial.architecture.id}'")
        known = [run for run in found if run.data.params.get("number") == str(trial.number)]
        if known:
            self._runs[trial.number] = known[0].info.run_id
            self._client.update_run(known[0].info.run_id, status="RUNNING")
            return
        run = self._client.create_run(self._experiment, run_name=_name(trial)).info.run_id
        self._runs[trial.number] = run
        for key, value in _parameters(trial).items():
            self._client.log_param(run, key, value)

    def epoch_ended(self, trial: TrialRecord, epoch: EpochReport) -> None:
        """One point of each curve."""
        for name, value in _points(epoch).items():
            self._client.log_metric(self._runs[trial.number], name, value, step=epoch.epoch)

    def trial_ended(self, trial: TrialRecord) -> None:
        """The results, and how it ended."""
        run = self._runs.pop(trial.number, None)
        if run is None:
            return
        for name, value in _results(trial).items():
            self._client.log_metric(run, name, value)
        self._client.set_tag(run, "state", trial.state)
        self._client.set_terminated(run, "FAILED" if trial.state == "failed" else "FINISHED")

    def search_ended(self, study: Study) -> None:
        """Runs that a stop left are taken up by the next call."""
        for run in self._runs.values():
            self._client.set_terminated(run, "KILLED")
        self._runs = {}


class WandB(Callback):
    """Runs of a Weights & Biases project, grouped by study.

    mode: 'online', 'offline' (local files alone) or 'disabled'; None: as wandb is configured. project: None for
    'igcnas'. folder: where files are written; None: that of the study.
    """

    def __init__(
        self, *, project: str | None = None, mode: str | None = None, folder: str | Path | None = None
    ) -> None:
        self._wandb = extra("wandb", what="igcnas.WandB")
        self._project, self._mode, self._folder = project or "igcnas", mode, folder
        self._group = ""
        self._runs: dict[int, Any] = {}

    def search_began(self, folder: Path) -> None:
        """The group is the study."""
        self._group, self._folder = folder.name, self._folder or folder

    def trial_began(self, trial: TrialRecord) -> None:
        """A run; its id follows from study and trial, so that a later call goes on with it."""
        self._runs[trial.number] = self._wandb.init(
            project=self._project,
            group=self._group,
            name=_name(trial),
            id=f"{self._group}-{trial.number:05d}-{trial.architecture.id}",
            resume="allow",
            mode=self._mode,
            dir=str(self._folder),
            config=_parameters(trial),
            reinit="create_new",
            settings=self._wandb.Settings(silent=True),
        )

    def epoch_ended(self, trial: TrialRecord, epoch: EpochReport) -> None:
        """One point of each curve."""
        self._runs[trial.number].log(_points(epoch), step=epoch.epoch)

    def trial_ended(self, trial: TrialRecord) -> None:
        """The results, in the summary of the run."""
        run = self._runs.pop(trial.number, None)
        if run is None:
            return
        run.summary.update({**_results(trial), "state": trial.state})
        run.finish(exit_code=1 if trial.state == "failed" else 0)

    def search_ended(self, study: Study) -> None:
        """Close what a stop left open."""
        for run in self._runs.values():
            run.finish(exit_code=1)
        self._runs = {}
