"""The process that trains: it never touches the study, and persists from network to network.

It reads jobs from a pipe, answers with messages, and writes weights and result into the folder of the trial, whole and
renamed, so that a result that was once computed survives a kill of everything.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import traceback
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from igcnas.architecture import Architecture
from igcnas.errors import IgcnasError, TrainingError
from igcnas.settings import TrainingSettings
from igcnas.study import DataSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSetup:
    """What a worker needs to know once."""

    data: DataSettings
    training: TrainingSettings
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Train this network and leave its files in this folder."""

    architecture: Architecture
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Time a few steps of these networks, to say beforehand how long a search will take."""

    architectures: tuple[Architecture, ...]


_MEASURED_BATCH = 500

# Messages to the controller: a word and its content.
READY, EPOCH, DONE, FAILED, BROKEN, PROBED = "ready", "epoch", "done", "failed", "broken", "probed"


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
                pipe.send((DONE, trainer.run(job, lambda report: pipe.send((EPOCH, report)))))
        except TrainingError as error:
            pipe.send((FAILED, str(error)))
        except Exception:  # whatever a network can do to torch must reach the controller with its place
            pipe.send((BROKEN, "error in training: " + traceback.format_exc().strip().replace("\n", " | ")))
            return  # a fault of CUDA stays with its process


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

    def run(self, job: Job, on_epoch: Any) -> dict[str, Any]:
        """Train; write weights.safetensors, then result.json; return what the study stores."""
        import torch

        from igcnas.cost import count_plan
        from igcnas.lowering import lower
        from igcnas.plan import plan
        from igcnas.training import accuracy, settle_gates, train

        folder = Path(job.folder)
        folder.mkdir(parents=True, exist_ok=True)
        known = read_result(folder, job.architecture)
        if known is not None:
            return known
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        checkpoint = folder / "checkpoint.pt"
        result = train(job.architecture, self.data, self.setup.training, on_epoch=on_epoch, checkpoint=checkpoint)
        network = plan(job.architecture)
        parts = torch.split(self.data.validation.images, _MEASURED_BATCH)
        _, raised = settle_gates(network, result.network, lambda: (self.data.normalize(images) for images in parts))
        val_accuracy = result.val_accuracy
        if raised:  # its masks are others now
            val_accuracy = accuracy(result.network, self.data.validation, self.data.normalize)
        measured = count_plan(lower(network, result.network).plan)
        outcome = {
            "architecture_id": job.architecture.id,
            "val_accuracy": val_accuracy,
            "seconds": round(result.seconds, 3),
            "device": self.device_name,
            "measured_macs": measured.macs,
            "measured_params": measured.params,
            "peak_memory_mb": self._peak_memory_mb(),
            "curve": [[r.epoch, round(r.train_loss, 6), r.val_accuracy] for r in result.curve],
        }
        _write_weights(folder / "weights.safetensors", result.network.state_dict(), job.architecture)
        _write_whole(folder / "result.json", json.dumps(outcome).encode())
        checkpoint.unlink(missing_ok=True)
        return _stored(outcome)

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


def read_result(folder: Path, architecture: Architecture) -> dict[str, Any] | None:
    """The result that a training of this network left in a trial's folder, if it got so far."""
    path = folder / "result.json"
    if not path.is_file() or not (folder / "weights.safetensors").is_file():
        return None
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return _stored(result) if result.get("architecture_id") == architecture.id else None


def _stored(outcome: dict[str, Any]) -> dict[str, Any]:
    """What the study stores of a result; its trials have the id already."""
    return {key: value for key, value in outcome.items() if key != "architecture_id"}


def _write_weights(path: Path, state: dict[str, Any], architecture: Architecture) -> None:
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    _write_whole(path, save(tensors, metadata={"architecture": architecture.to_json()}))


def _write_whole(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
