"""Which kind of steps a training takes."""

from __future__ import annotations

import logging

import torch
from torch import nn

from igcnas.execution.reading import without_reading
from igcnas.network.plan import Plan
from igcnas.training.distributed import ALONE, GradientAverage, World
from igcnas.training.graph import GraphSteps, not_captured
from igcnas.training.grouping_loss import GroupingLoss
from igcnas.training.recipes import Recipe
from igcnas.training.steps import EagerSteps, LossOf, ProgramSteps, Steps

_LOGGER = logging.getLogger(__name__)


def make_steps(
    network_plan: Plan,
    network: nn.Sequential,
    recipe: Recipe,
    grouping_loss: GroupingLoss,
    loss_of: LossOf,
    *,
    engine: str,
    capture: bool,
    mixed: bool,
    detailed: bool,
    world: World = ALONE,
) -> Steps:
    """On CUDA captured where that was found right (`capture`) and can be; on a CPU the program; else eager ones.

    The program is made of the plan, and would not see channels that a recipe drops inside the network. Learned layers
    that it cannot read, of a grouping that another package adds, are trained eagerly, and a warning says so.
    """
    device = next(network.parameters()).device
    inside = recipe.channel_dropout.share > 0
    if device.type == "cpu" and engine == "fast" and world.size == 1 and not inside and _readable(network):
        return ProgramSteps(network_plan, network, recipe, loss_of, detailed=detailed)
    average = GradientAverage(network.parameters(), world) if world.size > 1 else None
    if device.type == "cpu":
        return EagerSteps(network, recipe, loss_of, detailed=detailed, average=average)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if average is None:
        grouping_loss.place_numbers(device)
    if engine == "fast" and capture and not_captured(world) is None:
        return GraphSteps(network, recipe, loss_of, mixed=mixed, detailed=detailed)
    return EagerSteps(network, recipe, loss_of, mixed=mixed, detailed=detailed, average=average)


def _readable(network: nn.Module) -> bool:
    """Whether the program can read every layer."""
    strange = without_reading(network)
    if strange:
        _LOGGER.warning("%s has no reading in the fast engine; this network is trained eagerly", " and ".join(strange))
    return not strange
