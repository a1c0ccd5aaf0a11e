"""Which convolutions make what a gated convolution reads: outputs that no head keeps need not be computed.

MSGC (arXiv:2304.06305, section IV) counts this as a bonus: in a basic block the first convolution skips the outputs
that no head of the second one keeps for an image; in an inverted residual block the expansion and the depthwise
convolution skip what no head of the projection keeps. The masks of a block depend on its input alone, so they are known
beforehand. (A mask of DGC depends on the very channels that it drops: there is no bonus.)
"""

from __future__ import annotations

from typing import NamedTuple

from igcnas.network.plan import Plan
from igcnas.network.primitives import (
    Activation,
    Convolution,
    Gated,
    GatedConvolution,
    Layer,
    Norm,
    Permutation,
    branches,
)


class Source(NamedTuple):
    """A convolution that only a reader reads: input i of the reader is its output order[i]; empty for equal order."""

    path: str
    layer: Convolution | GatedConvolution
    order: tuple[int, ...]

    @property
    def macs_per_output(self) -> int:
        """Multiply-accumulates of one output channel where the source is a plain convolution."""
        assert isinstance(self.layer, Convolution)
        return positions(self.layer) * self.layer.in_channels // self.layer.groups


class Reader(NamedTuple):
    """A convolution whose masks are made from a context, with what stands before it, the nearest first."""

    path: str
    layer: Convolution | GatedConvolution
    sources: tuple[Source, ...]


def readers(network: Plan) -> tuple[Reader, ...]:
    """Every convolution that is gated by the context of its Gated sequence, in the order of execution."""
    found: list[Reader] = []
    _collect(network.root, "", found)
    return tuple(found)


def positions(layer: Convolution | GatedConvolution) -> int:
    """Multiply-accumulates of one pair of channels: kernel area times output pixels."""
    return layer.kernel * layer.kernel * layer.out_size[0] * layer.out_size[1]


def is_gated(layer: Layer) -> bool:
    """Whether a context gates it: a convolution with MSGC, while it trains or after."""
    if isinstance(layer, GatedConvolution):
        return layer.grouping.reads_block
    return isinstance(layer, Convolution) and layer.learned is not None and layer.learned.reads_block


def _collect(layer: Layer, path: str, found: list[Reader]) -> None:
    for index, (name, child) in enumerate(branches(layer) or ()):
        where = f"{path}.{name}" if path else name
        if isinstance(layer, Gated) and isinstance(child, Convolution | GatedConvolution) and is_gated(child):
            found.append(Reader(where, child, _sources(layer, index, path)))
        _collect(child, where, found)


def _sources(gated: Gated, index: int, path: str) -> tuple[Source, ...]:
    """Backwards from layer `index`: through depthwise convolutions to the first other one; not beyond the context."""
    reader = gated.layers[index]
    assert isinstance(reader, Convolution | GatedConvolution)
    order = tuple(range(reader.in_channels))
    sources: list[Source] = []
    same = order
    for layer in reversed(gated.layers[gated.skip : index]):
        if isinstance(layer, Permutation):
            order = tuple(layer.indices[channel] for channel in order)
        elif isinstance(layer, Convolution | GatedConvolution):
            if not is_gated(layer) and (not isinstance(layer, Convolution) or layer.learned is not None):
                break  # learned groups find their own way; dynamic ones need all of their inputs
            sources.append(
                Source(f"{path}.{layer.name}" if path else layer.name, layer, () if order == same else order)
            )
            if is_gated(layer) or not layer.in_channels == layer.out_channels == getattr(layer, "groups", 1):
                break
        elif not isinstance(layer, Norm | Activation):
            break
    return tuple(sources)
