"""The counter of MSGC's authors, and its exact figure for given masks.

main: what is never masked: multiply-accumulates of convolutions and the linear layer, one for each activation, the
elements under a pooling. dgc: the same of masked convolutions if nothing is masked, each with the activation after it
(in dense layers, in front of it), and with attention one for each element and head. mask: mean of the block's input,
both layers of each generator, the activation between them. An image costs main + mask, + each masked convolution times
the share of its mask, - what was computed upstream and no head uses (the bonus).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple, cast

from igcnas.errors import IgcnasError
from igcnas.network import primitives
from igcnas.network.conventions.elements import area
from igcnas.network.cost import layer_cost
from igcnas.network.grouping import MultiSpectral
from igcnas.network.plan import Plan
from igcnas.network.primitives import Activation, Convolution, Gather, GlobalPool, Layer, Permutation, Pool

# For each masked convolution, by name: for each head, which input channels it keeps.
Masks = Mapping[str, Sequence[Sequence[bool]]]

# Masks by rule: head h of `heads` keeps channel c of `channels`. A convolution with one head keeps as one of two would.
PROBES: dict[str, Callable[[int, int, int, int], bool]] = {
    "ones": lambda c, h, channels, heads: True,
    "mod": lambda c, h, channels, heads: c % max(2, heads) == h,
    "head0": lambda c, h, channels, heads: c < channels // max(2, heads),
}


@dataclass(slots=True)
class Masked:
    """A masked convolution: its cost if nothing is masked, and what its input cost."""

    name: str
    layer: Convolution
    learned: MultiSpectral
    cost: int
    attention: int
    upstream: int = 0
    producer: Masked | None = None


@dataclass(slots=True)
class Count:
    """The parts of a network's cost in this convention."""

    main: int = 0
    mask: int = 0
    masked: list[Masked] = field(default_factory=list)

    @property
    def dgc(self) -> int:
        """Masked convolutions, if nothing is masked."""
        return sum(layer.cost for layer in self.masked)

    @property
    def original(self) -> int:
        """The network without masks and attention."""
        return self.main + self.dgc - sum(layer.attention for layer in self.masked)

    @property
    def possible(self) -> Fraction:
        """What the authors call possible: a quarter of every mask."""
        return self.main + Fraction(self.dgc, 4) + self.mask

    def expected(self) -> Fraction:
        """With the share that each convolution is to keep, before any bonus."""
        shares = (layer.cost * Fraction(str(layer.learned.keep)) for layer in self.masked)
        return self.main + self.mask + sum(shares, Fraction(0))

    def parts(self) -> dict[str, int]:
        """The parts as the authors print them, rounded."""
        return {
            "original": self.original,
            "main": self.main,
            "dgc": self.dgc,
            "mask": self.mask,
            "possible": round(self.possible),
        }

    def measured(self, masks: Masks) -> Measured:
        """With these masks."""
        kept, bonus = Fraction(0), Fraction(0)
        shares = {name: [Fraction(sum(head), len(head)) for head in heads] for name, heads in masks.items()}
        for layer in self.masked:
            heads = layer.learned.heads
            kept += sum(shares[layer.name], Fraction(0)) / heads * layer.cost
            unused = [not any(channel) for channel in zip(*masks[layer.name], strict=True)]
            bonus += Fraction(sum(unused), len(unused)) * layer.upstream
            if layer.producer is None:
                continue
            before = layer.producer
            width = len(unused) // before.learned.heads
            for head, share in enumerate(shares[before.name]):
                dropped = Fraction(sum(unused[head * width : (head + 1) * width]), width)
                bonus += share * before.cost / before.learned.heads * dropped
        return Measured(kept, bonus, self.main + self.mask + kept - bonus)


class Measured(NamedTuple):
    """Cost for one image: of the masked convolutions, of what need not be computed, in total."""

    dgc: Fraction
    bonus: Fraction
    total: Fraction


def probe(counted: Count, rule: str) -> Masks:
    """Masks set by a rule of PROBES: 'ones', 'mod' (every head its own channels) or 'head0' (all heads the first)."""
    masks: dict[str, list[list[bool]]] = {}
    for entry in counted.masked:
        channels, heads = entry.layer.in_channels, entry.learned.heads
        masks[entry.name] = [[PROBES[rule](c, h, channels, heads) for c in range(channels)] for h in range(heads)]
    return masks


def figure(network: Plan) -> int:
    """The expected cost, rounded; for a network without masks the authors' figure of the original."""
    return round(count(network).expected())


def count(network: Plan) -> Count:
    """The parts of a network's cost."""
    walk = _Walk()
    walk.row(network.root, "")
    return walk.count


class _Walk:
    """Goes through the tree in the order of execution and says whose each activation is."""

    def __init__(self) -> None:
        self.count = Count()
        self.owner: Masked | None = None  # whose the next activation is
        self.producer: Masked | None = None  # masked convolution that made the current channels
        self.upstream = 0  # what else made them, one by one
        self.inside = False  # of a gated sequence
        self.ahead = False  # activations stand in front of their convolution
        self.waiting = 0  # activations whose convolution comes

    def row(self, row: primitives.Sequence | primitives.Gated, path: str) -> None:
        for position, child in enumerate(row.layers):
            if isinstance(row, primitives.Gated) and position == row.skip:
                self.count.mask += _context(row)
                self.inside, self.producer, self.upstream = True, None, 0
            self.layer(child, f"{path}.{child.name}" if path else child.name)
        if isinstance(row, primitives.Gated):
            self.inside = False

    def layer(self, layer: Layer, path: str) -> None:
        if isinstance(layer, primitives.Sequence | primitives.Gated):
            self.row(layer, path)
        elif isinstance(layer, primitives.Residual):
            self.row(layer.shortcut, f"{path}.shortcut")
            self.row(layer.body, f"{path}.body")
        elif isinstance(layer, primitives.Concat):
            self.ahead = True
            self.row(layer.body, f"{path}.body")
            self.ahead, self.owner = False, None
        elif isinstance(layer, Convolution):
            self.convolution(layer, path)
        elif isinstance(layer, Activation):
            self.activation(layer.channels * area(layer.size))
        elif isinstance(layer, Permutation | Gather):
            self.producer, self.upstream = None, 0
        elif isinstance(layer, Pool):
            self.count.main += layer.channels * area(layer.out_size) * layer.stride**2
        elif isinstance(layer, GlobalPool):
            self.count.main += layer.channels * area(layer.size)
        else:
            self.count.main += layer_cost(layer).macs

    def activation(self, amount: int) -> None:
        if self.ahead and self.inside:
            self.waiting += amount
        elif self.owner is not None:
            self.owner.cost += amount
        else:
            self.count.main += amount
            self.upstream += amount

    def convolution(self, layer: Convolution, path: str) -> None:
        learned = layer.learned
        if learned is not None and learned.chooses_per_image:
            if learned.kind != MultiSpectral.kind:
                others = " or ".join(filter(None, ("macs", learned.counter)))
                raise IgcnasError(f"{path} is not known to the counter of MSGC; use {others}")
            self.masked(layer, cast(MultiSpectral, learned), path)
            return
        cost = layer_cost(layer).macs
        self.count.main += cost + self.waiting
        channelwise = layer.groups == layer.in_channels == layer.out_channels
        self.upstream = (self.upstream if channelwise else 0) + cost
        self.producer = self.producer if channelwise else None
        self.waiting, self.owner = 0, None

    def masked(self, layer: Convolution, learned: MultiSpectral, path: str) -> None:
        dense = layer.kernel**2 * layer.in_channels * layer.out_channels * area(layer.out_size)
        attention = learned.heads * layer.in_channels * area(layer.in_size) if learned.attention else 0
        entry = Masked(path, layer, learned, dense + attention + self.waiting, attention, self.upstream, self.producer)
        self.count.masked.append(entry)
        overhead = learned.overhead(layer.in_channels, layer.out_channels, layer.context_channels)
        self.count.mask += overhead.macs + overhead.hidden
        self.waiting, self.upstream = 0, 0
        self.owner = self.producer = entry


def _context(row: primitives.Gated) -> int:
    """Elements of the input of a gated sequence, of which the generators see the mean."""
    first = row.layers[row.skip]
    assert isinstance(first, Convolution), "what a gated sequence takes the mean of goes into a convolution"
    return first.in_channels * area(first.in_size)
