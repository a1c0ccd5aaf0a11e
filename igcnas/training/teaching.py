"""A trained network as a teacher: its answers to the images that another one is trained on."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from igcnas.execution import make_program
from igcnas.execution.program import Program
from igcnas.execution.reading import without_reading
from igcnas.network.architecture import Architecture
from igcnas.network.plan import plan
from igcnas.training.runs.weights import loaded
from igcnas.training.targets import Teacher


def teacher_of(
    architecture: Architecture,
    state: Mapping[str, torch.Tensor],
    *,
    where: str,
    device: torch.device,
    engine: str = "fast",
) -> Teacher:
    """What this network answers, in evaluation mode.

    Args:
        architecture: of the network.
        state: of `build(plan(architecture))`. Its images are normalised as those of the pupil.
        where: the weights are from, for an error.
        device: where images come from, and where answers go.
        engine: 'fast' for igcnas's own program on a CPU, 'eager' for the torch module.
    """
    network_plan = plan(architecture)
    network = loaded(network_plan, state, where=where).to(device)
    if device.type != "cpu" or engine != "fast" or without_reading(network):

        def ask(images: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                answers: torch.Tensor = network(images)
            return answers

        return ask
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)  # a program wants a place for it, also one that only answers
    programs: dict[int, Program] = {}

    def ask_program(images: torch.Tensor) -> torch.Tensor:
        if len(images) not in programs:
            programs[len(images)] = make_program(network_plan, network, len(images))
        return programs[len(images)].answer(images)

    return ask_program
