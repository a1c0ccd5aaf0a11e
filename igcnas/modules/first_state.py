"""The weights of a network as it is before training, for measuring how fast it is: time does not depend on them."""

from __future__ import annotations

import torch
from torch import nn

from igcnas.modules.build import build
from igcnas.network.architecture import Architecture
from igcnas.network.plan import plan

_IMAGES = 16


def first_state(architecture: Architecture) -> dict[str, torch.Tensor]:
    """The state of the module of its plan.

    The weights are the first ones, drawn with seed 0. Norms have seen a few random images, so that values keep the size
    that they have in a trained network: those of a deep one would grow or vanish, and no two runtimes agree about what
    is left.
    """
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(0)
        module = build(plan(architecture)).eval()
        for part in module.modules():
            if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
                part.train()
                part.momentum = None  # the plain average
        module(torch.randn(_IMAGES, *architecture.input_shape))
        return module.state_dict()
