"""How one convolution runs where the orders of what it reads and makes are given: which blocks, behind which gathers.

A dense layer takes and gives any order. A group convolution needs each group's channels side by side, the groups in the
same order on both sides; else it gathers its input, or its output, whichever moves fewer numbers. Where the groups lie
scattered in the output, a finer group convolution may fit: each run of filters of one group becomes a group, and the
gather in front repeats the inputs of a group for each of its runs. It multiplies as often, and moves the narrow input
in place of the wide output (the expansions of IGC V3).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import torch

from igcnas.modules.folding.graph import Block, Indices, Node, equal
from igcnas.network.primitives import Convolution, SplitConvolution

Order = Sequence[int]


class Arrangement(NamedTuple):
    """moved: numbers that its gathers write; blocks in order; before, after: whether it gathers there."""

    moved: int
    blocks: tuple[Block, ...]
    before: bool
    after: bool


def arrange(node: Node, into: Order | None, out: Order | None) -> Arrangement:
    """The cheapest way to run a mix; None for an order that is still free."""
    if node.whole:
        return _whole(node, into)
    blocks = tuple(node.blocks)
    if into is not None and node.splits and not equal(node.blocks):
        read = {channel for block in blocks for channel in block.inputs}
        unread = tuple(channel for channel in into if channel not in read)
        blocks += (Block(unread, (), torch.zeros(0, len(unread), 1, 1)),) if unread else ()
    inputs, filters = [block.inputs for block in blocks], [block.filters for block in blocks]
    here = _sequence(into, inputs) if into is not None else _anywhere(inputs)
    there = _sequence(out, filters) if out is not None else _anywhere(filters)
    ways: list[Arrangement] = []
    if here is not None and there is not None:
        merged = _merge(here, there, inputs, filters, into is None, out is None)
        if merged is not None:
            return Arrangement(0, tuple(blocks[b] for b in merged), False, False)
    width = sum(map(len, filters)) * pixels(node)
    used = [b for b, block in enumerate(blocks) if block.filters]
    if there is not None:
        ways.append(_gather_inputs(node, [blocks[b] for b in there]))
    elif out is not None and (finer := _finer(blocks, out, width / in_pixels(node))):
        ways.append(_gather_inputs(node, finer))
    if here is not None:
        empty = [b for b in used if not inputs[b]]
        ways.append(Arrangement(width, tuple(blocks[b] for b in (*here, *empty)), False, True))
    both = _gather_inputs(node, [blocks[b] for b in used])
    ways.append(both._replace(moved=both.moved + width, after=True))
    return min(ways, key=lambda way: (way.moved, way.before + way.after))


def pixels(node: Node) -> int:
    """Of what a node makes."""
    return node.shape.size[0] * node.shape.size[1]


def split_moves(node: Node, way: Arrangement) -> int:
    """Numbers that a split convolution moves to cut its input and to put its output together."""
    if node.whole or equal(list(way.blocks)):
        return 0
    return sum(len(block.inputs) * in_pixels(node) + len(block.filters) * pixels(node) for block in way.blocks)


def in_pixels(node: Node) -> int:
    """Of what a mix reads."""
    size = node.layer.in_size if isinstance(node.layer, Convolution | SplitConvolution) else (1, 1)
    return size[0] * size[1]


def _whole(node: Node, into: Order | None) -> Arrangement:
    """Of a dense layer: zeros for what it does not read, or a gather where that is most of it."""
    (block,) = node.blocks
    read = len(set(block.inputs))
    if into is None or not read or read == len(into) or not node.splits or 2 * read >= len(into):
        return Arrangement(0, (block,), False, False)
    return Arrangement(len(block.inputs) * in_pixels(node), (block,), True, False)


def _gather_inputs(node: Node, blocks: Sequence[Block]) -> Arrangement:
    return Arrangement(sum(len(block.inputs) for block in blocks) * in_pixels(node), tuple(blocks), True, False)


def _anywhere(parts: Sequence[Indices]) -> list[int] | None:
    """All that have channels, if no channel is in two."""
    channels = [channel for part in parts for channel in part]
    return [b for b, part in enumerate(parts) if part] if len(set(channels)) == len(channels) else None


def _sequence(order: Order, parts: Sequence[Indices]) -> list[int] | None:
    """The parts as they follow each other in this order; None where one is not in one piece."""
    owner = {channel: b for b, part in enumerate(parts) for channel in part}
    if sum(map(len, parts)) != len(order) or any(channel not in owner for channel in order):
        return None
    runs = [b for b, _ in groupby(order, key=owner.__getitem__)]
    return runs if len(runs) == len(set(runs)) and len(owner) == len(order) else None


def _merge(
    here: list[int],
    there: list[int],
    inputs: Sequence[Indices],
    filters: Sequence[Indices],
    free_here: bool,
    free_there: bool,
) -> list[int] | None:
    """One order of the blocks that is both; blocks without inputs stand in one of them only, as those without filters.

    None where the two orders differ.
    """
    if free_here:
        here = [b for b in there if inputs[b]] + [b for b in here if not filters[b]]
    elif free_there:
        there = [b for b in here if filters[b]] + [b for b in there if not inputs[b]]
    if [b for b in here if filters[b]] != [b for b in there if inputs[b]]:
        return None
    merged: list[int] = []
    left = list(there)
    for b in here:
        if filters[b]:
            cut = left.index(b)
            merged += left[:cut]
            left = left[cut + 1 :]
        merged.append(b)
    return merged + left


def _finer(blocks: Sequence[Block], out: Order, most: float) -> list[Block]:
    """A block for each run of filters of one block, if these are equal and read less than `most` inputs; else none."""
    place = {channel: (b, row) for b, block in enumerate(blocks) for row, channel in enumerate(block.filters)}
    runs = [(blocks[b], tuple(run)) for b, run in groupby(out, key=lambda channel: place[channel][0])]
    sizes = {(len(block.inputs), len(channels)) for block, channels in runs}
    if len(sizes) != 1 or sum(len(block.inputs) for block, _ in runs) >= most:
        return []
    return [Block(block.inputs, run, block.weight[[place[channel][1] for channel in run]]) for block, run in runs]
