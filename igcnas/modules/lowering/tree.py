"""Walks the tree of a plan and replaces its learned layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import nn

from igcnas.errors import ExportError
from igcnas.modules.layers import CondensingLinear, LearnedModule, learned_class
from igcnas.modules.lowering.skipped import skipped_macs, with_skipped
from igcnas.modules.replacement import Replacement
from igcnas.network.plan import Plan
from igcnas.network.primitives import Concat, Convolution, Gated, Layer, Linear, Residual, Sequence

EPSILON = 1e-5  # of the norms of a lowered network: what torch and ONNX have by themselves


@dataclass(frozen=True, slots=True)
class Lowered:
    """A plan without learned layers, and the state dict of `igcnas.modules.build.build(plan)`: contiguous, on the CPU.

    assignments: for each layer that was learned, by its path, the group of every input channel and of every filter;
    where an input may serve several groups, in place of its group the inputs that each group keeps.
    """

    plan: Plan
    state: dict[str, torch.Tensor]
    assignments: dict[str, dict[str, list[int]]]


def lower(network: Plan, module: nn.Module) -> Lowered:
    """Replace every learned layer; `module` is `igcnas.modules.build.build(network)` after training."""
    state = {name: tensor.detach() for name, tensor in module.state_dict().items()}
    assignments: dict[str, dict[str, list[int]]] = {}
    root = with_skipped(_sequence(network.root, "", module, state, assignments), skipped_macs(network, module))
    # The memory format makes the strides of 1x1 weights plain, too: torch calls several strides contiguous there.
    plain = {name: tensor.cpu().clone(memory_format=torch.contiguous_format) for name, tensor in state.items()}
    return Lowered(Plan(root, network.input_shape) if assignments else network, plain, assignments)


_Row = TypeVar("_Row", bound=Sequence | Gated)


def _sequence(
    sequence: _Row,
    path: str,
    module: nn.Module,
    state: dict[str, torch.Tensor],
    assignments: dict[str, dict[str, list[int]]],
) -> _Row:
    """The same sequence with learned layers replaced; moves their tensors in `state` and notes their `assignments`."""
    prefix = f"{path}." if path else ""
    names = {child.name for child in sequence.layers}
    children: list[Layer] = []
    for child in sequence.layers:
        where = prefix + child.name
        if isinstance(child, Sequence | Gated):
            children.append(_sequence(child, where, module, state, assignments))
        elif isinstance(child, Concat):
            children.append(Concat(child.name, _sequence(child.body, f"{where}.body", module, state, assignments)))
        elif isinstance(child, Residual):
            body = _sequence(child.body, f"{where}.body", module, state, assignments)
            shortcut = _sequence(child.shortcut, f"{where}.shortcut", module, state, assignments)
            children.append(Residual(child.name, body, shortcut))
        elif (new := _replacement(child, module.get_submodule(where), names)) is not None:
            for name in [name for name in state if name.startswith(f"{where}.")]:
                del state[name]
            state.update({prefix + name: tensor for name, tensor in new.state.items()})
            assignments[where] = new.assignment
            children.extend(new.layers)
        else:
            children.append(child)
    return sequence._replace(layers=tuple(children))  # type: ignore[return-value]


def _replacement(layer: Layer, module: nn.Module, names: set[str]) -> Replacement | None:
    """What stands for this layer; None for one that learns no connections."""
    if isinstance(layer, Convolution) and layer.learned is not None:
        wanted: type[LearnedModule] = learned_class(layer.learned)
    elif isinstance(layer, Linear) and layer.factor > 1:
        wanted = CondensingLinear
    else:
        return None
    if not isinstance(module, wanted):
        raise ExportError(
            f"layer {layer.name} is a {type(module).__name__}, not a {wanted.__name__}, which its plan asks for; build "
            "it from its plan"
        )
    return module.lowered(layer, names)
