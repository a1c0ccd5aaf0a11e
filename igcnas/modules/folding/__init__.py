"""The same network with less to do: norms folded, permutations moved into weights, channels that nobody reads removed.

`fold` takes what `igcnas.modules.lowering.lower` gives and returns the like, so that whatever builds, writes or runs a
plan takes either. Counts stay those of the lowered network: folding adds biases, and zeros where a dense layer is the
faster one.
"""

from __future__ import annotations

import torch

from igcnas.modules.folding.constants import without_constants
from igcnas.modules.folding.living import living
from igcnas.modules.folding.orders import Orders
from igcnas.modules.folding.reading import read
from igcnas.modules.folding.remaining import Remaining, remaining
from igcnas.modules.folding.streams import join
from igcnas.modules.folding.widening import widen
from igcnas.modules.folding.writing import write
from igcnas.modules.lowering import Lowered
from igcnas.network.plan import Plan

__all__ = ["Remaining", "fold", "remaining"]


def fold(lowered: Lowered, *, wide: bool = True, dtype: torch.dtype = torch.float32) -> Lowered:
    """The folded network; within rounding it gives the logits of the lowered one.

    wide: groups may be written larger than they are, with zeros, where that is faster (`folding.widening`); False for
    what runs groups of any size as fast. dtype: of the tensors, rounded to it once from float64.
    """
    graph = read(lowered)
    streams = join(graph)
    without_constants(graph, streams)
    alive = living(graph, streams)
    orders = Orders(graph, streams, alive)
    chosen = orders.choose()
    if wide:
        widen(graph, orders)
        chosen = orders.choose()
    root, state = write(lowered.plan.root, graph, streams, chosen)
    state = {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    return Lowered(Plan(root, lowered.plan.input_shape), state, lowered.assignments)
