"""Channels that nobody reads go, with all that made them.

A stream keeps a channel that a layer behind it reads, or that a layer in front of it cannot leave out: the groups of a
group convolution stay equal, and some layers take and give all of their channels.
"""

from __future__ import annotations

import torch

from igcnas.modules.folding.graph import Block, Graph, Node, equal
from igcnas.modules.folding.streams import Streams
from igcnas.network.primitives import Convolution


def living(graph: Graph, streams: Streams) -> list[tuple[int, ...]]:
    """The channels of each stream that stay, in their order; the blocks of the graph lose what does not."""
    alive: list[set[int]] = [set() for _ in streams.widths]
    alive[streams.of[0]] |= set(range(streams.widths[streams.of[0]]))
    alive[streams.of[graph.result.value]] |= set(graph.result.indices)
    before = -1
    while before != (before := sum(map(len, alive))):
        for node in reversed(graph.nodes):
            _grow(node, streams, alive)
    for node in graph.nodes:
        if node.kind == "mix":
            node.blocks = _together(_kept(node, alive[streams.of[node.makes]]))
    return [tuple(sorted(channels)) for channels in alive]


def _grow(node: Node, streams: Streams, alive: list[set[int]]) -> None:
    """Add what this node needs, and what it makes all the same."""
    made, sources = alive[streams.of[node.makes]], [alive[streams.of[view.value]] for view in node.reads]
    if node.kind == "mix":
        blocks = _kept(node, made)
        for block in blocks:
            made |= set(block.filters)
            sources[0] |= set(block.inputs)
        made |= set() if made else {node.writes[0]}  # no tensor is without channels
        sources[0] |= set() if sources[0] else {node.reads[0].indices[0]}
    elif node.kind == "fixed":
        made |= set(node.writes)
        for source, view in zip(sources, node.reads, strict=True):
            source |= set(view.indices)
    elif node.kind == "append":
        places = iter(node.writes)
        for source, view in zip(sources, node.reads, strict=True):
            for theirs, ours in zip(view.indices, places, strict=False):
                if theirs in source or ours in made:
                    source.add(theirs)
                    made.add(ours)
    elif node.kind == "select":
        made |= set() if made else {node.writes[0]}
        sources[0] |= {i for i, o in zip(node.reads[0].indices, node.writes, strict=True) if o in made}


def _kept(node: Node, made: set[int]) -> list[Block]:
    """The blocks that make these channels; of a group convolution whose groups would differ, all of them."""
    left = []
    for block in node.blocks:
        rows = [row for row, channel in enumerate(block.filters) if channel in made]
        if rows:
            filters = tuple(block.filters[row] for row in rows)
            left.append(Block(block.inputs, filters, block.weight[rows]))
    free = node.whole or (node.splits and not equal(node.blocks))
    if not left:
        return [_nothing(node)] if free or isinstance(node.layer, Convolution) else node.blocks
    return left if free or equal(left) else node.blocks


def _together(blocks: list[Block]) -> list[Block]:
    """The same, with all filters that have no inputs as one block."""
    without = tuple(channel for block in blocks for channel in block.filters if not block.inputs)
    if not without:
        return blocks
    weight = torch.zeros(len(without), 0, 1, 1, dtype=torch.float64)
    return [*(block for block in blocks if block.inputs), Block((), without, weight)]


def _nothing(node: Node) -> Block:
    block = next((block for block in node.blocks if block.filters), None)
    assert block is not None, f"{node.path} has no filters"
    return Block(block.inputs, block.filters[:1], block.weight[:1].clone() if block.inputs else torch.zeros(1, 0, 1, 1))
