"""A training step with nothing left on the host: batch, forward, loss, backward, optimizer and counters on the device.

The order of the images, their windows and mirrors, the learning rate of each step and the counters lie in tensors, so
that every step is the same sequence of operations on the same addresses. On CUDA it is recorded once as a graph and
replayed, evaluation as another; elsewhere the same function runs step by step, which is how it is tested.

Recording takes three steps for warming up (kernels are compiled, libraries choose, the allocator fills) whose effects
are undone in place: parameters, statistics, momenta, counters. What does not fit into a recording runs step by step
(FastSteps): batches that the host makes (files, resized windows, colours), dropout, other optimizers than SGD, and
layers whose step depends on the host (LearnedModule.recordable).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from igcnas.execution import make_program
from igcnas.execution.program import Program
from igcnas.kernels import augment
from igcnas.plan import Plan
from igcnas.recipes import Recipe
from igcnas.training.flat import FlatSGD
from igcnas.training.metrics import TOP, Scores, answers_top5
from igcnas.training.objective import GroupingObjective
from igcnas.training.schedule import rate_factor
from igcnas.training.source import Source
from igcnas.training.steps import FastSteps
from igcnas.training.tensors import ImageTensors, TrainingData

WARM_UP = 3
_EVALUATION_BATCH = 1000


def recordable(recipe: Recipe, source: Source, objective: GroupingObjective) -> bool:
    """Whether a step of this training is the same sequence of operations each time."""
    return (
        recipe.optimizer.kind == "sgd"
        and not recipe.optimizer.dampening
        and not recipe.dropout
        and isinstance(source, TrainingData)
        and source.resident
        and all(module.recordable for module in objective.modules)
    )


class GraphedSteps(FastSteps):
    """Steps of a training on resident data. `begin` an epoch, then `step` through it.

    record: as CUDA graphs; else each call computes. detailed: shares of right answers, too.
    """

    optimizer: FlatSGD

    def __init__(
        self,
        network_plan: Plan,
        network: nn.Module,
        recipe: Recipe,
        source: TrainingData,
        objective: GroupingObjective,
        *,
        mixed: bool,
        detailed: bool,
        record: bool,
        make: Callable[..., Program] = make_program,
    ) -> None:
        super().__init__(network_plan, network, recipe, mixed=mixed, make=make)
        self.dtype = torch.bfloat16 if mixed else torch.float32
        self.source, self.objective, self.detailed, self.record = source, objective, detailed, record
        self.device = source.mean.device
        self.size = min(recipe.batch_size, len(source.training))
        self.steps = source.steps(recipe.batch_size)
        self.losses = torch.zeros(self.steps, device=self.device)
        self.right = torch.zeros(self.steps, device=self.device)
        # In the epoch, of all, in the evaluation: steps so far.
        self._at, self._total, self._place = (torch.zeros(1, dtype=torch.int64, device=self.device) for _ in range(3))
        self._counts = torch.zeros(2, dtype=torch.int64, device=self.device)  # first right, among the first five
        self._training = _Resident(source, source.training, source.padding)
        self._validation = _Resident(source, source.validation, 0)
        self._rates = self._tables()
        self._done = 0
        self._graphs: dict[str, torch.cuda.CUDAGraph] = {}
        for module in objective.modules:
            module.record()

    def _tables(self) -> list[torch.Tensor]:
        """The learning rate of each step of the training, for each group of parameters."""
        recipe, epochs = self.recipe, self.recipe.epochs
        factors = [
            rate_factor(recipe.schedule, step, steps_per_epoch=self.steps, epochs=epochs)
            for step in range(epochs * self.steps)
        ]
        table = torch.tensor(factors, dtype=torch.float64) * recipe.learning_rate
        return [(table * group["lr_scale"]).float().to(self.device) for group in self.optimizer.param_groups]

    def begin(self, seed: int, epoch: int, first: int) -> None:
        """An epoch, counted from 0, from its step `first` on; the seed is that of the epoch."""
        self._training.draw(self.source, seed)
        self._done = first
        self._at.fill_(first)
        self._total.fill_(epoch * self.steps + first)

    def step(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The next one. Its loss and its share of right answers, which stay on the device until the next epoch."""
        self._run("step", self._step)
        self._done += 1
        return self.losses[self._done - 1], self.right[self._done - 1]

    @torch.no_grad()
    def evaluate(self) -> Scores:
        """The network on the validation images; the one call that waits for the device."""
        self.network.eval()
        count = len(self.source.validation)
        self._place.zero_()
        self._counts.zero_()
        for _ in range(0, count, min(_EVALUATION_BATCH, count)):
            self._run("evaluation", self._evaluation)
        first, among = self._counts.tolist()
        shows = answers_top5(self.source.num_classes)
        return Scores(images=count, top1=100.0 * first / count, top5=100.0 * among / count if shows else None)

    def close(self) -> None:
        """Let go of graphs and buffers; a further step or evaluation makes them again."""
        for graph in self._graphs.values():
            graph.reset()
        self._graphs = {}
        super().close()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _step(self) -> None:
        images, labels = self._training.batch(self._at, self.size, self.dtype)
        self.optimizer.zero_grad()
        program = self.program(self.size)
        loss = program.loss(images, self._loss_of(labels))
        if self.recipe.gradient_clip is not None:
            self.optimizer.clip(self.recipe.gradient_clip)
        self.optimizer.step_at(self._rates, self._total)
        self.losses.index_copy_(0, self._at, loss.float().view(1))
        if self.detailed:
            share = (program.logits.argmax(1) == labels).float().mean()
            self.right.index_copy_(0, self._at, share.view(1))
        self._at += 1
        self._total += 1

    def _loss_of(self, labels: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
        smoothing = self.recipe.label_smoothing
        return lambda logits: self.objective(functional.cross_entropy(logits, labels, label_smoothing=smoothing))

    @torch.no_grad()
    def _evaluation(self) -> None:
        """One batch; the last one starts again with the first images, which do not count."""
        count = len(self.source.validation)
        size = min(_EVALUATION_BATCH, count)
        images, labels = self._validation.batch(self._place, size, self.dtype)
        logits = self.program(self.size).logits_of(images)
        counts = self._place * size + torch.arange(size, device=self.device) < count
        first = (logits.argmax(1) == labels) & counts
        self._counts[0] += first.sum()
        if answers_top5(logits.shape[1]):
            among = (logits.topk(TOP, 1).indices == labels[:, None]).any(1) & counts
            self._counts[1] += among.sum()
        self._place += 1

    def _run(self, name: str, compute: Callable[[], None]) -> None:
        if not self.record:
            compute()
            return
        if name not in self._graphs:
            self._graphs[name] = self._recorded(compute)
        self._graphs[name].replay()

    def _recorded(self, compute: Callable[[], None]) -> torch.cuda.CUDAGraph:
        """Warm up on the stream of the recording, undo, record; nothing of it has an effect."""
        stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        current = torch.cuda.current_stream(self.device)
        kept = [tensor.clone() for tensor in self._state()]
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                compute()
        current.wait_stream(stream)
        self.undo(kept)
        self.program(self.size).ops.forget()
        graph = torch.cuda.CUDAGraph()
        # Other threads of the process may use the device meanwhile.
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            compute()
        self.program(self.size).ops.forget()
        return graph

    def _state(self) -> list[torch.Tensor]:
        """All that a step or an evaluation changes."""
        counters = [self._at, self._total, self._place, self._counts, self.losses, self.right]
        return [self.optimizer.values, self.optimizer.momenta, *self.network.buffers(), *counters]

    @torch.no_grad()
    def undo(self, kept: list[torch.Tensor]) -> None:
        """Bring back what `_state` was, in place."""
        for tensor, before in zip(self._state(), kept, strict=True):
            tensor.copy_(before)


class _Resident:
    """Images on the device, and what the batches of an epoch are made by."""

    def __init__(self, source: TrainingData, images: ImageTensors, pad: int) -> None:
        count, device = len(images), source.mean.device
        self.images, self.labels, self.pad = images.images, images.labels, pad
        self.levels = augment.levels(source.normalize, len(source.mean), device)
        self.fill = source.fill
        self.order = torch.arange(count, device=device)
        self.offsets = torch.zeros(2, count, dtype=torch.int64, device=device)
        flips = images is source.training and source.flips
        self.flips = torch.zeros(count, dtype=torch.bool, device=device) if flips else None

    def draw(self, source: TrainingData, seed: int) -> None:
        """The random numbers of an epoch, into the tensors that are there."""
        draws = source.draws(seed)
        self.order.copy_(draws.order)
        self.offsets.copy_(draws.offsets)
        if self.flips is not None and draws.mirrored is not None:
            self.flips.copy_(draws.mirrored)

    def batch(self, step: torch.Tensor, size: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
        """Images and labels of this step."""
        images, labels = augment.batch(
            self.images, self.levels, self.order, self.offsets, self.flips, step, size, pad=self.pad, fill=self.fill,
            labels=self.labels, dtype=dtype,
        )  # fmt: skip
        assert labels is not None
        return images, labels


def make_steps(
    network_plan: Plan,
    network: nn.Module,
    recipe: Recipe,
    source: Source,
    objective: GroupingObjective,
    *,
    mixed: bool,
    detailed: bool,
) -> FastSteps:
    """Graphed where the device is CUDA and the training can be recorded."""
    if source.mean.device.type == "cuda" and recordable(recipe, source, objective):
        assert isinstance(source, TrainingData)
        return GraphedSteps(
            network_plan, network, recipe, source, objective, mixed=mixed, detailed=detailed, record=True
        )
    return FastSteps(network_plan, network, recipe, mixed=mixed)
