"""What folding had to leave: gathers, which move numbers and compute none, and norms with a pass of their own."""

from __future__ import annotations

from typing import NamedTuple

from igcnas.network.plan import Plan
from igcnas.network.primitives import Gather, Norm, Permutation


class Remaining(NamedTuple):
    """gathers, norms: channels by the path of the layer, in the order of execution."""

    gathers: dict[str, int]
    norms: dict[str, int]


def remaining(network: Plan) -> Remaining:
    """The gathers and norms of a plan."""
    gathers = {p: len(layer.indices) for p, layer in network.layers() if isinstance(layer, Gather | Permutation)}
    return Remaining(gathers, {path: layer.channels for path, layer in network.layers() if isinstance(layer, Norm)})
