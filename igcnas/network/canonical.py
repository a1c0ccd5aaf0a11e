"""An id for what a network is, whatever words described it.

`Architecture.id` is equal for equal descriptions; `canonical_id` also for descriptions that mean one network: stages of
equal blocks that run on as one, a shuffle that moves nothing or only renames channels, a grouping of one group, learned
groups with nothing to learn. Two networks are one if the channels between their layers can be renamed so that every
layer is the same; then they compute the same functions, and random initial weights are as likely in the one as in the
other. No torch, no floating point.

How. The layers are read in order, without names. Layers that keep channels apart (norms, activations, pooling,
depthwise convolutions) and permutations only carry channels along; so a permutation matters only by who meets whom.
Each channel has a colour: what is known of it from the groups that it has been in. All channels start alike; a group
convolution numbers its groups by the colours of their channels, and refines these colours by the number. The id is a
digest of the layers and of how many channels of each colour every step made. From that the network can be rebuilt but
for the names of its channels, so different networks have different digests. Groups whose channels have the same colours
are numbered as they come: two descriptions of one network that arrange such groups otherwise can get two ids, never the
reverse.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

from igcnas.network.architecture import Architecture
from igcnas.network.learned import Learned
from igcnas.network.plan import Plan, plan
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
    PadShortcut,
    Permutation,
    Pool,
    Residual,
    Sequence,
)

FORMAT = 1
Wire: TypeAlias = list[int]  # the channel at each place


def canonical_id(architecture: Architecture) -> str:
    """Twelve hex digits; equal only for architectures that mean the same network."""
    return plan_id(plan(architecture))


def plan_id(network: Plan) -> str:
    """The id of a plan as `plan.plan` makes it; TypeError for layers that only lowered networks have."""
    tokens: list[Any] = [FORMAT, network.input_shape]
    reader = _Reader(tokens)
    reader.sequence(network.root.layers, reader.new(network.input_shape[0]))
    return hashlib.sha256(repr(tokens).encode()).hexdigest()[:12]


class _Reader:
    """Goes through the layers once. `tokens` describes the network; `colours` holds the colour of each channel."""

    def __init__(self, tokens: list[Any]) -> None:
        self.tokens = tokens
        self.colours: list[int] = []
        self.used = 0  # colours so far

    def new(self, channels: int) -> Wire:
        """New channels that are all alike, in a colour of their own."""
        first = len(self.colours)
        self.colours += [self.used] * channels
        self.used += 1
        return list(range(first, first + channels))

    def refine(self, channels: Wire, marks: list[int]) -> None:
        """Each of these channels, all different, gets a colour that says what its colour and its mark were."""
        colours, span = self.colours, max(marks) + 1
        pairs = [colours[channel] * span + mark for channel, mark in zip(channels, marks, strict=True)]
        counted = sorted(Counter(pairs).items())
        self.tokens += (span, counted)
        names = {pair: name for name, (pair, _) in enumerate(counted, start=self.used)}
        self.used += len(names)
        for channel, pair in zip(channels, pairs, strict=True):
            colours[channel] = names[pair]

    def sequence(self, layers: tuple[Layer, ...], wire: Wire) -> Wire:
        """The channels after these layers."""
        for layer in layers:
            wire = _READ[type(layer)](self, layer, wire)
        return wire

    def read_sequence(self, layer: Sequence, wire: Wire) -> Wire:
        return self.sequence(layer.layers, wire)

    def read_gated(self, layer: Gated, wire: Wire) -> Wire:
        """The mean that gates see is taken where the first of these tokens stands."""
        wire = self.sequence(layer.layers[: layer.skip], wire)
        self.tokens.append("gates")
        wire = self.sequence(layer.layers[layer.skip :], wire)
        self.tokens.append("end")
        return wire

    def read_residual(self, layer: Residual, wire: Wire) -> Wire:
        """Channels that are added to each other are one from then on."""
        self.tokens.append("residual")
        first = len(self.colours)
        body = self.sequence(layer.body.layers, wire)
        self.tokens.append("shortcut")
        behind = len(self.colours)
        shortcut = self.sequence(layer.shortcut.layers, wire)
        self.tokens.append("add")
        if all(first <= channel < behind for channel in body):
            return self.added(shortcut, body)
        # No convolution of the body made new channels: each place has a mark of its own, and nothing is renamed.
        return self.joined(layer, body, shortcut)

    def added(self, shortcut: Wire, body: Wire) -> Wire:
        """The channels of the shortcut, which know from then on what those of the body did."""
        self.refine(shortcut, [self.colours[channel] for channel in body])
        return shortcut

    def read_concat(self, layer: Concat, wire: Wire) -> Wire:
        self.tokens.append("concat")
        first = len(self.colours)
        body = self.sequence(layer.body.layers, wire)
        self.tokens.append("append")
        if all(channel >= first for channel in body):
            return wire + body
        return wire + self.joined(layer, body)

    def joined(self, layer: Layer, *wires: Wire) -> Wire:
        """New channels, each known by its place, from old ones at the same place."""
        for wire in wires:
            self.refine(wire, list(range(len(wire))))
        made = self.new(len(wires[0]))
        self.refine(made, list(range(len(made))))
        return made

    def read_permutation(self, layer: Permutation | Gather, wire: Wire) -> Wire:
        if isinstance(layer, Permutation) and layer.groups in (1, layer.channels):
            return wire
        return [wire[index] for index in layer.indices]

    def read_convolution(self, layer: Convolution, wire: Wire) -> Wire:
        inputs, outputs, learned = layer.in_channels, layer.out_channels, layer.learned
        kind = None if learned is None else learned.identity(inputs, outputs, layer.context_channels)
        # Where nothing is left to decide it is a plain convolution, in as many groups as its connections say.
        left = layer.groups if learned is None else inputs * outputs // learned.connections(inputs, outputs)
        groups = left if kind is None else 1
        self.tokens.append((inputs, outputs, layer.kernel, layer.stride, groups, kind))
        if groups == inputs == outputs:  # depthwise
            return wire
        if learned is not None and kind is not None:
            return self.decided(layer, learned, wire)
        made = self.new(outputs)
        if groups == 1:
            return made
        each = inputs // groups
        members = [wire[start : start + each] for start in range(0, inputs, each)]
        known = [sorted([self.colours[channel] for channel in group]) for group in members]
        rank = [0] * groups
        for number, group in enumerate(sorted(range(groups), key=known.__getitem__)):
            rank[group] = number
        self.refine(wire, [number for number in rank for _ in range(each)])
        self.refine(made, [number for number in rank for _ in range(outputs // groups)])
        return made

    def decided(self, layer: Convolution, learned: Learned, wire: Wire) -> Wire:
        """A learned convolution, whose kind says which of its channels it tells apart."""
        made = self.new(layer.out_channels)
        inputs, filters = learned.told_apart(layer.in_channels, layer.out_channels)
        if inputs is not None:
            self.refine(wire, list(inputs))
        if filters is not None:
            self.refine(made, list(filters))
        return made

    def read_norm(self, layer: Norm, wire: Wire) -> Wire:
        self.tokens.append("norm")
        return wire

    def read_activation(self, layer: Activation, wire: Wire) -> Wire:
        self.tokens.append(layer.kind)
        return wire

    def read_pool(self, layer: Pool, wire: Wire) -> Wire:
        self.tokens.append((layer.kind, layer.kernel, layer.stride))
        return wire

    def read_pad(self, layer: PadShortcut, wire: Wire) -> Wire:
        """The new channels are zeros, half of them in front."""
        self.tokens.append(("pad", layer.out_channels, layer.stride))
        zeros = self.new(layer.out_channels - layer.in_channels)
        front = len(zeros) // 2
        return zeros[:front] + wire + zeros[front:]

    def read_global_pool(self, layer: GlobalPool, wire: Wire) -> Wire:
        self.tokens.append("mean")
        return wire

    def read_linear(self, layer: Linear, wire: Wire) -> Wire:
        self.tokens.append(("linear", layer.in_features, layer.out_features, layer.bias, layer.factor))
        return self.new(layer.out_features)


_READ: dict[type, Callable[[_Reader, Any, Wire], Wire]] = {
    Sequence: _Reader.read_sequence,
    Gated: _Reader.read_gated,
    Residual: _Reader.read_residual,
    Concat: _Reader.read_concat,
    Permutation: _Reader.read_permutation,
    Gather: _Reader.read_permutation,
    Convolution: _Reader.read_convolution,
    Norm: _Reader.read_norm,
    Activation: _Reader.read_activation,
    Pool: _Reader.read_pool,
    PadShortcut: _Reader.read_pad,
    GlobalPool: _Reader.read_global_pool,
    Linear: _Reader.read_linear,
}
