"""Who meets whom in the learned layers of a network: from its weights, or from what its export says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from igcnas.drawing.connections import Connections, assigned, masked
from igcnas.modules.layers import GatedModule, LearnedModule
from igcnas.network.plan import Plan
from igcnas.network.primitives import Convolution


@torch.no_grad()
def module_connections(network: nn.Module, images: torch.Tensor | None = None) -> dict[str, Connections]:
    """Of each learned convolution, by its path, from first to last.

    Where each image chooses its channels: the share of the images (B, channels, height, width) for which a head keeps
    an input; the filters of a head are a group. Without images such layers are left out. Leaves the network in
    evaluation mode.
    """
    network.eval()
    learned = {name: module for name, module in network.named_modules() if isinstance(module, LearnedModule)}
    choices: dict[str, torch.Tensor] = {}

    def remember(name: str, module: GatedModule, inputs: tuple[torch.Tensor, ...]) -> None:
        choices[name] = module.choices(*inputs)

    if images is not None:
        hooks = [
            module.register_forward_pre_hook(lambda module, inputs, name=name: remember(name, module, inputs))
            for name, module in learned.items()
            if isinstance(module, GatedModule)
        ]
        network(images)
        for hook in hooks:
            hook.remove()
    found = {}
    for name, module in learned.items():
        if isinstance(module, GatedModule):
            if name not in choices:
                continue
            repeats = len(module.weight) // module.heads
            heads = torch.arange(module.heads).repeat_interleave(repeats)
            shares = choices[name].mean(0).repeat_interleave(repeats, 0)
            found[name] = masked(shares.numpy(), filter_groups=heads.numpy())
        else:
            met = module.connections()
            if met is not None:
                found[name] = masked(met.numpy())
    return found


def exported_connections(
    network: Plan, assignments: Mapping[str, Mapping[str, Sequence[int]]]
) -> dict[str, Connections]:
    """Of each learned convolution of a plan, by its path, what lowering noted of it
    (`igcnas.modules.lowering.Lowered`).

    Layers in which each image chooses have no assignment and are left out.
    """
    found = {}
    for path, layer in network.layers():
        noted = assignments.get(path)
        if not noted or not isinstance(layer, Convolution):
            continue
        if any(not noted.get(key) for key in ("filters", "inputs" if "inputs" in noted else "kept")):
            raise ValueError(f"{path} lacks its filters or inputs")
        if len(noted["filters"]) != layer.out_channels or max(noted["filters"]) >= layer.out_channels:
            raise ValueError(f"{path} has {layer.out_channels} filters")
        if "inputs" in noted:
            if len(noted["inputs"]) != layer.in_channels or max(noted["inputs"]) >= layer.in_channels:
                raise ValueError(f"{path} has {layer.in_channels} inputs")
            found[path] = assigned(noted["inputs"], noted["filters"])
            continue
        groups = np.asarray(noted["filters"])
        kept = np.asarray(noted["kept"]).reshape(groups.max() + 1, -1)  # every group keeps as many inputs
        mask = np.zeros((len(groups), layer.in_channels))
        for group, inputs in enumerate(kept):
            mask[np.ix_(groups == group, inputs)] = 1.0
        found[path] = masked(mask, filter_groups=groups)
    return found


def possible_connections(network: Plan) -> dict[str, Connections]:
    """Of each learned convolution of a plan, by its path, every pair: what training chooses from."""
    return {
        path: masked(np.ones((layer.out_channels, layer.in_channels)))
        for path, layer in network.layers()
        if isinstance(layer, Convolution) and layer.learned is not None
    }
