"""What tests of learned layers share: networks off their starting point, and the comparison of masked and lowered."""

from __future__ import annotations

import torch
from torch import nn

from igcnas.modules.build import build
from igcnas.modules.layers import LearnedModule
from igcnas.modules.lowering import Lowered, lower
from igcnas.network.grouping.rules import GroupingRules
from igcnas.network.plan import Plan


def randomised(network: Plan, seed: int = 0) -> nn.Sequential:
    """The module of a plan in evaluation mode, its batch norms as if they had seen data."""
    torch.manual_seed(seed)
    module = build(network).eval()
    for child in module.modules():
        if isinstance(child, nn.BatchNorm2d):
            for tensor in (child.running_mean, child.bias.data):
                tensor.normal_()
            for tensor in (child.running_var, child.weight.data):
                tensor.uniform_(0.5, 2.0)
    return module


def finished(module: nn.Sequential, rules: GroupingRules | None = None) -> nn.Sequential:
    """The same module with every schedule at its end."""
    for child in module.modules():
        if isinstance(child, LearnedModule):
            child.configure(rules or GroupingRules())
            child.finish()
    return module


def rebuilt(lowered: Lowered) -> nn.Module:
    """The module of a lowered network."""
    module = build(lowered.plan)
    module.load_state_dict(lowered.state)
    return module.eval()


def lowered_as_it_is(network: Plan, module: nn.Module) -> Lowered:
    """The lowered network, after a check that it is the same function: within 1e-5 of max(1, largest output)."""
    lowered = lower(network, module)
    images = torch.rand(3, *network.input_shape)
    with torch.no_grad():
        expected, found = module(images), rebuilt(lowered)(images)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 1e-5 * max(1.0, float(expected.abs().max()))
    return lowered
