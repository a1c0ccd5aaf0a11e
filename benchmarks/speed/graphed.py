"""Stock operators in a CUDA graph: one step captured for each network, replayed for each batch.

In the graph: forward, loss, backward, clipping, optimizer, the sum of the losses. Before each replay the batch and the
learning rate are copied into its tensors. Warm-up steps run on a side stream; weights, running statistics and momenta
are then put back in place, so that the training is the same as without a graph.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from benchmarks.speed.outcome import Outcome
from benchmarks.speed.resident import ResidentBatches
from benchmarks.speed.stock import Form, Trial, prepare, sgd, validate
from igcnas.architecture import Architecture
from igcnas.errors import TrainingError
from igcnas.plan import plan
from igcnas.recipes import short_recipe
from igcnas.settings import TrainingSettings
from igcnas.training.schedule import rate_factor

_WARM_UP = 3
_FORM = Form(channels_last=True, mixed=True, fused=True)


def train_graphed(
    architecture: Architecture,
    settings: TrainingSettings,
    batches: ResidentBatches,
    device: torch.device,
    *,
    repeat: int = 0,
) -> Outcome:
    """From an architecture to its validation accuracy; CUDA only, fixed groupings only."""
    from benchmarks.speed.networks import learns_groups

    if learns_groups(architecture):
        raise TrainingError("a graph of stock operators is not measured with learned groupings")
    trial = Trial(device)
    recipe = short_recipe(settings)
    network = prepare(plan(architecture), settings.network_seed(architecture.id, repeat), device, _FORM)
    shape = (batches.batch_size, *batches.images.shape[1:])
    images = torch.zeros(shape, device=device).contiguous(memory_format=torch.channels_last)
    labels = torch.zeros(batches.batch_size, dtype=torch.int64, device=device)
    rate = torch.zeros((), device=device)
    total = torch.zeros((), device=device)
    optimizer = sgd(network, recipe, fused=True, rate=rate)
    parameters = list(network.parameters())

    def step() -> None:
        # The cache of autocast would keep casts from outside of the graph.
        with torch.autocast("cuda", torch.bfloat16, cache_enabled=False):
            loss = functional.cross_entropy(network(images), labels, label_smoothing=recipe.label_smoothing)
        loss.backward()
        if recipe.gradient_clip is not None:
            nn.utils.clip_grad_norm_(parameters, recipe.gradient_clip)
        optimizer.step()
        total.add_(loss.detach())

    network.train()
    graph = captured(step, network, optimizer, device)
    mixed = torch.autocast("cuda", torch.bfloat16)
    trial.begin()
    for epoch in range(recipe.epochs):
        network.train()
        total.zero_()
        for number, (batch, wanted) in enumerate(batches.training(epoch), start=epoch * batches.steps):
            factor = rate_factor(recipe.schedule, number, steps_per_epoch=batches.steps, epochs=recipe.epochs)
            images.copy_(batch)
            labels.copy_(wanted)
            rate.fill_(recipe.learning_rate * factor)
            graph.replay()
        loss = total.item() / batches.steps
        trial.epoch(loss, validate(network, batches, mixed, channels_last=True))
    del graph
    return trial.done(batches.steps)


def captured(
    step: Callable[[], None], network: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device
) -> torch.cuda.CUDAGraph:
    """A graph of `step`, with the network and the optimizer as they were before."""
    before = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    side = torch.cuda.Stream(device)
    side.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(side):
        for _ in range(_WARM_UP):
            optimizer.zero_grad(set_to_none=True)
            step()
    torch.cuda.current_stream(device).wait_stream(side)
    optimizer.zero_grad(set_to_none=True)  # so that the gradients are made in the memory of the graph
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            tensor.copy_(before[name])
        for state in optimizer.state.values():
            if isinstance(momentum := state.get("momentum_buffer"), torch.Tensor):
                momentum.zero_()
    return graph
