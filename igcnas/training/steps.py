"""How a training step computes: stock modules and autograd, or the fast program; the same mathematics.

'eager' is the oracle: it is stock PyTorch, layer by layer. 'program' is `igcnas.execution`, on a CPU. graph.py has a
third kind, for CUDA: the eager step, captured. The engine does not ask which it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

import torch
from torch import nn
from torch.optim import Optimizer

from igcnas.execution import make_program
from igcnas.execution.program import Program
from igcnas.modules.layers.precision import wide
from igcnas.network.plan import Plan
from igcnas.training.distributed import GradientAverage
from igcnas.training.flat import FlatSGD
from igcnas.training.optimizer import Rates, make_optimizer
from igcnas.training.recipes import Recipe

# From logits (B, classes) and labels (B,), or shares of classes (B, classes), to the loss of a batch.
LossOf = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
# What a step gives, on the device: its loss, and the share of right answers where it was asked for.
Result = tuple[torch.Tensor, torch.Tensor | None]


class Steps(Protocol):
    """What the engine asks. kind: 'eager', 'program' or 'graph'. `optimizer` has a state dict."""

    kind: str

    @property
    def optimizer(self) -> Optimizer | FlatSGD:
        """What steps."""
        ...

    def set_rate(self, rate: float) -> None:
        """The learning rate of the next step; each group of parameters takes its multiple of it."""
        ...

    def step(self, images: torch.Tensor, labels: torch.Tensor) -> Result:
        """Gradients of the loss of a batch, clipped, and a step of the optimizer; nothing waits for the device.

        Images are float (B, C, H, W), labels int64 (B,) or shares of classes (B, classes); all batches of a training
        are of one size.
        """
        ...

    def answer(self, images: torch.Tensor) -> torch.Tensor:
        """Logits of any number of images, in evaluation mode and without gradients."""
        ...

    def close(self) -> None:
        """Let go of memory that the training alone needs. A further step takes it again."""
        ...


class EagerSteps:
    """Stock modules. On CUDA images and weights are channels_last, and nothing of a step depends on the host.

    mixed: forward passes in bfloat16, but for the classifier. detailed: also the share of right answers. average: of
    the gradients, where several processes train.
    """

    kind = "eager"

    def __init__(
        self,
        network: nn.Sequential,
        recipe: Recipe,
        loss_of: LossOf,
        *,
        mixed: bool = False,
        detailed: bool = False,
        average: GradientAverage | None = None,
    ) -> None:
        self.network, self.recipe, self.loss_of = network, recipe, loss_of
        self.mixed, self.detailed, self.average = mixed, detailed, average
        self.parameters = list(network.parameters())
        self.device = self.parameters[0].device
        self.on_gpu = self.device.type == "cuda"
        self.optimizer: Optimizer = make_optimizer(network, recipe, captured=self.on_gpu)
        self.rates = Rates(self.optimizer)
        if self.on_gpu:
            self.rates.place(self.device)

    def set_rate(self, rate: float) -> None:
        """In tensors on a GPU."""
        self.rates.set(rate)

    def step(self, images: torch.Tensor, labels: torch.Tensor) -> Result:
        """By autograd."""
        return self.compute(images, labels)

    def compute(self, images: torch.Tensor, labels: torch.Tensor) -> Result:
        """The whole step: what a graph captures."""
        with _counted_together(self.network) if self.on_gpu else nullcontext():
            logits = self.logits(images)
        loss = self.loss_of(logits, labels)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if self.average is not None:
            self.average.finish()
        if self.recipe.gradient_clip is not None:
            many = True if self.on_gpu else None  # else as torch thinks best
            nn.utils.clip_grad_norm_(self.parameters, self.recipe.gradient_clip, foreach=many)
        self.optimizer.step()
        return loss.detach(), right_answers(logits.detach(), labels) if self.detailed else None

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """In the mode of the network. The classifier answers in float32: in bfloat16 many answers are equal."""
        if self.on_gpu:
            images = images.contiguous(memory_format=torch.channels_last)
        *body, classifier = self.network
        with self._autocast():
            for layer in body:
                images = layer(images)
        logits: torch.Tensor = classifier(wide(images))
        return logits

    def _autocast(self) -> AbstractContextManager[object]:
        """Without its cache: a captured step must not find a weight that an earlier one has cast."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.mixed, cache_enabled=False)

    def answer(self, images: torch.Tensor) -> torch.Tensor:
        """Of the module."""
        with torch.no_grad():
            return self.logits(images)

    def close(self) -> None:
        """Nothing is held but the network."""


class ProgramSteps:
    """A program, made for the first batch that comes."""

    kind = "program"

    def __init__(
        self, network_plan: Plan, network: nn.Module, recipe: Recipe, loss_of: LossOf, *, detailed: bool = False
    ) -> None:
        self.plan, self.network, self.recipe, self.loss_of, self.detailed = (
            network_plan, network, recipe, loss_of, detailed
        )  # fmt: skip
        self.optimizer: Optimizer | FlatSGD
        if recipe.optimizer.kind == "sgd" and not recipe.optimizer.dampening:
            self.optimizer = FlatSGD(network, recipe)
        else:
            for parameter in network.parameters():
                parameter.grad = torch.zeros_like(parameter)
            self.optimizer = make_optimizer(network, recipe)
        self.rates = Rates(self.optimizer)
        self._program: Program | None = None

    def program(self, batch: int) -> Program:
        """The program; `batch` counts where there is none yet."""
        if self._program is None:
            self._program = make_program(self.plan, self.network, batch)
        return self._program

    def set_rate(self, rate: float) -> None:
        """In numbers."""
        self.rates.set(rate)

    def step(self, images: torch.Tensor, labels: torch.Tensor) -> Result:
        """By the program; clipping and optimizer on the flat buffers where the optimizer has them."""
        if isinstance(self.optimizer, FlatSGD):
            self.optimizer.zero_grad()
        else:
            self.optimizer.zero_grad(set_to_none=False)
        program = self.program(len(images))
        loss = program.loss(images, lambda logits: self.loss_of(logits, labels))
        self._clip()
        self.optimizer.step()
        return loss, right_answers(program.logits, labels) if self.detailed else None

    def _clip(self) -> None:
        most = self.recipe.gradient_clip
        if most is None:
            return
        if isinstance(self.optimizer, FlatSGD):
            self.optimizer.clip(most)
        else:
            nn.utils.clip_grad_norm_(self.network.parameters(), most)

    def answer(self, images: torch.Tensor) -> torch.Tensor:
        """Of the program."""
        return self.program(min(self.recipe.batch_size, len(images))).answer(images)

    def close(self) -> None:
        """Let go of the program and its buffers."""
        self._program = None


def right_answers(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Share of a batch whose first answer is right; of shares of classes (B, classes) the largest is the label."""
    labels = labels if labels.ndim == 1 else labels.argmax(1)
    return (logits.argmax(1) == labels).float().mean()


@contextmanager
def _counted_together(network: nn.Module) -> Iterator[None]:
    """The counters of batches of all norms rise in one operation, instead of one each."""
    norms = [m for m in network.modules() if getattr(m, "num_batches_tracked", None) is not None and m.training]
    counters = [norm.get_buffer("num_batches_tracked") for norm in norms]
    for norm in norms:
        norm.register_buffer("num_batches_tracked", None)
    try:
        yield
    finally:
        for norm, counter in zip(norms, counters, strict=True):
            norm.register_buffer("num_batches_tracked", counter)
    if counters:
        torch._foreach_add_(counters, 1)
