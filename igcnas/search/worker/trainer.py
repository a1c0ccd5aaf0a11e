"""What a worker does with a job: train the network, settle it, count it, leave its files; or time a few steps.

It decides nothing itself: whether a training goes on after an epoch, it asks.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from igcnas.modules.lowering import lower
from igcnas.network.architecture import Architecture
from igcnas.network.budget import limit_named
from igcnas.network.cost import count_plan
from igcnas.network.plan import Plan, plan
from igcnas.search.worker.memory import forget_peak, peak_memory_mb
from igcnas.search.worker.messages import Job, Probe, Probed, WorkerSetup
from igcnas.search.worker.result import CHECKPOINT, WEIGHTS, leave_result, read_result
from igcnas.system.files import make_folder, remove
from igcnas.training.checkpoint import write_weights
from igcnas.training.device import describe, prepare_device, resolve_device
from igcnas.training.engine import EpochReport
from igcnas.training.graph import WARM_UP
from igcnas.training.settings import TrainingSettings
from igcnas.training.settling import settled_accuracy
from igcnas.training.tensors import ImageTensors, TrainingData
from igcnas.training.trainer import train

# Of the look at how long trainings take. Steps of an epoch of it; steps until all that is captured is; then epochs are
# timed until the sum is no accident of the clock, or there are so many.
_FEW_STEPS, _WARM_STEPS = 4, WARM_UP + 1
_MEASURED_SECONDS, _MEASURED_EPOCHS = 0.2, 8
_NO_RATE = 1e-9


class Trainer:
    """The data on the device, and everything that outlives a job. An IgcnasError says why it cannot be.

    note: told what a user should know.
    """

    def __init__(self, setup: WorkerSetup, *, note: Callable[[str], None] = lambda _text: None) -> None:
        self.setup, self.note = setup, note
        self.device = resolve_device(setup.device)
        self.device_name = describe(self.device)
        _, height, width = setup.data.input_shape
        prepare_device(self.device, height * width)
        if setup.threads is not None or (self.device.type == "cpu" and setup.training.engine == "fast"):
            torch.set_num_threads(setup.threads or 1)  # the fast engine has one thread, and what is left is small
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
            if setup.memory_fraction is not None:
                torch.cuda.set_per_process_memory_fraction(setup.memory_fraction, self.device)
        self.data = TrainingData.of(setup.data.load(), setup.training, self.device)

    def run(self, job: Job, on_epoch: Callable[[EpochReport], bool]) -> tuple[dict[str, Any], bool]:
        """Train; write weights.safetensors, then result.json; what the study stores, and whether it was pruned.

        A pruned network leaves no weights.
        """
        folder = Path(job.folder)
        make_folder(folder, within=folder.parents[1])  # the study, under which trials/ may be missing yet
        known = read_result(folder, job.architecture, note=self.note)
        if known is not None:
            remove(folder / CHECKPOINT)  # of a run that ended between the two
            return known
        self._forget_peak()
        result = train(
            job.architecture,
            self.data,
            self.setup.training,
            repeat=job.repeat,
            on_epoch=on_epoch,
            checkpoint=folder / CHECKPOINT,
            checkpoint_seconds=self.setup.checkpoint_seconds,
            restart=self.note,
            capture=self.setup.capture if job.capture is None else job.capture,
        )
        outcome = {
            "architecture_id": job.architecture.id,
            "val_accuracy": result.val_accuracy,
            "seconds": round(result.seconds, 3),
            "device": self.device_name,
            "steps": result.steps,
            "peak_memory_mb": self._peak_memory_mb(),  # of the training: what follows takes no gradients
            "curve": [[r.epoch, round(r.train_loss, 6), r.val_accuracy] for r in result.curve],
        }
        if result.ended_early:
            return leave_result(folder, outcome | {"pruned": True}), True
        network = plan(job.architecture)
        outcome["val_accuracy"] = settled_accuracy(network, result.network, self.data, result.val_accuracy)
        lowered = lower(network, result.network)
        measured = count_plan(lowered.plan)
        outcome |= {"measured_macs": measured.macs, "measured_params": measured.params}
        if self.setup.limits:
            limits = {name: limit_named(name).of(lowered.plan) for name in self.setup.limits}
            outcome |= {"measured_limits": limits}
        outcome |= self._latency(lowered.plan, lowered.state)
        metadata = {"architecture": job.architecture.to_json()}
        outcome["weights_sha256"] = write_weights(folder / WEIGHTS, result.network.state_dict(), metadata)
        return leave_result(folder, outcome), False

    def _latency(self, lowered: Plan, state: dict[str, torch.Tensor]) -> dict[str, float | None]:
        """Milliseconds for one image on this device, of the network as it would run."""
        if not self.setup.latency:
            return {"latency_ms": None, "latency_iqr_ms": None}
        from igcnas.modules.build import build
        from igcnas.modules.latency import measure

        network = build(lowered)
        network.load_state_dict(state)
        found = measure(network.eval().to(self.device), self.setup.data.input_shape, self.device, batch=1)
        return {"latency_ms": found.median_ms, "latency_iqr_ms": found.iqr_ms}

    def probe(self, job: Probe) -> Probed:
        """Seconds that the training of each of these networks will take, and what memory the largest step took."""
        self._forget_peak()
        capture = self.setup.capture if job.capture is None else job.capture
        few = self._few_images()
        seconds: list[float] = []
        for architecture in job.architectures:
            # What a process does once is not of a training: on a CPU it loads each kernel at its first use. What a GPU
            # does once for each shape, every training has to pay.
            if not seconds or self.device.type == "cpu":
                train(architecture, few, self._short(1), capture=capture)
            seconds.append(self._expected_seconds(architecture, few, capture))
        return Probed(seconds=tuple(seconds), peak_memory_mb=self._held_memory_mb())

    def _expected_seconds(self, architecture: Architecture, few: TrainingData, capture: bool | None) -> float:
        """What the whole training of this network will take: what it costs once, and what each epoch costs.

        Both from one short training of a few images. Its first epochs, in which a graph is captured, and what came
        before and after them, less the time that so many later epochs took, is what a training costs once.
        """
        warm = 1
        if self.device.type == "cuda":  # evaluation is captured in the second epoch
            warm = max(2, math.ceil(_WARM_STEPS / few.steps(self.setup.training.batch_size)))
        ends: list[float] = []

        def told(_report: EpochReport) -> bool:
            ends.append(time.perf_counter())
            return len(ends) > warm and ends[-1] - ends[warm - 1] >= _MEASURED_SECONDS

        begin = time.perf_counter()
        train(architecture, few, self._short(warm + _MEASURED_EPOCHS), on_epoch=told, capture=capture)
        whole = time.perf_counter() - begin
        epoch = (ends[-1] - ends[warm - 1]) / (len(ends) - warm)
        # A training image costs about three times a validation image; an epoch here had as many of one as of the other.
        share = (0.75 * len(self.data.training) + 0.25 * len(self.data.validation)) / len(few.training)
        return max(0.0, whole - len(ends) * epoch) + epoch * share * self.setup.training.epochs

    def _few_images(self) -> TrainingData:
        """Of a few steps; the same for training and for validation."""
        images = min(len(self.data.training), _FEW_STEPS * self.setup.training.batch_size)
        few = ImageTensors(self.data.training.images[:images], self.data.training.labels[:images])
        return dataclasses.replace(self.data, training=few, validation=few)

    def _short(self, epochs: int) -> TrainingSettings:
        """Settings of a training that is only timed; at so small a rate none diverges."""
        return dataclasses.replace(self.setup.training, epochs=epochs, learning_rate=_NO_RATE)

    def _forget_peak(self) -> None:
        """Begin a measurement of memory."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        else:
            forget_peak()

    def _held_memory_mb(self) -> float | None:
        """The most that torch held on a GPU, in use or not; of the whole process on a CPU."""
        if self.device.type == "cuda":
            return round(torch.cuda.max_memory_reserved(self.device) / 1e6, 1)
        return peak_memory_mb()

    def _peak_memory_mb(self) -> float | None:
        """Of the tensors on a GPU; of the whole process on a CPU."""
        if self.device.type == "cuda":
            return round(torch.cuda.max_memory_allocated(self.device) / 1e6, 1)
        return peak_memory_mb()
