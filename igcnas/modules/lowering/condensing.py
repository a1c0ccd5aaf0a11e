"""Condensed layers: a gather, in which a channel may stand for several groups or for none, and a smaller layer."""

from __future__ import annotations

import torch
from torch import nn

from igcnas.errors import ExportError
from igcnas.modules.layers import CondensingLinear, LearnedGroupConv
from igcnas.modules.lowering.replacement import Replacement, free, gather
from igcnas.network.primitives import Convolution, Layer, Linear, Permutation


def lower_condensing(conv: Convolution, module: nn.Module, names: set[str]) -> Replacement:
    """Gather, group convolution, permutation back: filter o is of group o % groups.

    Exact after any stage; before the first one it is a dense convolution. `kept` of the assignment: for each group in
    turn the input channels that it has.
    """
    if not isinstance(module, LearnedGroupConv):
        raise ExportError(
            f"layer {conv.name} is a {type(module).__name__}, not a condensing convolution; build it from its plan"
        )
    weight, groups, kept = module.weight.detach(), module.groups, module.kept_inputs()
    assignment = {
        "filters": [o % groups for o in range(conv.out_channels)],
        "kept": [i for inputs in kept for i in inputs],
    }
    plain = conv._replace(learned=None)
    if all(len(inputs) == conv.in_channels for inputs in kept):
        return Replacement((plain,), {f"{conv.name}.weight": weight}, assignment)
    before = gather(free(f"{conv.name}_in", names), assignment["kept"], conv.in_channels)
    after: list[Layer] = []
    if 1 < groups < conv.out_channels:
        after.append(Permutation(free(f"{conv.name}_out", names), conv.out_channels, groups))
    blocks = torch.cat([weight[group::groups][:, inputs] for group, inputs in enumerate(kept)])
    middle = plain._replace(in_channels=len(assignment["kept"]), groups=groups)
    return Replacement((*before, middle, *after), {f"{conv.name}.weight": blocks}, assignment)


def lower_linear(layer: Linear, module: nn.Module, names: set[str]) -> Replacement:
    """Gather and a smaller linear layer."""
    if not isinstance(module, CondensingLinear):
        raise ExportError(
            f"layer {layer.name} is a {type(module).__name__}, not a condensing linear layer; build it from its plan"
        )
    (kept,) = module.kept_inputs()
    state = {f"{layer.name}.weight": module.weight.detach()[:, kept]}
    if module.bias is not None:
        state[f"{layer.name}.bias"] = module.bias.detach()
    before = gather(free(f"{layer.name}_in", names), kept, layer.in_features)
    return Replacement((*before, layer._replace(in_features=len(kept), factor=1)), state, {"kept": kept})
