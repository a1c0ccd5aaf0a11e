"""What stands for a learned layer after training: plain layers, and how groups and masks become some.

Channels are sorted by their group, so that the weights that live are blocks: one group convolution where the groups are
equal in size, else a split one, with gathers around it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from igcnas.network.primitives import Convolution, Gather, Layer, Pool, SplitConvolution


class Replacement(NamedTuple):
    """What stands for one learned layer: plain layers, and their tensors by name, such as 'expand.weight'.

    assignment: what training decided, for the record of an export: the group of each of the 'inputs' and 'filters', or
    in place of 'inputs' what each group has 'kept', as many a group; {} where it is neither.
    """

    layers: tuple[Layer, ...]
    state: dict[str, torch.Tensor]
    assignment: dict[str, list[int]]


def gather(name: str, indices: list[int], channels: int) -> list[Layer]:
    """A gather from this many channels, or nothing where it would change nothing."""
    return [] if indices == list(range(channels)) else [Gather(name, tuple(indices))]


def free(name: str, names: set[str]) -> str:
    """The name, with underscores appended until no neighbour has it."""
    while name in names:
        name += "_"
    return name


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


def lower_mask(conv: Convolution, weight: torch.Tensor, mask: torch.Tensor, names: set[str]) -> Replacement:
    """Lower a convolution with any (out, in) mask on its (out, in, k, k) weights.

    Filters that read the same inputs are a group. Equal groups are one group convolution, behind a gather in which an
    input may stand for several groups or none; unequal ones a split convolution if it is 1x1 without stride. Else it
    stays the dense convolution with zeros in it, and costs as much: such a kind should say itself how it is lowered.
    """
    rows = [tuple(row.nonzero().flatten().tolist()) for row in mask != 0]
    sets = list(dict.fromkeys(rows))
    filters = [[o for o, row in enumerate(rows) if row == kept] for kept in sets]
    groups = [sets.index(row) for row in rows]
    order = [o for group in filters for o in group]
    indices = [i for kept in sets for i in kept]
    equal = len({len(kept) for kept in sets}) == len({len(group) for group in filters}) == 1
    if not indices or (not equal and (conv.kernel, conv.stride) != (1, 1)):
        masked = weight * mask[:, :, None, None].to(weight.dtype)
        return Replacement((conv._replace(learned=None),), {f"{conv.name}.weight": masked}, {})
    before = gather(free(f"{conv.name}_in", names), indices, conv.in_channels)
    after = gather(free(f"{conv.name}_out", names), sorted(range(len(order)), key=order.__getitem__), len(order))
    blocks = [weight[group][:, list(kept)] for kept, group in zip(sets, filters, strict=True)]
    if equal:
        plain = conv._replace(learned=None, in_channels=len(indices), groups=len(sets))
        state = {f"{conv.name}.weight": torch.cat(blocks)}
        return Replacement((*before, plain, *after), state, {"filters": groups, "kept": indices})
    split = SplitConvolution(conv.name, tuple(map(len, sets)), tuple(map(len, filters)), conv.out_size)
    state = {f"{conv.name}.convs.{g}.weight": block for g, block in enumerate(blocks) if block.numel()}
    return Replacement((*before, split, *after), state, {})
