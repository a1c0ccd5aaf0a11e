"""The same network with less to do: norms folded, permutations moved into weights, channels that nobody reads removed.

`fold` takes what `igcnas.modules.lowering.lower` gives and returns the like, so that whatever builds, writes or runs a
plan takes either. Counts stay those of the lowered network: folding adds biases, and zeros where a dense layer is the
faster one.
"""

from __future__ import annotations

from igcnas.modules.folding.constants import without_constants
from igcnas.modules.folding.living import living
from igcnas.modules.folding.orders import choose
from igcnas.modules.folding.reading import read
from igcnas.modules.folding.remaining import Remaining, remaining
from igcnas.modules.folding.streams import join
from igcnas.modules.folding.writing import write
from igcnas.modules.lowering import Lowered
from igcnas.network.plan import Plan

__all__ = ["Remaining", "fold", "remaining"]


def fold(lowered: Lowered) -> Lowered:
    """The folded network; within rounding it gives the logits of the lowered one."""
    graph = read(lowered)
    streams = join(graph)
    without_constants(graph, streams)
    alive = living(graph, streams)
    orders = choose(graph, streams, alive)
    root, state = write(lowered.plan.root, graph, streams, orders)
    return Lowered(Plan(root, lowered.plan.input_shape), state, lowered.assignments)
