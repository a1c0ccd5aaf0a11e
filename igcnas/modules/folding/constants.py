"""Channels that are the same number at every pixel of every image: what reads them takes that into its bias.

A group without inputs makes such channels, and so does all that is made of them alone. A convolution that pads by zeros
takes up a zero only, since any other number has an edge there. Group convolutions of equal groups stay equal.
"""

from __future__ import annotations

import torch

from igcnas.modules.folding.graph import Block, Graph, Indices, Node, equal
from igcnas.modules.folding.streams import Streams
from igcnas.modules.lowering import EPSILON
from igcnas.network.primitives import Activation, Convolution, GlobalPool, Norm, Pool


def without_constants(graph: Graph, streams: Streams) -> None:
    """Drop the inputs that are constant, in the order of execution; what nobody reads then is left to `living`."""
    known = [torch.full((streams.widths[stream],), torch.nan, dtype=torch.float64) for stream in streams.of]
    for node in graph.nodes:
        source = known[node.reads[0].value]
        made = known[node.makes]
        places = list(node.writes)
        if node.kind == "mix":
            _absorb(node, source)
            bias = _bias(node)
            for block in node.blocks:
                if not block.inputs:
                    made[list(block.filters)] = bias[[places.index(o) for o in block.filters]]
        elif node.kind == "channelwise":
            made[places] = _channelwise(node, source[places])
        elif node.kind == "sum":
            made[places] = sum(known[view.value][list(view.indices)] for view in node.reads)
        elif node.kind == "append":
            made[places] = torch.cat([known[view.value][list(view.indices)] for view in node.reads])
        elif node.kind == "select":
            made[places] = source[list(node.reads[0].indices)]


def _channelwise(node: Node, before: torch.Tensor) -> torch.Tensor:
    """What becomes of constants in the order of the node's channels; NaN stays NaN."""
    match node.layer:
        case Activation(kind=kind):
            return before.clamp(min=0.0) if kind == "relu" else before.clamp(0.0, 6.0)
        case Norm():
            scale = node.tensors["weight"] / (node.tensors["running_var"] + EPSILON).sqrt()
            return (before - node.tensors["running_mean"]) * scale + node.tensors["bias"]
        case Convolution(kernel=kernel):
            weights = node.tensors["weight"].sum((1, 2, 3))
            made = before * weights + node.tensors.get("bias", torch.zeros_like(before))
            return made if kernel == 1 else torch.where(before == 0, made, torch.nan)
        case Pool() | GlobalPool():
            return before
    return torch.full_like(before, torch.nan)


def _bias(node: Node) -> torch.Tensor:
    return node.tensors.get("bias", torch.zeros(len(node.writes), dtype=torch.float64))


def _absorb(node: Node, known: torch.Tensor) -> None:
    """Drop constant inputs of a mix where it stays what its runtime can run."""
    kept, added = [], _bias(node).clone()
    place = {channel: j for j, channel in enumerate(node.writes)}
    for block in node.blocks:
        values = known[list(block.inputs)]
        drop = ~values.isnan() if node.kernel == 1 else values == 0
        if node.kernel > 1 and bool(drop.all()):
            return
        kept.append(_without(block, drop))
        rows = [place[o] for o in block.filters]
        if bool(drop.any()) and rows and node.kernel == 1:
            added[rows] += block.weight[:, drop, 0, 0] @ values[drop]
    if all(len(new.inputs) == len(old.inputs) for new, old in zip(kept, node.blocks, strict=True)):
        return
    if not node.whole and not (node.splits and not equal(node.blocks)) and not equal(kept):
        return
    if node.whole and not node.splits and not kept[0].inputs:
        return
    node.blocks = kept
    if "bias" in node.tensors or bool(added.any()):
        node.tensors["bias"] = added


def _without(block: Block, drop: torch.Tensor) -> Block:
    stay: Indices = tuple((~drop).nonzero().flatten().tolist())
    return Block(tuple(block.inputs[i] for i in stay), block.filters, block.weight[:, list(stay)])
