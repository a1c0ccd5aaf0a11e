"""In which order the channels of each stream lie, so that the gathers that remain move as few numbers as can be found.

Candidates for a stream are its channels sorted by the groups of a layer that reads or writes it, then by those of a
second one: where groups nest, that suits both. A layer's groups are taken in the order of its other side, where that is
known. Streams are chosen one after another, those with most layers first, until nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import NamedTuple

from igcnas.modules.folding.arrangement import arrange, pixels, split_moves
from igcnas.modules.folding.graph import Block, Graph, Indices, Node, absorbs
from igcnas.modules.folding.streams import Streams

SWEEPS = 4
SIDES = 12  # at most so many different groupings of one stream are combined in pairs


class _Side(NamedTuple):
    """One end of a node: the streams that it reads from and makes, of which one is chosen at a time."""

    node: Node
    source: int
    made: int


class Orders:
    """An order of the living channels of each stream, by its number; None before it is chosen."""

    def __init__(self, graph: Graph, streams: Streams, alive: Sequence[Indices]) -> None:
        self.streams, self.alive = streams, alive
        self.result = graph.result
        self.orders: list[Indices | None] = [None] * len(alive)
        self.sides: list[list[_Side]] = [[] for _ in alive]
        self.pinned = {streams.of[0], *streams.composed}
        self.orders[streams.of[0]] = alive[streams.of[0]]
        for node in graph.nodes:
            side = _Side(node, streams.of[node.reads[0].value], streams.of[node.makes])
            if node.kind in ("mix", "fixed", "select"):
                for stream in {side.source, side.made}:
                    self.sides[stream].append(side)

    def choose(self) -> list[Indices]:
        """Sweep until nothing changes; the orders."""
        several = [sum(not s.node.whole or s.node.kind == "fixed" for s in sides) for sides in self.sides]
        usual = sorted((s for s, channels in enumerate(self.alive) if channels), key=lambda s: -several[s])
        for _ in range(SWEEPS):
            before = list(self.orders)
            for stream in usual:
                if stream not in self.pinned:
                    self.orders[stream] = self._best(stream)
            self._compose()
            if self.orders == before:
                break
        return [order or () for order in self.orders]

    def gain(self, node: Node, block: Block, least: float) -> bool:
        """Make a mix one block where that saves the gathers around it to move at least so many numbers."""
        streams = {self.streams.of[node.reads[0].value], self.streams.of[node.makes]}
        orders, blocks, before = list(self.orders), node.blocks, self._around(streams)
        if before < least:
            return False
        node.blocks = [block]
        for stream in streams - self.pinned:
            self.orders[stream] = self._best(stream)
        if before - self._around(streams) >= least:
            return True
        self.orders, node.blocks = orders, blocks
        return False

    def blocks(self, node: Node) -> list[Block]:
        """Those of a mix, in the order in which they run if no gather stands before or behind it."""
        into, out = (self.orders[self.streams.of[value]] for value in (node.reads[0].value, node.makes))
        way = arrange(node, into, out)
        return node.blocks if way.before or way.after else list(way.blocks)

    def _around(self, streams: set[int]) -> int:
        """Numbers that the gathers of all layers at these streams move."""
        nodes = {id(side.node): side for stream in streams for side in self.sides[stream]}
        return sum(self._moved(side, self.orders[side.source], self.orders[side.made])[0] for side in nodes.values())

    def _compose(self) -> None:
        """The orders of appended streams follow from their parts, the inner ones first."""
        for stream, node in self.streams.composed.items():
            order: list[int] = []
            places = iter(node.writes)
            for view in node.reads:
                ours = dict(zip(view.indices, places, strict=False))
                part = self.orders[self.streams.of[view.value]]
                assert part is not None
                order += [ours[channel] for channel in part]
            self.orders[stream] = tuple(order)

    def _best(self, stream: int) -> Indices:
        now = self.orders[stream]
        tried = dict.fromkeys(([] if now is None else [now]) + list(self._candidates(stream)))
        return min(tried, key=lambda order: self._cost(stream, order))

    def _candidates(self, stream: int) -> Iterator[Indices]:
        channels = self.alive[stream]
        yield channels
        if self.streams.of[self.result.value] == stream:
            yield self.result.indices if set(self.result.indices) == set(channels) else channels
        ranks: dict[tuple[int, ...], dict[int, int]] = {}
        for side in self.sides[stream]:
            if side.node.kind == "fixed":
                exact = side.node.writes if side.made == stream else side.node.reads[0].indices
                if set(exact) == set(channels):
                    yield exact
            elif side.node.kind == "mix" and not side.node.whole:
                for rank in self._ranks(side, stream):
                    ranks.setdefault(tuple(rank.get(channel, len(rank)) for channel in channels), rank)
        found = list(ranks.values())[:SIDES]
        for rank in found:
            yield tuple(sorted(channels, key=lambda c: (rank.get(c, len(rank)), c)))
        for first, second in permutations(found, 2):
            yield tuple(sorted(channels, key=lambda c: (first.get(c, len(first)), second.get(c, len(second)), c)))

    def _ranks(self, side: _Side, stream: int) -> Iterator[dict[int, int]]:
        """For each channel the place of its block, in the order of the blocks on the other side."""
        for ours in ("inputs", "filters"):
            if stream != (side.source if ours == "inputs" else side.made):
                continue
            other = self.orders[side.made if ours == "inputs" else side.source]
            way = arrange(side.node, None, other) if ours == "inputs" else arrange(side.node, other, None)
            for blocks in (way.blocks, side.node.blocks):
                yield {channel: place for place, block in enumerate(blocks) for channel in getattr(block, ours)}

    def _cost(self, stream: int, order: Indices) -> tuple[int, int]:
        """Numbers moved by the gathers around the layers of a stream, and how many gathers."""
        moved = gathers = 0
        for side in self.sides[stream]:
            into = order if side.source == stream else self.orders[side.source]
            out = order if side.made == stream else self.orders[side.made]
            cost = self._moved(side, into, out)
            moved, gathers = moved + cost[0], gathers + cost[1]
        if self.streams.of[self.result.value] == stream:
            gathers += order != self.result.indices
        return moved, gathers

    def _moved(self, side: _Side, into: Indices | None, out: Indices | None) -> tuple[int, int]:
        """Numbers moved by the gathers of one layer, and how many gathers."""
        node = side.node
        if node.kind == "mix":
            way = arrange(node, into, out)
            return way.moved + split_moves(node, way), way.before + way.after
        wrong = _mismatches(node, into, out)
        return wrong * len(node.writes) * pixels(node), wrong


def _mismatches(node: Node, into: Indices | None, out: Indices | None) -> int:
    """Gathers that a fixed node or a select needs."""
    if node.kind == "select":
        source = dict(zip(node.writes, node.reads[0].indices, strict=True))
        return 0 if into is None or out is None else int(tuple(source[channel] for channel in out) != into)
    wrong = into is not None and into != node.reads[0].indices and not absorbs(node)
    return wrong + (out is not None and out != node.writes)
