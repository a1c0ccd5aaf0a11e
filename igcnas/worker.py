"""The process that trains: it never touches the study, and persists from network to network.

It reads jobs from a pipe, answers with messages, and writes weights and result into the folder of the trial, whole and
renamed, so that a result that was once computed survives a kill of everything.

Where the study prunes, the worker waits after each epoch for the controller's word, GO or END. It decides nothing
itself, and ends itself where no word comes.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igcnas.architecture import Architecture
from igcnas.errors import IgcnasError, TrainingError
from igcnas.settings import TrainingSettings
from igcnas.study import DataSettings

if TYPE_CHECKING:
    import torch
    from torch import nn

    from igcnas.plan import Plan
    from igcnas.training import EpochReport


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSetup:
    """What a worker needs to know once. prunes: it waits after each epoch. latency: it measures that, too."""

    data: DataSettings
    training: TrainingSettings
    device: str
    prunes: bool = False
    latency: bool = False
    checkpoint_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Train this network, with the seed of this repeat, and leave its files in this folder."""

    architecture: Architecture
    folder: str
    repeat: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Time a few steps of these networks, to say beforehand how long a search will take."""

    architectures: tuple[Architecture, ...]


# The controller answers in milliseconds; one that was suspended may come back.
_ANSWER_SECONDS = 3600.0

# Messages to the controller: a word and its content.
READY, EPOCH, DONE, PRUNED, FAILED, BROKEN, PROBED = "ready", "epoch", "done", "pruned", "failed", "broken", "probed"
# Its answers to EPOCH, where the study prunes.
GO, END = "go", "end"


def main(pipe: Connection, setup: WorkerSetup) -> None:
    """Serve jobs until the pipe closes. Ctrl-C is the controller's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        trainer = _Trainer(setup)
    except IgcnasError as error:
        pipe.send((BROKEN, str(error)))
        return
    pipe.send((READY, trainer.device_name))
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        try:
            if isinstance(job, Probe):
                pipe.send((PROBED, trainer.probe(job)))
            else:
                results, pruned = trainer.run(job, lambda report: _tell_epoch(pipe, report, waits=setup.prunes))
                pipe.send((PRUNED if pruned else DONE, results))
        except _NoAnswer:
            return
        except TrainingError as error:
            pipe.send((FAILED, str(error)))
        except Exception:  # whatever a network can do to torch must reach the controller with its place
            pipe.send((BROKEN, "error in training: " + traceback.format_exc().strip().replace("\n", " | ")))
            return  # a fault of CUDA stays with its process


class _NoAnswer(Exception):  # noqa: N818 - the controller's business, not an error of this process
    """The controller is gone or silent: without its word a training must not go on."""


def _tell_epoch(pipe: Connection, report: EpochReport, *, waits: bool) -> bool:
    """Report an epoch; whether the controller wants it to be the last."""
    pipe.send((EPOCH, report))
    if not waits:
        return False
    try:
        if pipe.poll(_ANSWER_SECONDS):
            return bool(pipe.recv() == END)
    except (EOFError, OSError):
        pass
    raise _NoAnswer


def _die_with_parent() -> None:
    """End with the controller, even when that was killed: a worker without one would train for nobody."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


class _Trainer:
    def __init__(self, setup: WorkerSetup) -> None:
        from igcnas.training import TrainingData, device, prepare_device, resolve_device

        self.setup = setup
        self.device = resolve_device(setup.device)
        self.device_name = device.describe(self.device)
        _, height, width = setup.data.input_shape
        prepare_device(self.device, height * width)
        self.data = TrainingData.of(setup.data.load(), setup.training, self.device)

    def run(self, job: Job, on_epoch: Callable[[EpochReport], bool]) -> tuple[dict[str, Any], bool]:
        """Train; write weights.safetensors, then result.json; what the study stores, and whether it was pruned.

        A pruned network leaves no weights.
        """
        import torch

        from igcnas.cost import count_plan
        from igcnas.lowering import lower
        from igcnas.plan import plan
        from igcnas.training import settled_accuracy, train
        from igcnas.training.checkpoint import write_weights

        folder = Path(job.folder)
        folder.mkdir(parents=True, exist_ok=True)
        known = read_result(folder, job.architecture)
        if known is not None:
            return known
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        checkpoint = folder / "checkpoint.pt"
        result = train(
            job.architecture,
            self.data,
            self.setup.training,
            repeat=job.repeat,
            on_epoch=on_epoch,
            checkpoint=checkpoint,
            checkpoint_seconds=self.setup.checkpoint_seconds,
        )
        outcome = {
            "architecture_id": job.architecture.id,
            "val_accuracy": result.val_accuracy,
            "seconds": round(result.seconds, 3),
            "device": self.device_name,
            "peak_memory_mb": self._peak_memory_mb(),
            "curve": [[r.epoch, round(r.train_loss, 6), r.val_accuracy] for r in result.curve],
        }
        if result.ended_early:
            return _left(folder, outcome | {"pruned": True}), True
        network = plan(job.architecture)
        outcome["val_accuracy"] = settled_accuracy(network, result.network, self.data, result.val_accuracy)
        lowered = lower(network, result.network)
        measured = count_plan(lowered.plan)
        outcome |= {"measured_macs": measured.macs, "measured_params": measured.params}
        outcome |= self._latency(lowered.plan, lowered.state)
        metadata = {"architecture": job.architecture.to_json()}
        write_weights(folder / "weights.safetensors", result.network.state_dict(), metadata)
        return _left(folder, outcome), False

    def _latency(self, lowered: Plan, state: dict[str, torch.Tensor]) -> dict[str, float | None]:
        """Milliseconds for one image on this device, of the network as it would run."""
        if not self.setup.latency:
            return {"latency_ms": None, "latency_iqr_ms": None}
        from igcnas.latency import measure
        from igcnas.network import build

        network: nn.Module = build(lowered)
        network.load_state_dict(state)
        found = measure(network.eval().to(self.device), self.setup.data.input_shape, self.device, batch=1)
        return {"latency_ms": found.median_ms, "latency_iqr_ms": found.iqr_ms}

    def probe(self, job: Probe) -> list[float]:
        """Seconds that the training of each of these networks will take."""
        import dataclasses
        import time

        from igcnas.training import TrainingData, train

        settings = dataclasses.replace(self.setup.training, epochs=1)
        images = min(len(self.data.training), 4 * settings.batch_size)
        few = self.data.training.images[:images], self.data.training.labels[:images]
        data: TrainingData = dataclasses.replace(
            self.data,
            training=type(self.data.training)(*few),
            validation=type(self.data.validation)(*few),
        )
        # A training image costs about three times a validation image; the probe saw as many of one as of the other.
        share = 0.75 * len(self.data.training) + 0.25 * len(self.data.validation)
        seconds = []
        for architecture in job.architectures:
            train(architecture, data, settings)  # the first run of a shape is slower
            start = time.perf_counter()
            train(architecture, data, settings)
            seconds.append((time.perf_counter() - start) * share / images * self.setup.training.epochs)
        return seconds

    def _peak_memory_mb(self) -> float | None:
        if self.device.type == "cuda":
            import torch

            return round(torch.cuda.max_memory_allocated(self.device) / 1e6, 1)
        try:
            import resource
        except ImportError:  # Windows
            return None
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, 1)


def read_result(folder: Path, architecture: Architecture) -> tuple[dict[str, Any], bool] | None:
    """The result that a training of this network left in a trial's folder, and whether it was pruned; None without."""
    path = folder / "result.json"
    if not path.is_file():
        return None
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    pruned = bool(result.get("pruned"))
    if result.get("architecture_id") != architecture.id or not (pruned or (folder / "weights.safetensors").is_file()):
        return None
    return _stored(result), pruned


def _left(folder: Path, outcome: dict[str, Any]) -> dict[str, Any]:
    """Leave the result in the folder; what the study stores of it."""
    from igcnas.training.checkpoint import write_whole

    write_whole(folder / "result.json", json.dumps(outcome).encode())
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    return _stored(outcome)


def _stored(outcome: dict[str, Any]) -> dict[str, Any]:
    """What the study stores of a result; its trials have the id already."""
    return {key: value for key, value in outcome.items() if key not in ("architecture_id", "pruned")}
