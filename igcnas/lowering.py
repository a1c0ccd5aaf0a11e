"""From a trained network to one of plain primitives: learned groups become gathers and group convolutions.

Training multiplies a dense weight by a learned mask, which saves nothing. Lowering sorts the channels by their group,
so that the weights that live are blocks: one group convolution where the groups are equal, else a split one.
`count_plan` of the result is what the network really costs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from igcnas.errors import ExportError
from igcnas.grouping import LearnedGrouping
from igcnas.layers import FullyLearnableGroupConv
from igcnas.plan import Plan
from igcnas.primitives import Convolution, Gather, Layer, Residual, Sequence, SplitConvolution


@dataclass(frozen=True, slots=True)
class Lowered:
    """A plan without learned layers, and the state dict of `igcnas.network.build(plan)`: contiguous, on the CPU.

    assignments: for each layer that was learned, by its path, the group of every input channel and of every filter.
    """

    plan: Plan
    state: dict[str, torch.Tensor]
    assignments: dict[str, dict[str, list[int]]]


class Replacement(NamedTuple):
    """What stands for one learned layer: plain layers, and their tensors by name, such as 'expand.weight'."""

    layers: tuple[Layer, ...]
    state: dict[str, torch.Tensor]
    assignment: dict[str, list[int]]


def lower(network: Plan, module: nn.Module) -> Lowered:
    """Replace every learned layer; `module` is `igcnas.network.build(network)` after training."""
    state = {name: tensor.detach() for name, tensor in module.state_dict().items()}
    assignments: dict[str, dict[str, list[int]]] = {}
    root = _sequence(network.root, "", module, state, assignments)
    # The memory format makes the strides of 1x1 weights plain, too: torch calls several strides contiguous there.
    plain = {name: tensor.cpu().clone(memory_format=torch.contiguous_format) for name, tensor in state.items()}
    return Lowered(Plan(root, network.input_shape) if assignments else network, plain, assignments)


def _sequence(
    sequence: Sequence,
    path: str,
    module: nn.Module,
    state: dict[str, torch.Tensor],
    assignments: dict[str, dict[str, list[int]]],
) -> Sequence:
    """The same sequence with learned layers replaced; moves their tensors in `state` and notes their `assignments`."""
    prefix = f"{path}." if path else ""
    names = {child.name for child in sequence.layers}
    children: list[Layer] = []
    for child in sequence.layers:
        where = prefix + child.name
        if isinstance(child, Sequence):
            children.append(_sequence(child, where, module, state, assignments))
        elif isinstance(child, Residual):
            body = _sequence(child.body, f"{where}.body", module, state, assignments)
            shortcut = _sequence(child.shortcut, f"{where}.shortcut", module, state, assignments)
            children.append(Residual(child.name, body, shortcut))
        elif isinstance(child, Convolution) and child.learned is not None:
            new = _LOWERINGS[type(child.learned)](child, module.get_submodule(where), names)
            for name in [name for name in state if name.startswith(f"{where}.")]:
                del state[name]
            state.update({prefix + name: tensor for name, tensor in new.state.items()})
            assignments[where] = new.assignment
            children.extend(new.layers)
        else:
            children.append(child)
    return Sequence(sequence.name, tuple(children))


def _lower_flgc(conv: Convolution, module: nn.Module, names: set[str]) -> Replacement:
    if not isinstance(module, FullyLearnableGroupConv):
        raise ExportError(
            f"layer {conv.name} is a {type(module).__name__}, not a learned convolution; build it from its plan"
        )
    in_groups, out_groups = (groups.tolist() for groups in module.assignments())
    return lower_groups(conv, module.weight.detach(), in_groups, out_groups, names)


# Which function lowers which learned grouping: (layer, its trained module, names its new neighbours must avoid).
_LOWERINGS: dict[type, Callable[[Convolution, nn.Module, set[str]], Replacement]] = {LearnedGrouping: _lower_flgc}


def lower_groups(
    conv: Convolution, weight: torch.Tensor, in_groups: list[int], out_groups: list[int], names: set[str]
) -> Replacement:
    """Lower a 1x1 convolution with (out, in, 1, 1) weights; channel i has group in_groups[i], filter o out_groups[o].

    `names` are those of its neighbours; new layers get others.
    """
    groups = sorted({*in_groups, *out_groups})
    inputs = [[i for i, group in enumerate(in_groups) if group == g] for g in groups]
    filters = [[o for o, group in enumerate(out_groups) if group == g] for g in groups]
    blocks = [weight[o][:, i] for i, o in zip(inputs, filters, strict=True)]
    before: list[Layer] = _gather(_free(f"{conv.name}_in", names), [i for group in inputs for i in group])
    state: dict[str, torch.Tensor] = {}
    middle: Layer
    if len({len(i) for i in inputs}) == 1 and len({len(o) for o in filters}) == 1:
        middle = conv._replace(groups=len(groups), learned=None)
        state[f"{conv.name}.weight"] = torch.cat(blocks)
    else:
        if conv.stride != 1:
            # A split convolution has no stride; ones on the diagonal pick the same pixels, and are counted as done.
            sample = _free(f"{conv.name}_sample", names)
            before.append(
                conv._replace(name=sample, out_channels=conv.in_channels, groups=conv.in_channels, learned=None)
            )
            state[f"{sample}.weight"] = weight.new_ones(conv.in_channels, 1, 1, 1)
        sizes = [tuple(len(group) for group in side) for side in (inputs, filters)]
        middle = SplitConvolution(conv.name, sizes[0], sizes[1], conv.out_size)
        # A group without inputs or without filters has no weights and no tensor.
        state |= {f"{conv.name}.convs.{g}.weight": block for g, block in enumerate(blocks) if block.numel()}
    order = [o for group in filters for o in group]  # the middle layer's output j is filter order[j]; undo that
    after = _gather(_free(f"{conv.name}_out", names), sorted(range(len(order)), key=order.__getitem__))
    return Replacement((*before, middle, *after), state, {"inputs": in_groups, "filters": out_groups})


def _gather(name: str, indices: list[int]) -> list[Layer]:
    return [] if indices == list(range(len(indices))) else [Gather(name, tuple(indices))]


def _free(name: str, names: set[str]) -> str:
    while name in names:
        name += "_"
    return name
