"""From an architecture to its validation accuracy."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from igcnas.architecture import Architecture
from igcnas.errors import TrainingError
from igcnas.network import build
from igcnas.plan import plan
from igcnas.settings import TrainingSettings
from igcnas.training.objective import GroupingObjective, deciding_parameters
from igcnas.training.tensors import ImageTensors, TrainingData

# A checkpoint costs some milliseconds; a training that is killed loses this many seconds at most.
_CHECKPOINT_SECONDS = 15.0
_EVALUATION_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochReport:
    """One point of a learning curve; accuracy in percent of the validation split."""

    epoch: int
    train_loss: float
    val_accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainResult:
    """What a training gives: the last epoch's accuracy, the curve, the seconds, and the trained network."""

    val_accuracy: float
    curve: tuple[EpochReport, ...]
    seconds: float
    network: nn.Sequential


def train(
    architecture: Architecture,
    data: TrainingData,
    settings: TrainingSettings,
    *,
    on_epoch: Callable[[EpochReport], None] = lambda _report: None,
    checkpoint: Path | None = None,
) -> TrainResult:
    """Train from scratch, or go on from the checkpoint if there is one: on a CPU with the same result to the bit.

    Raises TrainingError where the loss is not finite or the device runs out of memory.
    """
    try:
        return _Training(architecture, data, settings, checkpoint).run(on_epoch)
    except torch.OutOfMemoryError as error:
        raise TrainingError(f"out of memory: {str(error).splitlines()[0]}") from error


class _Training:
    def __init__(
        self, architecture: Architecture, data: TrainingData, settings: TrainingSettings, checkpoint: Path | None
    ) -> None:
        self.data, self.settings, self.checkpoint = data, settings, checkpoint
        self.device = data.mean.device
        self.seed = settings.network_seed(architecture.id)
        torch.manual_seed(self.seed)
        network_plan = plan(architecture)
        self.network = build(network_plan).to(self.device)
        if self.device.type == "cuda":
            self.network = self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.objective = GroupingObjective(self.network, network_plan, settings.grouping)
        self.parameters = list(self.network.parameters())
        self.optimizer = _optimizer(self.network, settings)
        self.steps_per_epoch = max(1, len(data.training) // settings.batch_size)
        self.curve: list[EpochReport] = []
        self.seconds = 0.0

    def run(self, on_epoch: Callable[[EpochReport], None]) -> TrainResult:
        self._load()
        for report in self.curve:
            on_epoch(report)
        saved = time.monotonic()
        while len(self.curve) < self.settings.epochs:
            start = time.perf_counter()
            report = self._epoch(len(self.curve))
            self.seconds += time.perf_counter() - start
            self.curve.append(report)
            on_epoch(report)
            if time.monotonic() - saved > _CHECKPOINT_SECONDS:
                self._save()
                saved = time.monotonic()
        return TrainResult(
            val_accuracy=self.curve[-1].val_accuracy,
            curve=tuple(self.curve),
            seconds=self.seconds,
            network=self.network.eval(),
        )

    def _epoch(self, epoch: int) -> EpochReport:
        self.network.train()
        losses = []
        bf16 = torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda")
        for step, (images, labels) in enumerate(self.data.epoch(self.settings.batch_size, self.seed + epoch)):
            done = epoch * self.steps_per_epoch + step
            self._set_learning_rate(done)
            self.objective.begin_step(done / (self.settings.epochs * self.steps_per_epoch))
            if self.device.type == "cuda":
                images = images.contiguous(memory_format=torch.channels_last)
            with bf16:
                logits = self.network(images)
                loss = functional.cross_entropy(logits, labels, label_smoothing=self.settings.label_smoothing)
                loss = self.objective(loss)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.parameters, self.settings.gradient_clip)
            self.optimizer.step()
            losses.append(loss.detach())
        if epoch + 1 == self.settings.epochs:
            self.objective.finish()
        mean_loss = torch.stack(losses).float().mean().item()  # the one wait for the device in an epoch
        if not math.isfinite(mean_loss):
            raise TrainingError(f"diverged: training loss {mean_loss} in epoch {epoch + 1}")
        val_accuracy = accuracy(self.network, self.data.validation, self.data.normalize)
        return EpochReport(epoch=epoch + 1, train_loss=mean_loss, val_accuracy=val_accuracy)

    def _set_learning_rate(self, step: int) -> None:
        total = self.settings.epochs * self.steps_per_epoch
        warm = max(1, round(self.settings.warmup * total))
        if step < warm:
            factor = (step + 1) / warm
        else:
            factor = 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * factor * group["lr_scale"]

    def _save(self) -> None:
        if self.checkpoint is None:
            return
        state = {
            "seed": self.seed,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "curve": [(r.epoch, r.train_loss, r.val_accuracy) for r in self.curve],
            "seconds": self.seconds,
        }
        temporary = self.checkpoint.with_suffix(".tmp")
        torch.save(state, temporary)
        os.replace(temporary, self.checkpoint)

    def _load(self) -> None:
        if self.checkpoint is None or not self.checkpoint.exists():
            return
        state: dict[str, Any] = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        if state["seed"] != self.seed:  # the seed is from (settings, architecture): this is another training's
            return
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.curve = [EpochReport(epoch=e, train_loss=loss, val_accuracy=a) for e, loss, a in state["curve"]]
        self.seconds = state["seconds"]


def _optimizer(network: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """Weight decay on weights of convolutions and of the classifier only; what decides groups is none of these."""
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    deciding: list[nn.Parameter] = []
    decisions = {id(parameter) for parameter in deciding_parameters(network)}
    for parameter in network.parameters():
        if id(parameter) in decisions:
            deciding.append(parameter)
        else:
            (free if parameter.ndim == 1 else decayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay, "lr_scale": 1.0},
        {"params": free, "weight_decay": 0.0, "lr_scale": 1.0},
        {"params": deciding, "weight_decay": 0.0, "lr_scale": settings.grouping.learning_rate},
    ]
    return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=settings.momentum, nesterov=True, fused=True)


@torch.inference_mode()
def accuracy(network: nn.Module, images: ImageTensors, normalize: Callable[[torch.Tensor], torch.Tensor]) -> float:
    """Percent of the images that the network, in evaluation mode, gives their label."""
    network.eval()
    right = torch.zeros((), dtype=torch.int64, device=images.labels.device)
    for start in range(0, len(images), _EVALUATION_BATCH):
        stop = start + _EVALUATION_BATCH
        predicted = network(normalize(images.images[start:stop])).argmax(1)
        right += (predicted == images.labels[start:stop]).sum()
    return 100.0 * right.item() / len(images)
