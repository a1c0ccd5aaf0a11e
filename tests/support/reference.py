"""Networks filled by a rule instead of weights, and what the code of other people computes with the same filling.

tests/data/reference-outputs.json holds a row for each network: logits in evaluation and training, sums of squares of
gradients and running statistics, and whose code gave them (`peer`). Nothing random and no stored weight: stream s of
the rule is a sequence of numbers in [-1, 1) that splitmix64 makes from the counter (s, n).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from igcnas.modules.build import build
from igcnas.network.grouping.rules import GroupingRules
from igcnas.network.literature import family
from igcnas.network.plan import plan
from igcnas.training.grouping_loss import GroupingLoss

ROWS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "reference-outputs.json").read_text(encoding="utf-8")
)["rows"]

_IMAGES, _LOSS = 1_000_000, 1_000_001  # streams of the images and of the weights of the loss
_WEYL = 0x9E3779B97F4A7C15
_ROUNDS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1))


def numbers(stream: int, count: int) -> np.ndarray:
    """The first numbers of a stream, float64 of shape (count,)."""
    counter = np.arange(1, count + 1, dtype=np.uint64) + np.uint64(stream << 32)
    z = counter * np.uint64(_WEYL)
    for shift, factor in _ROUNDS:
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1.0


def tensor(stream: int, shape: torch.Size | tuple[int, ...]) -> torch.Tensor:
    """The first numbers of a stream, in C order."""
    return torch.from_numpy(numbers(stream, int(np.prod(shape)))).reshape(tuple(shape))


class Filling(NamedTuple):
    """What was filled, to tell whether it was the same: tensors, numbers in them, and the sum of all."""

    tensors: int
    numbers: int
    sum: float


def fill(network: nn.Module, *, scaled: dict[str, float], added: dict[str, float]) -> Filling:
    """Fill parameters and running statistics in the order of the state dict; each has a stream of its own."""
    parameters = {name for name, _ in network.named_parameters()}
    norms = (nn.BatchNorm1d, nn.BatchNorm2d)
    gammas = {f"{name}.weight" for name, module in network.named_modules() if isinstance(module, norms)}
    tensors, count, total = 0, 0, 0.0
    with torch.no_grad():
        for name, values in network.state_dict().items():
            last = name.rpartition(".")[2]
            if name not in parameters and last not in ("running_mean", "running_var"):
                continue
            r = tensor(tensors, values.shape)
            if last == "running_mean":
                r = 0.1 * r
            elif last == "running_var":
                r = 1 + 0.5 * r**2
            elif name in gammas:
                r = 1 + 0.3 * r
            elif values.dim() > 1:
                r = r * (6 / values[0].numel()) ** 0.5
            else:
                r = 0.2 * r
            for ending, factor in scaled.items():
                r = r * factor if name.endswith(ending) else r
            for ending, summand in added.items():
                r = r + summand if name.endswith(ending) else r
            values.copy_(r)
            tensors, count, total = tensors + 1, count + r.numel(), total + float(r.sum())
    return Filling(tensors, count, total)


class Outcome(NamedTuple):
    """What a network computes for the images of its row."""

    params: int
    filling: Filling
    evaluated: torch.Tensor
    trained: torch.Tensor
    running_square: float
    input_gradient_square: float
    gradient_squares: list[float]


def compute(row: dict[str, Any]) -> Outcome:
    """Build the network of a row, fill it, and run it once in evaluation and once in training."""
    network_plan = plan(family(row["family"]).build(**row["parameters"]))
    network = build(network_plan).double()
    objective = GroupingLoss(network, network_plan, GroupingRules(**row.get("rules", {})))
    filling = fill(network, scaled=row.get("scaled", {}), added=row.get("added", {}))
    objective.begin_step(row.get("progress", 0.0))
    if row.get("finish"):
        objective.finish()
    images = 2 * tensor(_IMAGES, tuple(row["input"]))
    with torch.no_grad():
        evaluated = network.eval()(images)
    network.train()
    objective.begin_step(row.get("progress", 0.0))
    trained = network(images.requires_grad_())
    (trained * tensor(_LOSS, trained.shape)).sum().backward()
    buffers = network.named_buffers()
    assert images.grad is not None
    return Outcome(
        params=sum(parameter.numel() for parameter in network.parameters()),
        filling=filling,
        evaluated=evaluated,
        trained=trained.detach(),
        running_square=sum(float(b.square().sum()) for n, b in buffers if n.endswith(("running_mean", "running_var"))),
        input_gradient_square=float(images.grad.square().sum()),
        gradient_squares=[
            0.0 if parameter.grad is None else float(parameter.grad.square().sum())
            for parameter in network.parameters()
        ],
    )
