"""Fully learnable group convolution: channels sorted by their group, so that the weights that live are blocks."""

from __future__ import annotations

import torch
from torch import nn

from igcnas.errors import ExportError
from igcnas.modules.layers import FullyLearnableGroupConv, GroupableConv
from igcnas.modules.lowering.replacement import Replacement, free, gather
from igcnas.network.primitives import Convolution, Layer, Pool, SplitConvolution


def lower_flgc(conv: Convolution, module: nn.Module, names: set[str]) -> Replacement:
    """One group convolution where the groups are equal in size, else a split one, with gathers around it."""
    if not isinstance(module, FullyLearnableGroupConv):
        raise ExportError(
            f"layer {conv.name} is a {type(module).__name__}, not a learned convolution; build it from its plan"
        )
    in_groups, out_groups = (groups.tolist() for groups in module.assignments())
    return lower_groups(conv, module.weight.detach(), in_groups, out_groups, names)


def lower_groups(
    conv: Convolution, weight: torch.Tensor, in_groups: list[int], out_groups: list[int], names: set[str]
) -> Replacement:
    """Lower a convolution with (out, in, k, k) weights; channel i has group in_groups[i], filter o out_groups[o].

    `names` are those of its neighbours; new layers get others. Groups of different sizes are for 1x1 convolutions.
    """
    groups = sorted({*in_groups, *out_groups})
    inputs = [[i for i, group in enumerate(in_groups) if group == g] for g in groups]
    filters = [[o for o, group in enumerate(out_groups) if group == g] for g in groups]
    blocks = [weight[o][:, i] for i, o in zip(inputs, filters, strict=True)]
    before: list[Layer] = gather(free(f"{conv.name}_in", names), [i for group in inputs for i in group], len(in_groups))
    state: dict[str, torch.Tensor] = {}
    middle: Layer
    if len({len(i) for i in inputs}) == 1 and len({len(o) for o in filters}) == 1:
        middle = conv._replace(groups=len(groups), learned=None)
        state[f"{conv.name}.weight"] = torch.cat(blocks)
    else:
        if conv.stride != 1:
            # A split convolution has no stride; pooling over single pixels picks the same ones, and computes nothing.
            sample = free(f"{conv.name}_sample", names)
            before.append(Pool(sample, "max", conv.in_channels, 1, conv.stride, conv.in_size))
        sizes = [tuple(len(group) for group in side) for side in (inputs, filters)]
        middle = SplitConvolution(conv.name, sizes[0], sizes[1], conv.out_size)
        # A group without inputs or without filters has no weights and no tensor.
        state |= {f"{conv.name}.convs.{g}.weight": block for g, block in enumerate(blocks) if block.numel()}
    order = [o for group in filters for o in group]  # the middle layer's output j is filter order[j]; undo that
    after = gather(free(f"{conv.name}_out", names), sorted(range(len(order)), key=order.__getitem__), len(order))
    return Replacement((*before, middle, *after), state, {"inputs": in_groups, "filters": out_groups})


def lower_dgconv(conv: Convolution, module: nn.Module, names: set[str]) -> Replacement:
    """Bits of the gates that are off come first, which makes groups contiguous; both gathers vanish if they do so."""
    if not isinstance(module, GroupableConv):
        raise ExportError(
            f"layer {conv.name} is a {type(module).__name__}, not a groupable convolution; build it from its plan"
        )
    groups = module.groups()
    return lower_groups(conv, module.weight.detach(), groups, groups, names)
