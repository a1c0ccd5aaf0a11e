"""Where a group convolution is written with larger groups, or dense, because that is faster in ONNX Runtime.

Measured on an AMD EPYC with AVX2, one thread, batch 1, ONNX Runtime 1.31 (benchmarks/results/grouped.md): its kernels
for groups take eight channels at a time. Of layers 32 to 256 channels wide, groups of two take 1.0 to 3.0 times as
long as groups of eight in 3x3 and 0.8 to 3.5 times in 1x1 convolutions, most on small maps. So groups of
less than eight channels are joined. A gather also costs the changes of layout that the runtime puts around it: a layer
is written dense where that multiplies less than WEIGHT times more often for each number that gathers no longer move.
Whole networks, ms with WEIGHT 20, 40, 80: flgc-mobilenetv2 with free groups 3.49, 3.35, 3.24, igcv3 4.58, 4.52, 4.50,
igc 2.68, 2.76, 2.75 (32x32, medians of 75 in turns). Counts are not changed by this: they are of the groups.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from igcnas.modules.folding.arrangement import pixels
from igcnas.modules.folding.graph import Block, Graph, Node, equal
from igcnas.modules.folding.orders import Orders

CHANNELS = 8  # that a kernel takes at a time
WEIGHT = 40  # multiplications that may replace the move of one number


def widen(graph: Graph, orders: Orders) -> None:
    """Enlarge the groups of convolutions where that is faster; the orders are those chosen for the graph as it was."""
    nodes = [node for node in graph.nodes if node.kind == "mix" and not node.whole]
    for node in sorted(nodes, key=_extra):
        if orders.gain(node, _one(node.blocks), _extra(node) / WEIGHT):
            continue
        if (count := _joined(node)) > 1:
            blocks = orders.blocks(node)
            node.blocks = [_group(blocks[start : start + count]) for start in range(0, len(blocks), count)]


def _extra(node: Node) -> int:
    """Multiplications that the dense layer does beyond those of the groups."""
    read = len({channel for block in node.blocks for channel in block.inputs})
    made = sum(len(block.filters) for block in node.blocks)
    pairs = sum(len(block.inputs) * len(block.filters) for block in node.blocks)
    return (read * made - pairs) * node.kernel**2 * pixels(node)


def _joined(node: Node) -> int:
    """How many groups become one."""
    if not equal(node.blocks):
        return 1
    narrow = min(len(node.blocks[0].inputs), len(node.blocks[0].filters))
    groups = len(node.blocks)
    counts = [count for count in range(1, groups + 1) if groups % count == 0]
    return next((count for count in counts if count * narrow >= CHANNELS), groups)


def _group(blocks: Sequence[Block]) -> Block:
    """One block of several, zeros where they do not meet; an input that two of them read stands there twice."""
    return Block(
        tuple(channel for block in blocks for channel in block.inputs),
        tuple(channel for block in blocks for channel in block.filters),
        _diagonal([block.weight for block in blocks]),
    )


def _one(blocks: Sequence[Block]) -> Block:
    """All blocks as one, each input once."""
    whole = _group([block for block in blocks if block.inputs])
    inputs = tuple(dict.fromkeys(whole.inputs))
    places = torch.tensor([inputs.index(channel) for channel in whole.inputs])
    without = [channel for block in blocks if not block.inputs for channel in block.filters]
    shape = (len(whole.filters) + len(without), len(inputs), *whole.weight.shape[2:])
    weight = torch.zeros(shape, dtype=torch.float64)
    weight[: len(whole.filters)].index_add_(1, places, whole.weight)
    return Block(inputs, (*whole.filters, *without), weight)


def _diagonal(weights: Sequence[torch.Tensor]) -> torch.Tensor:
    rows, columns = (sum(weight.shape[side] for weight in weights) for side in (0, 1))
    whole = torch.zeros(rows, columns, *weights[0].shape[2:], dtype=torch.float64)
    row = column = 0
    for weight in weights:
        whole[row : row + weight.shape[0], column : column + weight.shape[1]] = weight
        row, column = row + weight.shape[0], column + weight.shape[1]
    return whole
