"""What a search has a worker do: train a network, settle it, count it, leave its files; or time a few steps."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from igcnas.export.latency.measuring import ATTEMPTS, Latency, measure
from igcnas.modules.lowering import Lowered, lower
from igcnas.network.architecture import Architecture
from igcnas.network.budget import limit_named
from igcnas.network.cost import count_plan
from igcnas.network.plan import plan
from igcnas.search.worker.messages import Probed
from igcnas.search.worker.result import CHECKPOINT, WEIGHTS, leave_result, read_result
from igcnas.search.worker.trainer import Trainer
from igcnas.system.files import make_folder, remove
from igcnas.training.checkpoint import write_weights
from igcnas.training.graph import WARM_UP
from igcnas.training.metrics import Scores
from igcnas.training.reports import EpochReport
from igcnas.training.settings import BALANCED, TrainingSettings
from igcnas.training.settling import settled_scores
from igcnas.training.tensors import ImageTensors, TrainingData
from igcnas.training.trainer import train

# Of the look at how long trainings take. Steps of an epoch of it; steps until all that is captured is; then epochs are
# timed until the sum is no accident of the clock, or there are so many.
_FEW_STEPS, _WARM_STEPS = 4, WARM_UP + 1
_MEASURED_SECONDS, _MEASURED_EPOCHS = 0.1, 8
_NO_RATE = 1e-9


def train_network(
    trainer: Trainer,
    architecture: Architecture,
    folder: Path,
    *,
    repeat: int,
    capture: bool | None,
    on_epoch: Callable[[EpochReport], bool],
) -> tuple[dict[str, Any], bool]:
    """Train; write weights.safetensors, then result.json; what the study stores, and whether it was pruned.

    A pruned network leaves no weights.
    """
    make_folder(folder, within=folder.parents[1])  # the study, under which trials/ may be missing yet
    known = read_result(folder, architecture, note=trainer.note)
    if known is not None:
        remove(folder / CHECKPOINT)  # of a run that ended between the two
        return known
    if trainer.setup.most_ns is not None and repeat == 0:
        from igcnas.search.worker.keeping_time import require_time

        require_time(trainer, architecture, folder, trainer.setup.most_ns)
    trainer.forget_peak()
    result = train(
        architecture,
        trainer.data,
        trainer.setup.training,
        repeat=repeat,
        on_epoch=on_epoch,
        checkpoint=folder / CHECKPOINT,
        checkpoint_seconds=trainer.setup.checkpoint_seconds,
        restart=trainer.note,
        capture=capture,
    )
    outcome = {
        "architecture_id": architecture.id,
        "val_accuracy": result.val_accuracy,
        "seconds": round(result.seconds, 3),
        "device": trainer.device_name,
        "steps": result.steps,
        "peak_memory_mb": trainer.peak_memory_mb(),  # of the training: what follows takes no gradients
        "curve": [[r.epoch, round(r.train_loss, 6), r.val_accuracy] for r in result.curve],
    }
    metric = trainer.setup.training.metric
    outcome |= _class_right(result.scores, metric)
    if result.ended_early:
        return leave_result(folder, outcome | {"pruned": True}), True
    settled, lowered = _settled(architecture, result.network, trainer.data)
    if settled is not None:
        outcome["val_accuracy"] = settled.by(metric)
        outcome |= _class_right(settled, metric)
    measured = count_plan(lowered.plan)
    outcome |= {"measured_macs": measured.macs, "measured_params": measured.params}
    if trainer.setup.limits:
        limits = {name: limit_named(name).of(lowered.plan) for name in trainer.setup.limits}
        outcome |= {"measured_limits": limits}
    outcome |= _latency(trainer, lowered)
    metadata = {"architecture": architecture.to_json()}
    outcome["weights_sha256"] = write_weights(folder / WEIGHTS, result.network.state_dict(), metadata)
    return leave_result(folder, outcome), False


def _settled(architecture: Architecture, network: nn.Module, data: TrainingData) -> tuple[Scores | None, Lowered]:
    """What follows a training: what it decided is fixed by the validation images, and lowered."""
    decided = plan(architecture)
    scores = settled_scores(decided, network, data)
    return scores, lower(decided, network)


def _class_right(scores: Scores | None, metric: str) -> dict[str, list[int]]:
    """Right answers of each class, where the study compares by them."""
    return {} if scores is None or metric != BALANCED else {"class_right": [right for _, right in scores.classes]}


def _latency(trainer: Trainer, lowered: Lowered, attempts: int = ATTEMPTS) -> dict[str, Any]:
    """Milliseconds of the network as it would run, while no other process of this user times one.

    attempts: how often at most, while the machine is not quiet.
    """
    if not trainer.setup.latency:
        return {"latency_ms": None, "latency_iqr_ms": None}
    from igcnas.export.latency.running import as_exported
    from igcnas.export.latency.timing import timed

    if trainer.setup.timing is None:
        found = _by_torch(trainer, lowered)
        return {"latency_ms": found.median_ms, "latency_iqr_ms": found.iqr_ms}
    timing = timed(as_exported(lowered), trainer.setup.timing, attempts=attempts)
    found = timing.latency
    times = {"latency_ms": found.median_ms, "latency_iqr_ms": found.iqr_ms}
    return times | {"latency_by": timing.words(), "latency_quiet": found.quiet}


def _by_torch(trainer: Trainer, lowered: Lowered) -> Latency:
    """One image through the torch module on the device that trains: how studies of before are timed to their end."""
    from igcnas.export.latency.running import module_runner
    from igcnas.export.latency.setting import Setting
    from igcnas.modules.build import build

    network = build(lowered.plan)
    network.load_state_dict(lowered.state)
    setting = Setting(runtime="torch", threads=torch.get_num_threads(), device=str(trainer.device))
    return measure(module_runner(network.eval(), setting, trainer.setup.data.input_shape), setting, attempts=1)


def probe(trainer: Trainer, architectures: tuple[Architecture, ...], *, capture: bool | None) -> Probed:
    """Seconds that the training of each of these networks will take, and what memory the largest step took."""
    trainer.forget_peak()
    settings, few = trainer.setup.training, _few_images(trainer)
    seconds: list[float] = []
    for architecture in architectures:
        # What a process does once is not of a training: on a CPU it loads each kernel at its first use. What a GPU
        # does once for each shape, every training has to pay.
        if not seconds or trainer.device.type == "cpu":
            train(architecture, few, _short(settings, 1), capture=capture)
        seconds.append(_expected_seconds(trainer, architecture, few, capture))
    return Probed(seconds=tuple(seconds), peak_memory_mb=trainer.held_memory_mb())


def _expected_seconds(trainer: Trainer, architecture: Architecture, few: TrainingData, capture: bool | None) -> float:
    """What the whole training of this network will take: what it costs once, what each epoch costs, what follows.

    From one short training of a few images. Its first epochs, in which a graph is captured, and what came before and
    after them, less the time that so many later epochs took, is what a training costs once.
    """
    settings, data = trainer.setup.training, trainer.data
    warm = 1
    if trainer.device.type == "cuda":  # evaluation is captured in the second epoch
        warm = max(2, math.ceil(_WARM_STEPS / few.steps(settings.batch_size)))
    ends: list[float] = []

    def told(_report: EpochReport) -> bool:
        ends.append(time.perf_counter())
        return len(ends) > warm and ends[-1] - ends[warm - 1] >= _MEASURED_SECONDS

    begin = time.perf_counter()
    found = train(architecture, few, _short(settings, warm + _MEASURED_EPOCHS), on_epoch=told, capture=capture)
    whole = time.perf_counter() - begin
    after = _seconds_after(trainer, architecture, found.network, few)
    epoch = (ends[-1] - ends[warm - 1]) / (len(ends) - warm)
    # A training image costs about three times a validation image; an epoch here had as many of one as of the other.
    share = (0.75 * len(data.training) + 0.25 * len(data.validation)) / len(few.training)
    return max(0.0, whole - len(ends) * epoch) + epoch * share * settings.epochs + after


def _seconds_after(trainer: Trainer, architecture: Architecture, network: nn.Module, few: TrainingData) -> float:
    """What follows the training of this network: it is settled, by images as many as validate, lowered, and timed."""
    begin = time.perf_counter()
    settled, lowered = _settled(architecture, network, few)
    between = time.perf_counter()
    _latency(trainer, lowered, 1)
    share = 1.0 if settled is None else len(trainer.data.validation) / len(few.validation)
    return (between - begin) * share + time.perf_counter() - between


def _few_images(trainer: Trainer) -> TrainingData:
    """Of a few steps; the same for training and for validation."""
    data = trainer.data
    images = min(len(data.training), _FEW_STEPS * trainer.setup.training.batch_size)
    few = ImageTensors(data.training.images[:images], data.training.labels[:images])
    return dataclasses.replace(data, training=few, validation=few)


def _short(settings: TrainingSettings, epochs: int) -> TrainingSettings:
    """Settings of a training that is only timed; at so small a rate none diverges."""
    return dataclasses.replace(settings, epochs=epochs, learning_rate=_NO_RATE)
