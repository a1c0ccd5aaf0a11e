"""What a plan has a runtime do: numbers by kind of operator, none of which falls as channels are added.

A time is predicted from these (`latency.table`), while thousands of widths are tried, so they are read from the plan
alone, before anything is built: norms and activations are in the convolutions in front of them, a permutation that a
dense neighbour takes up is free, and groups of less than eight channels count as eight, as exports have it
(igcnas/modules/folding). A learned layer counts as it is planned, with the gathers around it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeAlias

from igcnas.network.learned import Learned
from igcnas.network.plan import Plan
from igcnas.network.primitives import (
    Activation,
    Concat,
    Convolution,
    Gated,
    GatedConvolution,
    Gather,
    GlobalPool,
    Layer,
    Linear,
    Norm,
    PadShortcut,
    Permutation,
    Pool,
    Primitive,
    Residual,
    Sequence,
    Size,
    SplitConvolution,
)

# By (kind, what is counted): calls, macs, the same with groups made whole, and numbers read or written.
Feature: TypeAlias = tuple[str, str]
Work: TypeAlias = Mapping[Feature, float]
CALLS, MACS, PADDED, MOVED = "calls", "macs", "padded macs", "moved"
GROUPS, WEIGHTS, COPIED, RAGGED = "groups", "weights", "copied", "ragged "
ODD = "odd "  # in front of what is counted where channels do not fit the kernels
# ONNX Runtime fills channels up to a vector where they are whole fours (its NCHWc layout), and else takes slower ways.
VECTORS = (8, 16)
_QUARTER, _JOINED = 4, 8
_PASSING = (Norm, Activation, Permutation, Gather)


def is_convolution(kind: str) -> bool:
    """Whether the kind of an operator is one of convolution."""
    return kind == "depthwise" or kind.endswith(("1x1", "kxk"))


def work(network: Plan, vector: int) -> Work:
    """All of one call with one image. vector: channels that kernels take at a time."""
    return _work(network.root.layers, vector)


@lru_cache(maxsize=4096)
def _work(layers: tuple[Layer, ...], vector: int) -> Work:
    found: Counter[Feature] = Counter()
    for index, layer in enumerate(layers):
        if isinstance(layer, Sequence | Gated):
            found.update(_work(layer.layers, vector))
        elif isinstance(layer, Residual | Concat):
            found.update(_work(layer.body.layers, vector))
            if isinstance(layer, Residual):
                found.update(_work(layer.shortcut.layers, vector))
            numbers = _numbers(layer.body)
            found.update({("sum" if isinstance(layer, Residual) else "append", MOVED): numbers})
            found["sum" if isinstance(layer, Residual) else "append", CALLS] += 1
        elif isinstance(layer, Permutation | Gather):
            if not _taken_up(layers, index):
                found["permutation", CALLS] += 1
                found["permutation", MOVED] += len(layer.indices) * _pixels(layers, index)
        else:
            found.update(_of(layer, vector))
    return found


def _of(layer: Primitive, vector: int) -> dict[Feature, float]:
    """One primitive by itself."""
    match layer:
        case Convolution(learned=None):
            return _convolution(layer, vector)
        case Convolution():
            assert layer.learned is not None
            return _learned(layer, layer.learned, vector)
        case GatedConvolution():
            return _learned(layer, layer.grouping, vector)
        case SplitConvolution():
            pixels = layer.in_size[0] * layer.in_size[1]
            moved = pixels * (layer.in_channels + layer.out_channels)
            padded = sum(
                _up(read, vector) * _up(made, vector)
                for read, made in zip(layer.in_groups, layer.out_groups, strict=True)
            )
            found = {MACS: layer.connections * pixels, PADDED: padded * pixels, MOVED: moved}
            return _named("split 1x1", {**found, GROUPS: len(layer.in_groups)})
        case Linear():
            return _named("linear", {MACS: layer.kept_inputs * layer.out_features})
        case Pool():
            return _named("pool", {MOVED: layer.channels * layer.in_size[0] * layer.in_size[1]})
        case GlobalPool():
            return _named("global pool", {MOVED: layer.channels * layer.size[0] * layer.size[1]})
        case PadShortcut():
            return _named("pad", {MOVED: layer.out_channels * layer.in_size[0] * layer.in_size[1]})
        case _:
            return {}


def _convolution(layer: Convolution, vector: int) -> dict[Feature, float]:
    if layer.groups == layer.in_channels == layer.out_channels > 1:
        channels, places = layer.in_channels, _places(layer)
        found: dict[str, float] = {
            MACS: channels * places,
            PADDED: _up(channels, vector) * places,
            MOVED: _moved(layer),
        }
        found |= _ragged(layer, found, vector)
        return _named("depthwise", found, odd=channels % _QUARTER != 0, pieces=channels)
    name = "dense" if layer.groups == 1 else "grouped"
    return _grouped(layer, name, layer.groups, layer.connections, vector)


def _learned(layer: Convolution | GatedConvolution, kind: Learned, vector: int) -> dict[Feature, float]:
    """As planned: equal groups, or where each image chooses, heads that read all channels."""
    pairs = kind.kept(layer.in_channels, layer.out_channels)
    if kind.chooses_per_image:
        heads = len(set(kind.heads_of(layer.out_channels) or (0,)))
        found = _grouped(layer, kind.kind, 1, pairs, vector)
        name = next(iter(found))[0]
        return {**found, (name, GROUPS): heads, (name, COPIED): heads * layer.in_channels * _pixels_of(layer.in_size)}
    return _grouped(layer, kind.kind, getattr(kind, "groups", 1), pairs, vector)


def _grouped(
    layer: Convolution | GatedConvolution, name: str, groups: int, pairs: int, vector: int
) -> dict[Feature, float]:
    """A convolution of equal groups; those of few channels are joined. pairs: of channels that keep a weight.

    Groups can be joined evenly only; what that makes more than it need be is odd, and so is what falls out of step.
    """
    read, made, places = layer.in_channels, layer.out_channels, _places(layer)
    found: dict[str, float] = {MACS: pairs * places, MOVED: _moved(layer)}
    found |= _ragged(layer, found, vector)
    kind = f"{name} {'kxk' if layer.kernel > 1 else '1x1'}"
    if groups == 1:
        found |= {PADDED: _up(read, vector) * _up(made, vector) * places, WEIGHTS: read * made * layer.kernel**2}
        return _named(kind, found, odd=read >= vector and read % _QUARTER != 0)
    least = max(read / groups, min(_JOINED, read))
    found |= {PADDED: made * least * places, WEIGHTS: made * least * layer.kernel**2, GROUPS: read / least}
    joined = groups // _together(groups, min(read, made) / groups)
    odd = joined > 1 and (read / joined % vector != 0 or made / joined % vector != 0)
    padded = joined * _up(read / joined, vector) * _up(made / joined, vector) * places
    more = {(kind, ODD + PADDED): max(0.0, padded - found[PADDED])}
    return _named(kind, found, odd=odd or read % _QUARTER != 0, pieces=joined) | more


def _together(groups: int, narrow: float) -> int:
    """How many groups become one, as `folding.widening` joins them."""
    counts = (count for count in range(1, groups + 1) if groups % count == 0)
    return next((count for count in counts if count * narrow >= _JOINED), groups)


def _named(kind: str, found: Mapping[str, float], *, odd: bool = False, pieces: float = 1) -> dict[Feature, float]:
    named = {(kind, what): number for what, number in {CALLS: 1, **found}.items()}
    if odd:
        more = {CALLS: 1, MACS: found[MACS], MOVED: found[MOVED], GROUPS: pieces}
        named |= {(kind, ODD + what): number for what, number in more.items()}
    return named


def _up(channels: float, vector: int) -> float:
    """The next multiple."""
    return math.ceil(channels / vector) * vector


def _pixels_of(size: Size) -> int:
    return size[0] * size[1]


def _places(layer: Convolution | GatedConvolution) -> int:
    """Multiply-accumulates of one pair of channels."""
    return layer.kernel**2 * layer.out_size[0] * layer.out_size[1]


def _ragged(layer: Convolution | GatedConvolution, found: Mapping[str, float], vector: int) -> dict[str, float]:
    """What is done once more where rows of pixels are not whole vectors: kernels of model.c then copy their input."""
    if layer.kernel == 1 or layer.in_size[1] % vector == 0:
        return {}
    return {RAGGED + CALLS: 1, RAGGED + MACS: found[MACS], RAGGED + MOVED: found[MOVED]}


def _moved(layer: Convolution | GatedConvolution) -> int:
    """Numbers read and written."""
    before, after = layer.in_size[0] * layer.in_size[1], layer.out_size[0] * layer.out_size[1]
    return layer.in_channels * before + layer.out_channels * after


def _numbers(row: Sequence | Gated) -> int:
    """Numbers that a row of layers makes, or one like it reads where it makes none."""
    for layer in reversed(row.layers):
        if isinstance(layer, Sequence | Gated):
            return _numbers(layer)
        if isinstance(layer, Convolution | GatedConvolution):
            return layer.out_channels * layer.out_size[0] * layer.out_size[1]
        if isinstance(layer, SplitConvolution):
            return layer.out_channels * layer.in_size[0] * layer.in_size[1]
    return 0


def _pixels(layers: tuple[Layer, ...], index: int) -> int:
    """Of the value that a permutation reads: that of the nearest layer which says it."""
    for layer in (*reversed(layers[:index]), *layers[index + 1 :]):
        if isinstance(layer, Convolution | GatedConvolution):
            return layer.out_size[0] * layer.out_size[1]
        if isinstance(layer, Norm | Activation):
            return layer.size[0] * layer.size[1]
        if isinstance(layer, SplitConvolution):
            return layer.in_size[0] * layer.in_size[1]
    return 1


def _taken_up(layers: tuple[Layer, ...], index: int) -> bool:
    """Whether a dense neighbour in the same row takes up a permutation, through what lets it pass."""
    return any(_dense_first(tuple(row)) for row in (layers[index + 1 :], tuple(reversed(layers[:index]))))


def _dense_first(row: tuple[Layer, ...]) -> bool:
    for layer in row:
        if isinstance(layer, _PASSING) or (isinstance(layer, Convolution) and layer.groups == layer.in_channels > 1):
            continue
        return isinstance(layer, Convolution) and layer.groups == 1 and layer.learned is None
    return False
