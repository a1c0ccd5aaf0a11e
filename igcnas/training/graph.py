"""The eager step captured in a CUDA graph: the same stock operators, launched as one; evaluation in a graph of its own.

A small network is a few hundred kernels of microseconds; what takes the time is to launch them. The first steps of a
training run eagerly, as they always would: libraries choose, the allocator fills, the optimizer makes its state. Then
one step is captured, which computes nothing, and from there on each batch is copied into the tensors of the graph and
the graph replayed. Nothing of it has to be undone.

What makes a step fit: learning rates, temperatures and the like lie in tensors (`Rates`, `StepNumber`); random numbers
come from the default generator, whose seed the engine sets before each step and a replay reads; the order, windows and
mirrors of the images are made outside. What does not fit is in `not_captured`.

The first replay must give the loss that an eager forward pass gives for the same batch, and the first answers those of
the eager network; else, and where the capture itself fails, CaptureError ends the training, which others do eagerly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import nn

from igcnas.errors import CaptureError
from igcnas.modules.layers import LearnedModule
from igcnas.training.device import give_back
from igcnas.training.distributed import World
from igcnas.training.recipes import Recipe
from igcnas.training.steps import EagerSteps, LossOf, Result

WARM_UP = 3
# Of a loss and of logits: bfloat16 has 8 bits, and a graph may be given other algorithms than the eager pass was.
_TOLERANCE = 0.02

Tensors = tuple[torch.Tensor, ...]


def not_captured(world: World) -> str | None:
    """Why a training on CUDA runs eagerly whatever was asked for; None where it can be captured.

    Everything else can: every family, learned grouping, recipe, source of images and optimizer.
    """
    if world.size > 1:
        return "several processes train together, and the host waits for their gradients"
    return None


class Captured(Protocol):
    """A computation that was captured. outputs: its results, in the same tensors after each replay."""

    outputs: Tensors

    def replay(self) -> None:
        """Run the captured step once more."""
        ...

    def reset(self) -> None:
        """Let go of its memory."""
        ...


# From a computation without arguments, and the pool of memory it shares with others, to its captured form.
Capture = Callable[[Callable[[], Tensors], object], Captured]


class CudaGraph:
    """A computation in a CUDA graph, captured on the current stream, which must not be the default one."""

    def __init__(self, compute: Callable[[], Tensors], pool: object) -> None:
        self._graph = torch.cuda.CUDAGraph()
        # Other threads of the process may use the device meanwhile.
        with torch.cuda.graph(
            self._graph,
            pool=pool,  # type: ignore[arg-type]
            stream=torch.cuda.current_stream(),
            capture_error_mode="thread_local",
        ):
            self.outputs = compute()

    def replay(self) -> None:
        """Launch it."""
        self._graph.replay()

    def reset(self) -> None:
        """Give its kernels and its part of the pool back."""
        self._graph.reset()
        self.outputs = ()


class GraphSteps(EagerSteps):
    """Eager steps that are captured after WARM_UP of them. capture: how; a test has another way than CUDA's."""

    kind = "graph"

    def __init__(
        self,
        network: nn.Sequential,
        recipe: Recipe,
        loss_of: LossOf,
        *,
        mixed: bool = False,
        detailed: bool = False,
        capture: Capture = CudaGraph,
    ) -> None:
        super().__init__(network, recipe, loss_of, mixed=mixed, detailed=detailed)
        self._capture = capture
        self._clear()

    def _clear(self) -> None:
        self._pool: object = None
        self._done = 0
        self._warm: torch.Size | None = None  # of the images that were answered eagerly
        self._inputs: Tensors = ()
        self._training: Captured | None = None
        self._asked: torch.Tensor | None = None
        self._answering: Captured | None = None

    def step(self, images: torch.Tensor, labels: torch.Tensor) -> Result:
        """A replay; the first ones eagerly."""
        if self._training is None and self._done < WARM_UP:
            self._done += 1
            return self.compute(images, labels)
        if self._training is None:
            return self._first(images, labels)
        for held, given in zip(self._inputs, (images, labels), strict=True):
            held.copy_(given)
        self._training.replay()
        # Of the next step, too, these tensors are; the caller keeps its results.
        loss, *right = (output.clone() for output in self._training.outputs)
        return loss, right[0] if right else None

    def _first(self, images: torch.Tensor, labels: torch.Tensor) -> Result:
        """Capture, replay, and hold the loss against that of an eager pass."""
        expected = self._loss_beside(images, labels)
        self._inputs = (_held(images), labels.clone())

        def compute() -> Tensors:
            loss, right = self.compute(*self._inputs)
            return (loss,) if right is None else (loss, right)

        self.optimizer.zero_grad()  # gradients then lie in the pool of the graph
        self._training = self._captured(compute, "step")
        result = self.step(images, labels)
        _compare("first loss of a captured step", result[0].view(1), expected.view(1))
        return result

    def _loss_beside(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The loss of a batch, without any effect: on gradients, running statistics, or random numbers to come."""
        buffers = [(buffer, buffer.clone()) for buffer in self.network.buffers()]
        devices = [self.device] if self.on_gpu else []
        with torch.random.fork_rng(devices), torch.no_grad():
            loss = self.loss_of(self.logits(images), labels)
            for buffer, before in buffers:
                buffer.copy_(before)
        return loss

    def answer(self, images: torch.Tensor) -> torch.Tensor:
        """Replays; the first images, and those of another size than any before, eagerly."""
        with torch.inference_mode(False), torch.no_grad():
            if self._asked is None and self._warm is None:
                self._warm = images.shape
                return self.logits(images)
            if self._asked is None:
                return self._first_answer(images)
            return torch.cat([self._part(part) for part in torch.split(images, len(self._asked))])

    def _part(self, images: torch.Tensor) -> torch.Tensor:
        """What is left of the tensor of the graph beyond these images holds earlier ones; nobody reads their logits."""
        assert self._asked is not None
        assert self._answering is not None
        self._asked[: len(images)].copy_(images)
        self._answering.replay()
        return self._answering.outputs[0][: len(images)].clone()

    def _first_answer(self, images: torch.Tensor) -> torch.Tensor:
        assert self._warm is not None
        size = max(self._warm[0], len(images))
        expected = self.logits(images)
        self._asked = asked = _held(images.new_zeros(size, *images.shape[1:]))
        self._answering = self._captured(lambda: (self.logits(asked),), "evaluation")
        found = torch.cat([self._part(part) for part in torch.split(images, size)])
        _compare("first answers of a captured evaluation", found, expected)
        return found

    def _captured(self, compute: Callable[[], Tensors], what: str) -> Captured:
        if self._pool is None and self.on_gpu:
            self._pool = torch.cuda.graph_pool_handle()
        try:
            return self._capture(compute, self._pool)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CaptureError(f"CUDA could not capture the {what} of this network ({reason})") from error

    def close(self) -> None:
        """Let go of the graphs, their tensors and the gradients, and give the memory back to the device."""
        for captured in (self._training, self._answering):
            if captured is not None:
                captured.reset()
        self.optimizer.zero_grad()
        for module in self.network.modules():
            if isinstance(module, LearnedModule):
                for name in module.remembers:
                    setattr(module, name, None)
        self._clear()
        give_back(self.device)


def _held(images: torch.Tensor) -> torch.Tensor:
    """A tensor of the graph's own for images, in the layout in which it computes."""
    layout = torch.channels_last if images.is_cuda else torch.contiguous_format
    return images.clone(memory_format=layout)


def _compare(what: str, found: torch.Tensor, expected: torch.Tensor) -> None:
    """Largest difference against the largest value; a loss that is not finite either way is the training's business."""
    spread, scale = (found - expected).abs().max().item(), expected.abs().max().item()
    if spread <= _TOLERANCE * (1.0 + scale) or not torch.isfinite(expected).all().item():
        return
    raise CaptureError(
        f"the {what} is off by {spread:.3g} (of {scale:.3g}): what was captured is not what was to be computed"
    )
