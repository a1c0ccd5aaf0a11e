"""A training loop in plain PyTorch, as a peer would write it: torch.optim.SGD, autocast, torch.compile if asked for.

Network, first weights, schedule, decay, clipping and label smoothing are those of igcnas, so that every variant trains
the same; speed is what differs.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn import functional

from benchmarks.speed.machine import forget_peak, peak_memory_mb
from benchmarks.speed.outcome import Outcome
from igcnas.errors import TrainingError
from igcnas.modules.build import build
from igcnas.network.architecture import Architecture
from igcnas.network.plan import Plan, plan
from igcnas.network.primitives import Permutation
from igcnas.training.grouping_loss import GroupingLoss
from igcnas.training.optimizer import parameter_kinds, rate_factor
from igcnas.training.recipes import Recipe, short_recipe
from igcnas.training.settings import TrainingSettings

Batch = tuple[torch.Tensor, torch.Tensor]


class Batches(Protocol):
    """Where batches come from: images float32 (B, C, H, W), normalised, and labels int64 (B,), on the device."""

    @property
    def others_mb(self) -> float:
        """Memory of the processes that make the batches."""
        ...

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        ...

    def training(self, epoch: int) -> Iterable[Batch]:
        """One epoch of augmented batches."""
        ...

    def validation(self) -> Iterable[Batch]:
        """The validation images."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a peer runs a network.

    channels_last: on CUDA; on a CPU nothing is (docs/speed.md).
    mixed: bfloat16 by autocast. waits: reads the loss after each step, as pytorch-cifar does for its progress bar.
    compiles: the mode of torch.compile, None for eager.
    """

    channels_last: bool = False
    mixed: bool = False
    fused: bool = False
    waits: bool = False
    compiles: str | None = None


class Trial:
    """Starts the clock and the counts of memory; `done` reads them."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.epoch_seconds: list[float] = []
        self.losses: list[float] = []
        self.accuracy = 0.0
        forget_peak()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
            torch.cuda.reset_peak_memory_stats(device)
        self.start = self.tick = time.perf_counter()

    def begin(self) -> None:
        """The first epoch starts now."""
        self.tick = time.perf_counter()

    def epoch(self, loss: float, accuracy: float) -> None:
        """An epoch and its validation have ended."""
        now = time.perf_counter()
        self.epoch_seconds.append(now - self.tick)
        self.tick = now
        self.losses.append(loss)
        self.accuracy = accuracy

    def done(self, steps: int, others_mb: float = 0.0) -> Outcome:
        """The outcome; others_mb: memory of other processes."""
        own = peak_memory_mb()
        cuda = self.device.type == "cuda"
        return Outcome(
            seconds=time.perf_counter() - self.start,
            epoch_seconds=tuple(self.epoch_seconds),
            steps=steps,
            losses=tuple(self.losses),
            accuracy=self.accuracy,
            memory_mb=None if own is None else own + others_mb,
            device_mb=torch.cuda.max_memory_reserved(self.device) / 2**20 if cuda else None,
        )


def train(
    architecture: Architecture,
    settings: TrainingSettings,
    batches: Batches,
    device: torch.device,
    form: Form,
    *,
    repeat: int = 0,
) -> Outcome:
    """From an architecture to its validation accuracy."""
    trial = Trial(device)
    recipe = short_recipe(settings)
    last = form.channels_last and device.type == "cuda"
    network_plan = plan(architecture)
    network = prepare(network_plan, settings.network_seed(architecture.id, repeat), device, form)
    objective = GroupingLoss(network, network_plan, recipe.grouping)
    if form.compiles and objective.modules:
        raise TrainingError("torch.compile is not measured with learned groupings")
    optimizer = sgd(network, recipe, fused=form.fused)
    run: nn.Module = network
    if form.compiles:
        torch._dynamo.reset()  # else the ninth network meets the limit of recompilations
        run = torch.compile(network, mode=form.compiles)  # type: ignore[assignment]
    mixed = torch.autocast(device.type, torch.bfloat16, enabled=form.mixed)
    parameters = list(network.parameters())
    trial.begin()
    for epoch in range(recipe.epochs):
        network.train()
        losses: list[Any] = []
        for step, (images, labels) in enumerate(batches.training(epoch), start=epoch * batches.steps):
            factor = rate_factor(recipe.schedule, step, steps_per_epoch=batches.steps, epochs=recipe.epochs)
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate * factor * group["scale"]
            objective.begin_step(step / (recipe.epochs * batches.steps))
            if last:
                images = images.contiguous(memory_format=torch.channels_last)
            with mixed:
                logits = run(images)
                loss = functional.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
                loss = objective(loss)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            if recipe.gradient_clip is not None:
                nn.utils.clip_grad_norm_(parameters, recipe.gradient_clip)
            optimizer.step()
            losses.append(loss.item() if form.waits else loss.detach())
        if epoch + 1 == recipe.epochs:
            objective.finish()
        mean = sum(losses) / len(losses) if form.waits else torch.stack(losses).float().mean().item()
        trial.epoch(mean, validate(run, batches, mixed, channels_last=last))
    return trial.done(batches.steps, batches.others_mb)


@torch.no_grad()
def validate(network: nn.Module, batches: Batches, mixed: torch.autocast, *, channels_last: bool) -> float:
    """Percent of the validation images that are right."""
    network.eval()
    right, total = 0, 0
    for images, labels in batches.validation():
        if channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        with mixed:
            right += (network(images).argmax(1) == labels).sum()
        total += len(labels)
    return 100.0 * float(right) / total


def prepare(network_plan: Plan, seed: int, device: torch.device, form: Form) -> nn.Module:
    """The network with the first weights that igcnas gives it, on the device, in the memory format of the form."""
    torch.manual_seed(seed)
    network: nn.Module = build(network_plan)
    if form.channels_last:
        shuffle(network, network_plan)
    network = network.to(device)
    last = form.channels_last and device.type == "cuda"
    return network.to(memory_format=torch.channels_last) if last else network  # type: ignore[call-overload, no-any-return]


def shuffle(network: nn.Module, network_plan: Plan) -> None:
    """Permutations as nn.ChannelShuffle: of all ways in PyTorch the one that keeps channels_last."""
    for path, layer in network_plan.layers():
        if isinstance(layer, Permutation):
            owner, _, name = path.rpartition(".")
            setattr(network.get_submodule(owner), name, nn.ChannelShuffle(layer.groups))


def sgd(network: nn.Module, recipe: Recipe, *, fused: bool, rate: torch.Tensor | None = None) -> torch.optim.SGD:
    """torch.optim.SGD with the groups of the recipe; `scale` is the multiple of the rate of each.

    rate: a tensor that holds the learning rate, for a step that is captured into a graph.
    """
    groups = [
        {"params": parameters, "weight_decay": getattr(recipe.decay, kind), "scale": recipe.rate(kind)}
        for kind, parameters in parameter_kinds(network).items()
        if parameters
    ]
    rule = recipe.optimizer
    first: Any = recipe.learning_rate if rate is None else rate
    return torch.optim.SGD(groups, lr=first, momentum=rule.momentum, nesterov=rule.nesterov, fused=fused or None)
