"""Values whose channels must lie in one order: a stream is a value with all that channelwise steps and sums make of it.

After `join` the channels of every value are numbered as those of its stream, so that both sides of a sum, and both ends
of a depthwise convolution, speak of a channel by the same number.
"""

from __future__ import annotations

from dataclasses import dataclass

from igcnas.modules.folding.graph import Graph, Indices, Node, View
from igcnas.network.primitives import Gather


@dataclass(slots=True, kw_only=True)
class Streams:
    """of: the stream of each value. widths: channels of each stream, 0 for a number that is none.

    composed: the nodes that append others, by the stream that they make: their order is that of their parts.
    """

    of: list[int]
    widths: list[int]
    composed: dict[int, Node]


def join(graph: Graph) -> Streams:
    """Number the channels of the graph by streams; a sum that cannot be one gets a select at the end of its body."""
    links = _Links(graph.widths, {node.makes for node in graph.nodes if node.kind == "append"})
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.kind == "channelwise":
            links.join(node.makes, node.writes, node.reads[0])
        if node.kind == "sum":
            for side, view in enumerate(node.reads):
                if not links.join(node.makes, node.writes, view):
                    node.reads[side] = View(links.add(len(view.indices)), node.writes)
                    nodes.append(_select(node, side, view, node.reads[side]))
                    assert links.join(node.makes, node.writes, node.reads[side])
        nodes.append(node)
    graph.nodes = nodes
    graph.widths = links.widths
    for node in nodes:
        _renumber(node, links)
    graph.result = links.seen(graph.result)
    of = [links.root(value)[0] for value in range(len(links.widths))]
    widths = [width if of[value] == value else 0 for value, width in enumerate(links.widths)]
    return Streams(of=of, widths=widths, composed={of[n.makes]: n for n in nodes if n.kind == "append"})


def _select(total: Node, side: int, view: View, made: View) -> Node:
    return Node(
        kind="select",
        path=f"{total.path}.{('body', 'shortcut')[side]}",
        layer=Gather("order", view.indices),
        reads=[view],
        makes=made.value,
        writes=made.indices,
        shape=total.shape,
    )


class _Links:
    """Each value points to another, with the channels there: channel j of it is channel maps[value][j] of that."""

    def __init__(self, widths: list[int], composed: set[int]) -> None:
        self.widths = list(widths)
        self.composed = composed
        self.parents = list(range(len(widths)))
        self.maps: list[Indices] = [tuple(range(width)) for width in widths]

    def add(self, width: int) -> int:
        """A new value."""
        self.widths.append(width)
        self.parents.append(len(self.parents))
        self.maps.append(tuple(range(width)))
        return len(self.widths) - 1

    def root(self, value: int) -> tuple[int, Indices]:
        """The stream of a value and its channels there."""
        while self.parents[self.parents[value]] != self.parents[value]:
            parent = self.parents[value]
            self.maps[value] = tuple(self.maps[parent][j] for j in self.maps[value])
            self.parents[value] = self.parents[parent]
        return self.parents[value], self.maps[value]

    def seen(self, view: View) -> View:
        """The same view, with the channels of the stream."""
        channels = self.root(view.value)[1]
        return View(view.value, tuple(channels[j] for j in view.indices))

    def join(self, made: int, writes: Indices, view: View) -> bool:
        """Channel writes[j] of the value made is channel j of the view; False where that cannot be one order."""
        (ours, here), (theirs, there) = self.root(made), self.root(view.value)
        pairs = {there[source]: here[target] for source, target in zip(view.indices, writes, strict=True)}
        if ours == theirs:
            return all(source == target for source, target in pairs.items())
        if self.widths[ours] != self.widths[theirs] or len(pairs) != self.widths[theirs]:
            return False
        if ours in self.composed and theirs in self.composed:
            return False
        if theirs in self.composed:  # the root is the stream whose order is not free
            ours, theirs, pairs = theirs, ours, {target: source for source, target in pairs.items()}
        self.parents[theirs] = ours
        self.maps[theirs] = tuple(pairs[j] for j in range(self.widths[theirs]))
        return True


def _renumber(node: Node, links: _Links) -> None:
    made = links.root(node.makes)[1]
    old = node.reads[0]
    node.reads = [links.seen(view) for view in node.reads]
    node.writes = tuple(made[j] for j in node.writes)
    source = links.root(old.value)[1]
    node.blocks = [
        block._replace(
            inputs=tuple(source[i] for i in block.inputs),
            filters=tuple(made[o] for o in block.filters),
        )
        for block in node.blocks
    ]
