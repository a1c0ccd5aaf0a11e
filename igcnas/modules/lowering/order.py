"""Permutations move behind the norm that follows them, so that every runtime can fold the norm into the convolution.

A batch norm treats each channel by itself: norm(x[order]) is norm'(x)[order], where norm' has the statistics, scale and
shift in the order of x. Exact, to the bit. A gather that repeats a channel, or drops one, stays where it is.
"""

from __future__ import annotations

from typing import TypeVar

import torch

from igcnas.modules.lowering.tree import Lowered
from igcnas.network.plan import Plan
from igcnas.network.primitives import Concat, Gated, Gather, Layer, Norm, Permutation, Residual, Sequence

_Row = TypeVar("_Row", bound=Sequence | Gated)
_TENSORS = ("weight", "bias", "running_mean", "running_var")


def norms_first(lowered: Lowered) -> Lowered:
    """The same network with each norm before the permutation that stood before it."""
    state = dict(lowered.state)
    root = _sequence(lowered.plan.root, "", state)
    return Lowered(Plan(root, lowered.plan.input_shape), state, lowered.assignments)


def _sequence(sequence: _Row, path: str, state: dict[str, torch.Tensor]) -> _Row:
    prefix = f"{path}." if path else ""
    children: list[Layer] = []
    for child in sequence.layers:
        where = prefix + child.name
        if isinstance(child, Sequence | Gated):
            child = _sequence(child, where, state)
        elif isinstance(child, Concat):
            child = child._replace(body=_sequence(child.body, f"{where}.body", state))
        elif isinstance(child, Residual):
            body, shortcut = (
                _sequence(branch, f"{where}.{name}", state)
                for branch, name in ((child.body, "body"), (child.shortcut, "shortcut"))
            )
            assert isinstance(shortcut, Sequence)
            child = Residual(child.name, body, shortcut)
        place = len(children)
        least = sequence.skip if isinstance(sequence, Gated) else 0  # layers before the summary keep their number
        if isinstance(child, Norm):
            while place > least and (order := _order(children[place - 1])) is not None:
                _reorder(state, where, order)
                place -= 1
        children.insert(place, child)
    return sequence._replace(layers=tuple(children))  # type: ignore[return-value]


def _order(layer: Layer) -> tuple[int, ...] | None:
    """Where its channels come from, if it permutes them all."""
    indices = layer.indices if isinstance(layer, Gather | Permutation) else ()
    return indices if indices and sorted(indices) == list(range(len(indices))) else None


def _reorder(state: dict[str, torch.Tensor], norm: str, order: tuple[int, ...]) -> None:
    """What stood for channel j of the output stands for channel order[j] of the input."""
    for name in _TENSORS:
        tensor = state[f"{norm}.{name}"]
        moved = torch.empty_like(tensor)
        moved[list(order)] = tensor
        state[f"{norm}.{name}"] = moved
