"""A graph whose channels have an order, as a plan and a state dict again, at the paths that its layers had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

import torch

from igcnas.modules.folding.arrangement import arrange
from igcnas.modules.folding.graph import Block, Graph, Indices, Node, absorbs, equal
from igcnas.modules.folding.streams import Streams
from igcnas.modules.replacement import free
from igcnas.network.primitives import (
    Activation,
    Concat,
    Convolution,
    Gated,
    Gather,
    GlobalPool,
    Layer,
    Linear,
    Norm,
    Normalize,
    Pool,
    Primitive,
    Residual,
    SplitConvolution,
)
from igcnas.network.primitives import Sequence as Row

_Row = TypeVar("_Row", bound=Row | Gated)


class Written(NamedTuple):
    """What stands for one layer of the old plan: a gather before it, itself, a gather behind it; its tensors."""

    before: Indices | None
    layer: Primitive | None
    after: Indices | None
    tensors: Mapping[str, torch.Tensor]


def write(root: Row, graph: Graph, streams: Streams, orders: Sequence[Indices]) -> tuple[Row, dict[str, torch.Tensor]]:
    """The tree of the old plan with what now stands for its layers, and their tensors, float64."""
    written: dict[str, Written] = {}
    for node in graph.nodes:
        into, out = (orders[streams.of[value]] for value in (node.reads[0].value, node.makes))
        written[node.path] = _written(node, into, out, [orders[streams.of[view.value]] for view in node.reads])
    last = orders[streams.of[graph.result.value]]
    written[""] = _gather(_places(graph.result.indices, last))
    state: dict[str, torch.Tensor] = {}
    return _row(root, "", written, state), state


def _row(row: _Row, path: str, written: Mapping[str, Written], state: dict[str, torch.Tensor]) -> _Row:
    prefix = f"{path}." if path else ""
    names = {child.name for child in row.layers}
    children: list[Layer] = []
    skip = 0
    for index, child in enumerate(row.layers):
        if isinstance(row, Gated) and index == row.skip:
            skip = len(children)
        where = prefix + child.name
        if isinstance(child, Row | Gated):
            children.append(_row(child, where, written, state))
        elif isinstance(child, Concat):
            children.append(child._replace(body=_row(child.body, f"{where}.body", written, state)))
        elif isinstance(child, Residual):
            body = _row(child.body, f"{where}.body", written, state)
            children.append(Residual(child.name, body, _row(child.shortcut, f"{where}.shortcut", written, state)))
        elif where in written:
            found = written[where]
            children += _named(found, child.name, names)
            if found.layer is not None:
                state |= {f"{where}.{name}": tensor.contiguous() for name, tensor in found.tensors.items()}
    if path in written and (end := written[path].before) is not None:
        children.append(Gather(free("order", names), end))
    new = row._replace(layers=tuple(children))
    return new._replace(skip=skip) if isinstance(new, Gated) else new  # type: ignore[return-value]


def _named(written: Written, name: str, names: set[str]) -> list[Layer]:
    """The layers of one; a gather alone keeps the name of the one that it stands for."""
    if written.layer is None:
        return [] if written.before is None else [Gather(name, written.before)]
    found: list[Layer] = [written.layer]
    for end, indices in (("in", written.before), ("out", written.after)):
        if indices is not None:
            gather = Gather(free(f"{name}_{end}", names), indices)
            found = [gather, *found] if end == "in" else [*found, gather]
    return found


def _gather(indices: Indices) -> Written:
    return Written(indices if indices != tuple(range(len(indices))) else None, None, None, {})


def _places(wanted: Sequence[int], order: Sequence[int]) -> Indices:
    place = _place(order)
    return tuple(place[channel] for channel in wanted)


def _place(order: Sequence[int]) -> dict[int, int]:
    return {channel: j for j, channel in enumerate(order)}


def _written(node: Node, into: Indices, out: Indices, reads: Sequence[Indices]) -> Written:
    match node.kind:
        case "mix":
            return _mix(node, into, out)
        case "channelwise":
            return _channelwise(node, out)
        case "select":
            source = dict(zip(node.writes, node.reads[0].indices, strict=True))
            found = _gather(_places([source[channel] for channel in out], into))
            same = found.before is None and len(into) == len(out)
            return found if same or found.before is not None else found._replace(before=tuple(range(len(out))))
        case "fixed":
            return _fixed(node, into, out, reads)
    return Written(None, None, None, {})


def _mix(node: Node, into: Indices, out: Indices) -> Written:
    way = arrange(node, into, out)
    read = tuple(c for block in way.blocks for c in block.inputs) if way.before else into
    if node.whole:
        read = tuple(dict.fromkeys(read))
        rows = [_dense(node, way.blocks[0], read, out)]
        made, blocks = out, [Block(read, out, rows[0])]
    else:
        lies = None if way.before else _place(into), None if way.after else _place(out)
        blocks = [_block(block, *lies) for block in way.blocks]
        made = tuple(channel for block in blocks for channel in block.filters)
    before = _places(read, into) if way.before else None
    after = _places(out, made) if way.after else None
    tensors: dict[str, torch.Tensor] = {}
    if "bias" in node.tensors:
        tensors["bias"] = node.tensors["bias"][list(_places(made, node.writes))]
    return Written(before, _layer(node, blocks, tensors), after, tensors)


def _layer(node: Node, blocks: Sequence[Block], tensors: dict[str, torch.Tensor]) -> Primitive:
    """The plain layer of these blocks; its weights join the tensors."""
    read, made = sum(len(block.inputs) for block in blocks), sum(len(block.filters) for block in blocks)
    layer = node.layer
    if isinstance(layer, Linear):
        tensors["weight"] = blocks[0].weight[:, :, 0, 0]
        return layer._replace(in_features=read, out_features=made)
    assert isinstance(layer, Convolution | SplitConvolution)
    if equal(list(blocks)) and blocks[0].inputs:
        tensors["weight"] = torch.cat([block.weight for block in blocks])
        if isinstance(layer, SplitConvolution):
            layer = Convolution(layer.name, read, made, 1, 1, 1, layer.in_size)
        return layer._replace(in_channels=read, out_channels=made, groups=len(blocks), bias="bias" in tensors)
    sizes = [tuple(len(side) for side in sides) for sides in zip(*((b.inputs, b.filters) for b in blocks), strict=True)]
    tensors |= {f"convs.{g}.weight": b.weight for g, b in enumerate(blocks) if b.inputs and b.filters}
    return SplitConvolution(layer.name, sizes[0], sizes[1], layer.in_size, "bias" in tensors)


def _dense(node: Node, block: Block, read: Indices, out: Indices) -> torch.Tensor:
    """Weights for these inputs and outputs: zeros where they do not meet, sums where an input is read twice."""
    weight = torch.zeros(len(out), len(read), node.kernel, node.kernel, dtype=torch.float64)
    rows = list(_places(out, block.filters))
    return weight.index_add_(1, torch.tensor(_places(block.inputs, read), dtype=torch.long), block.weight[rows])


def _block(block: Block, into: dict[int, int] | None, out: dict[int, int] | None) -> Block:
    """The same block with its channels in the order of their places; None where a gather brings them."""
    weight = block.weight
    inputs, filters = block.inputs, block.filters
    if into is not None:
        inputs = tuple(sorted(inputs, key=into.__getitem__))
        weight = weight[:, list(_places(inputs, block.inputs))]
    if out is not None:
        filters = tuple(sorted(filters, key=out.__getitem__))
        weight = weight[list(_places(filters, block.filters))]
    return Block(inputs, filters, weight)


def _channelwise(node: Node, order: Indices) -> Written:
    places = list(_places(order, node.writes))
    width = len(places)
    tensors = {name: tensor[places] if tensor.dim() else tensor for name, tensor in node.tensors.items()}
    match node.layer:
        case Convolution() as layer:
            layer = layer._replace(in_channels=width, out_channels=width, groups=width, bias="bias" in tensors)
            return Written(None, layer, None, tensors)
        case Norm() | Activation() | Pool() | GlobalPool() as layer:
            return Written(None, layer._replace(channels=width), None, tensors)
        case Normalize() as layer:
            mean, std = (tuple(values[j] for j in places) for values in (layer.mean, layer.std))
            return Written(None, layer._replace(mean=mean, std=std), None, tensors)
    return Written(None, None, None, {})  # the mean that gates read is no layer of the tree


def _fixed(node: Node, into: Indices, out: Indices, reads: Sequence[Indices]) -> Written:
    """A layer that takes its channels in one order; the generators of gates and their weights take any."""
    tensors = dict(node.tensors)
    before = _places(node.reads[0].indices, into)
    if absorbs(node):
        read = list(_places(into, node.reads[0].indices))
        context = list(_places(reads[1], node.reads[1].indices))
        tensors["weight"] = tensors["weight"][:, read]
        for name in ("mask_generator", "attention_generator"):
            if f"{name}.0.weight" in tensors:
                tensors[f"{name}.0.weight"] = tensors[f"{name}.0.weight"][:, context]
                for end in ("weight", "bias"):
                    old = tensors[f"{name}.3.{end}"]
                    rows = old.view(-1, len(read), *old.shape[1:])
                    tensors[f"{name}.3.{end}"] = rows[:, read].flatten(0, 1)
        before = tuple(range(len(into)))
    after = _places(out, node.writes)
    plain = tuple(range(len(before))), tuple(range(len(after)))
    assert not isinstance(node.layer, str)
    return Written(
        before if before != plain[0] else None,
        node.layer,  # type: ignore[arg-type]
        after if after != plain[1] else None,
        tensors,
    )
