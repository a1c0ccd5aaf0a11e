"""Two trainings of one network from equal weights, step by step: what they computed, and where they differ.

Both kinds of steps first do what they do but once (choose, allocate, capture); then the first weights are put back in
place, and what is compared are steps and answers as the thousands of a training are.

How much of a difference is rounding, a network tells by itself: what a tensor is in bfloat16 and in float32, both times
eagerly, is one mathematics rounded twice. That counts beside a share of the tensor, since gradients that are zero but
for rounding (those of the scale of a norm with another norm behind it) have no relative error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn
from torch.nn import functional

from igcnas.modules.build import build
from igcnas.network.architecture import Architecture
from igcnas.network.plan import Plan, plan
from igcnas.training.graph import WARM_UP
from igcnas.training.grouping_loss import GroupingLoss
from igcnas.training.preparing import hang_dropout, prepare
from igcnas.training.recipes import Recipe
from igcnas.training.steps import LossOf, Result, Steps

STEPS = 5
_SEED = 1
_RIGHT = 0.5  # share of the right answers, of which a batch of noise has few
_STEEPER = 30.0  # so that the losses of batches differ: those of fresh networks are all the logarithm of the classes

Batch = tuple[torch.Tensor, torch.Tensor]


class Making(Protocol):
    """How steps are made of a network that is on its device."""

    def __call__(
        self,
        network_plan: Plan,
        network: nn.Sequential,
        recipe: Recipe,
        grouping_loss: GroupingLoss,
        loss_of: LossOf,
        *,
        mixed: bool,
        detailed: bool,
    ) -> Steps:
        """As igcnas.training.making does."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """A difference may come to this share of what was expected (the loss: that one), and so many times the rounding."""

    share: float
    loss: float
    times: float


# The same stock operators run both times; but kernels that add in any order round anew each time, and a graph may be
# given other algorithms. What is wrong makes 1 or so: a rate, a batch, random numbers or weights of an earlier step.
FLOAT32 = Tolerance(share=0.05, loss=0.005, times=0.5)
BFLOAT16 = Tolerance(share=0.25, loss=0.01, times=2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What STEPS steps from the first weights gave, all on the CPU.

    losses, right: of each step. gradients: behind the first one. moved: by how much each tensor of the state differs
    from what it was at the beginning. answers: of two sizes of batches behind the last one.
    """

    losses: torch.Tensor
    right: torch.Tensor
    gradients: dict[str, torch.Tensor]
    moved: dict[str, torch.Tensor]
    answers: torch.Tensor


class Subject:
    """One network with one kind of steps, at its first weights."""

    def __init__(
        self, architecture: Architecture, recipe: Recipe, device: torch.device, make: Making, *, mixed: bool
    ) -> None:
        torch.manual_seed(_SEED)
        network_plan = plan(architecture)
        network = build(network_plan)
        prepare(network, network_plan, recipe)
        with torch.no_grad():
            network.get_parameter("classifier.weight").mul_(_STEEPER)
        self.network = network.to(device)
        self.recipe = recipe
        self.grouping_loss = GroupingLoss(self.network, network_plan, recipe.grouping)
        hang_dropout(self.network, network_plan, recipe)
        self.steps = make(
            network_plan, self.network, recipe, self.grouping_loss, self._loss_of, mixed=mixed, detailed=True
        )
        self._first = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}

    def _loss_of(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        loss = functional.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)
        return self.grouping_loss(loss)

    def step(self, number: int, batch: Batch) -> Result:
        """As the engine does it: rate, schedules of groupings and random numbers follow from the number of the step."""
        place = number % STEPS
        self.steps.set_rate(self.recipe.learning_rate * (STEPS - place) / STEPS)
        self.grouping_loss.begin_step(place / STEPS)
        torch.manual_seed(_SEED + place)
        return self.steps.step(*batch)

    def rehearse(self, batches: list[Batch]) -> None:
        """Steps and answers until all of it is captured that ever will be; then back to the beginning."""
        self.network.train()
        for number in range(WARM_UP + 1):
            self.step(number, batches[number % len(batches)])
        self.network.eval()
        for _ in range(2):
            self.steps.answer(batches[0][0])
        self.restore()

    def restore(self) -> None:
        """The first weights, and an optimizer that has not moved yet; in place, so that a graph sees them."""
        self.network.load_state_dict(self._first)
        for state in self.steps.optimizer.state_dict()["state"].values():
            for held in state.values():
                if isinstance(held, torch.Tensor):
                    held.zero_()

    def trace(self, batches: list[Batch]) -> Trace:
        """Take the steps."""
        self.network.train()
        results, gradients = [], {}
        for number in range(STEPS):
            results.append(self.step(number, batches[number % len(batches)]))
            if number == 0:
                gradients = {
                    name: _copied(parameter.grad)
                    for name, parameter in self.network.named_parameters()
                    if parameter.grad is not None
                }
        self.network.eval()
        images = batches[0][0]
        answers = [self.steps.answer(part) for part in (images, images[: len(images) // 3])]
        return Trace(
            losses=_copied(torch.stack([loss for loss, _ in results])),
            right=_copied(torch.stack([right for _, right in results if right is not None])),
            gradients=gradients,
            moved={
                name: _copied(tensor) - _copied(self._first[name]) for name, tensor in self.network.state_dict().items()
            },
            answers=_copied(torch.cat(answers)),
        )

    def close(self) -> None:
        """Give the memory back."""
        self.steps.close()


def difference(found: Trace, expected: Trace, rounded: Trace, allowed: Tolerance) -> str | None:
    """The first thing that is off by more than is allowed, in a few words; None where nothing is.

    rounded: as expected, in the other precision.
    """
    first, whole = slice(0, 1), slice(None)
    share, loss = allowed.share, allowed.loss
    parts: dict[str, tuple[_Three, float]] = {
        "the loss of a step is": (_three("losses", found, expected, rounded, first), loss),
        "gradients are": ((found.gradients, expected.gradients, rounded.gradients), share),
        "the loss of five steps is": (_three("losses", found, expected, rounded, whole), loss),
        "weights after five steps are": ((found.moved, expected.moved, rounded.moved), share),
        "evaluation is": (_three("answers", found, expected, rounded, whole), share),
        "the right answers of a step are": (_three("right", found, expected, rounded, whole), _RIGHT),
    }
    for what, (three, most) in parts.items():
        worst = max(_offs(*three, share=most, times=allowed.times))
        if worst.beyond > 0:
            return f"{what} off by {worst.off:.2g}" + (f" ({worst.name})" if worst.name else "")
    return None


_Tensors = Mapping[str, torch.Tensor]
_Three = tuple[_Tensors, _Tensors, _Tensors]


def _three(part: str, found: Trace, expected: Trace, rounded: Trace, which: slice) -> _Three:
    one, two, three = ({"": getattr(trace, part)[which]} for trace in (found, expected, rounded))
    return one, two, three


@dataclass(frozen=True, order=True)
class _Off:
    """beyond: by how much it is more than is allowed, as a share of what was expected."""

    beyond: float
    off: float
    name: str


def _offs(found: _Tensors, expected: _Tensors, rounded: _Tensors, *, share: float, times: float) -> Iterator[_Off]:
    for name in expected.keys() | found.keys():
        if name not in expected or name not in found:
            yield _Off(1.0, 1.0, f"{name} is missing or new")
            continue
        size = expected[name].norm().item()
        off = (found[name] - expected[name]).norm().item()
        exact = name.endswith("num_batches_tracked")
        least = 0.0 if exact else share * size + times * (rounded[name] - expected[name]).norm().item()
        scale = size or 1.0
        beyond = (off - least) / scale
        yield _Off(beyond if beyond == beyond else float("inf"), off / scale, name)  # what is no number is the worst


def _copied(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().to("cpu", torch.float64, copy=True)
