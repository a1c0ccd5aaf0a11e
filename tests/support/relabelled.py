"""The weights of one network carried over to another of the same canonical id: the same numbers, channels renamed."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import nn

from igcnas.modules.build import build
from igcnas.network.canonical import Wire, _Reader
from igcnas.network.plan import Plan
from igcnas.network.primitives import Convolution, Linear, Norm
from support.equality import randomised


class Recorder(_Reader):
    """Remembers the channels on both sides of every layer with weights, and which channels were added to which."""

    def __init__(self, network: Plan) -> None:
        super().__init__([])
        self.weighted: list[tuple[Any, Wire, Wire]] = []
        self.sums: list[dict[int, int]] = []  # for each sum the channel of the body by that of the shortcut
        self.sequence(network.root.layers, self.new(network.input_shape[0]))

    def sequence(self, layers: tuple[Any, ...], wire: Wire) -> Wire:
        for layer in layers:
            before, wire = wire, super().sequence((layer,), wire)
            if isinstance(layer, Convolution | Norm | Linear):
                self.weighted.append((layer, before, wire))
        return wire

    def added(self, shortcut: Wire, body: Wire) -> Wire:
        self.sums.append(dict(zip(shortcut, body, strict=True)))
        return super().added(shortcut, body)

    def by_colour(self) -> dict[int, Wire]:
        """The channels of each colour, but for those that were added to another."""
        gone = {channel for pairs in self.sums for channel in pairs.values()}
        found: dict[int, Wire] = defaultdict(list)
        for channel, colour in enumerate(self.colours):
            if channel not in gone:
                found[colour].append(channel)
        return found


def renamed(one: Recorder, other: Recorder) -> dict[int, int]:
    """The channel of `other` for each channel of `one`."""
    assert one.tokens == other.tokens
    names: dict[int, int] = {}
    theirs = other.by_colour()
    for colour, channels in one.by_colour().items():
        names |= dict(zip(channels, theirs[colour], strict=True))
    for mine, partner in zip(one.sums, other.sums, strict=True):
        names |= {body: partner[names[shortcut]] for shortcut, body in mine.items()}
    return names


def whole(weight: torch.Tensor, groups: int) -> torch.Tensor:
    """The weight of a group convolution as that of a dense one."""
    each_out = len(weight) // groups
    blocks = weight.split(each_out)
    dense = weight.new_zeros(len(weight), weight.shape[1] * groups, *weight.shape[2:])
    for number, block in enumerate(blocks):
        columns = slice(number * block.shape[1], (number + 1) * block.shape[1])
        dense[number * each_out : (number + 1) * each_out, columns] = block
    return dense


def grouped(dense: torch.Tensor, groups: int) -> torch.Tensor:
    """Its blocks on the diagonal; all else must be zero."""
    out_blocks = dense.chunk(groups, 0)
    weight = torch.cat([block.chunk(groups, 1)[number] for number, block in enumerate(out_blocks)])
    assert torch.equal(whole(weight, groups), dense), "a weight of one network has no place in the other"
    return weight


def assert_same_function(one: Plan, other: Plan) -> None:
    """With the weights of the one, renamed, the other computes the same: within 1e-9 in float64."""
    first, second = Recorder(one), Recorder(other)
    names = renamed(first, second)
    mine, theirs = randomised(one).double(), build(other).double().eval()
    pairs = zip(modules(one, mine), modules(other, theirs), first.weighted, second.weighted, strict=True)
    with torch.no_grad():
        for source, target, (layer, inputs, outputs), (other_layer, their_inputs, their_outputs) in pairs:
            into = [names[channel] for channel in inputs]
            out = [names[channel] for channel in outputs]
            columns = [into.index(channel) for channel in their_inputs]
            rows = [out.index(channel) for channel in their_outputs]
            carry(source, target, layer, other_layer, rows, columns)
    images = torch.rand(2, *one.input_shape, dtype=torch.float64)
    with torch.no_grad():
        expected, found = mine(images), theirs(images)
    assert torch.allclose(expected, found, rtol=1e-9, atol=1e-9 * float(expected.abs().max()))


def carry(source: Any, target: Any, layer: Any, other: Any, rows: Wire, columns: Wire) -> None:
    """Copy what a module holds, its outputs and inputs reordered."""
    if isinstance(layer, Convolution) and layer.learned is None:
        target.weight.copy_(grouped(whole(source.weight, layer.groups)[rows][:, columns], other.groups))
    elif isinstance(layer, Norm):
        for name in ("weight", "bias", "running_mean", "running_var"):
            getattr(target, name).copy_(getattr(source, name)[columns])
    elif isinstance(layer, Linear) and layer.factor == 1:
        target.weight.copy_(source.weight[:, columns])
        target.bias.copy_(source.bias)
    elif hasattr(source, "in_logits") and hasattr(target, "in_logits"):
        target.weight.copy_(source.weight[rows][:, columns])
        target.in_logits.copy_(source.in_logits[columns])
        target.out_logits.copy_(source.out_logits[rows])
    else:  # nothing is renamed around the other kinds in these tests
        assert (rows, columns) == (sorted(rows), sorted(columns))
        state = {key: value for key, value in source.state_dict().items() if key in target.state_dict()}
        target.load_state_dict(state)


def modules(network: Plan, module: nn.Module) -> list[nn.Module]:
    """Of the layers with weights, in the order of the recorder."""
    return [
        module.get_submodule(path) for path, layer in network.layers() if isinstance(layer, Convolution | Norm | Linear)
    ]
