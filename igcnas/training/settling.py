"""Gated networks brought back to their plan after training: where the penalty did not do it, a higher bar for masks.

The hinge of MSGC leads training towards the planned multiply-accumulates and guarantees nothing; a search promises that
no network is over its budget. So where a trained network measures above its plan, the bar that every mask logit must
reach is raised from 0 to the lowest number that brings it to the plan. The bar goes into the biases of the generators:
nothing else in the network, its export or its counts has to know of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import nn

from igcnas.modules.layers import MeasuredModule
from igcnas.modules.lowering import lower
from igcnas.network.cost import count_plan
from igcnas.network.plan import Plan
from igcnas.training.measuring import measure_gates
from igcnas.training.metrics import Scores, scored
from igcnas.training.tensors import ImageTensors, TrainingData

_BATCH = 500
_HALVINGS = 12
_HIGHEST = 64.0  # logits are of the order of 1


def settle_gates(
    network_plan: Plan, network: nn.Module, batches: Callable[[], Iterable[torch.Tensor]]
) -> tuple[int, bool]:
    """MACs measured over the images that `batches()` gives, float (B, channels, height, width), and whether it acted.

    Where they are above the plan's, the bar of all masks is raised until they are not. Leaves the buffers `measured` as
    `measure_gates` does. Networks without such gates are measured only. Where not even the highest bar is enough, which
    no plan of ours has shown, the masks stay as they were trained.
    """
    planned = count_plan(network_plan).macs
    biases = [module.bar() for module in network.modules() if isinstance(module, MeasuredModule)]
    trained = [bias.detach().clone() for bias in biases]

    def measured(bar: float) -> int:
        with torch.no_grad():
            for bias, start in zip(biases, trained, strict=True):
                bias.copy_(start - bar)
        measure_gates(network_plan, network, batches())
        return count_plan(lower(network_plan, network).plan).macs

    found = measured(0.0)
    if found <= planned or not biases:
        return found, False
    low, high = 0.0, 1.0
    while measured(high) > planned:
        low, high = high, 2 * high
        if high > _HIGHEST:
            return measured(0.0), False
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if measured(middle) > planned:
            low = middle
        else:
            high = middle
    return measured(high), True


def settle_on(network_plan: Plan, network: nn.Module, data: TrainingData, images: ImageTensors) -> bool:
    """Settle by these images of the data; whether the network is another now."""
    parts = torch.split(images.images, _BATCH)
    return settle_gates(network_plan, network, lambda: (data.normalize(part) for part in parts))[1]


def settled_scores(network_plan: Plan, network: nn.Module, data: TrainingData) -> Scores | None:
    """Settle by the validation images; the scores on them of what came out, None if it is the same network."""
    if settle_on(network_plan, network, data, data.validation):
        return scored(network, data.validation, data.normalize, classes=data.num_classes)
    return None
