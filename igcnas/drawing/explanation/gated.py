"""Convolutions in which each image chooses its channels, at the random choice of one image; `seed` is another image."""

from __future__ import annotations

import random

from igcnas.drawing.explanation.base import Explanation, Mask, require_few
from igcnas.network.grouping import DynamicChannels, Grouping, MultiSpectral
from igcnas.network.primitives import Convolution, Layer
from igcnas.system.checks import require, require_positive
from igcnas.units import counted


def msgc(
    *,
    channels: int = 12,
    out: int = 0,
    heads: int = 4,
    kept: int = 6,
    attention: bool = False,
    kernel: int = 1,
    seed: int = 0,
    size: int = 32,
) -> Explanation:
    """Middle spectrum grouped convolution: each image masks the inputs of each head; heads may share inputs."""
    out = out or channels
    _require(channels, out, kept, size)
    grouping = MultiSpectral(heads=heads, keep=kept / channels, attention=attention)
    grouping.check(channels, out)
    extra = grouping.overhead(channels, out, channels)
    # A block gives the generator its own input; here the convolution is the block.
    layers = tuple(
        layer._replace(context_channels=channels) if isinstance(layer, Convolution) else layer
        for layer in grouping.layers("conv", channels, out, kernel, 1, (size, size))
    )
    return _explanation(
        title=f"Middle spectrum grouped convolution, {channels} to {out} channels, {counted(heads, 'head')}",
        what="Head h makes its share of the filters from the inputs that its binary mask keeps. A generator makes the "
        "masks of every image from the means of the block's input, so another image has another picture.",
        layers=layers,
        heads=heads,
        kept=kept,
        kernel=kernel,
        generator=f"mask generator{' and attention' if attention else ''}: {extra.params:,} parameters, "
        f"{extra.macs:,} MACs an image",
        seed=seed,
        grouping=grouping,
    )


def dgc(
    *, channels: int = 12, out: int = 0, heads: int = 4, kept: int = 3, kernel: int = 1, seed: int = 0, size: int = 32
) -> Explanation:
    """Dynamic group convolution: each head keeps the inputs that are most salient in an image, always as many."""
    out = out or channels
    _require(channels, out, kept, size)
    grouping = DynamicChannels(heads=heads, keep=kept / channels)
    grouping.check(channels, out)
    extra = grouping.overhead(channels, out, channels)
    return _explanation(
        title=f"Dynamic group convolution, {channels} to {out} channels, {counted(heads, 'head')}",
        what="Each head scores the inputs by two linear layers on their means, keeps the highest, multiplies them by "
        "their scores and makes its share of the filters; a shuffle mixes the heads. Another image keeps others.",
        layers=grouping.layers("conv", channels, out, kernel, 1, (size, size)),
        heads=heads,
        kept=kept,
        kernel=kernel,
        generator=f"saliency generators: {extra.params:,} parameters, {extra.macs:,} MACs an image",
        seed=seed,
        grouping=grouping,
    )


def _require(channels: int, out: int, kept: int, size: int) -> None:
    require_few(channels=channels, out=out)
    require_positive(kept=kept, size=size)
    require(kept <= channels, f"a head cannot keep {kept} of {channels} channels; take kept={channels} or fewer")


def _explanation(
    *,
    title: str,
    what: str,
    layers: tuple[Layer, ...],
    heads: int,
    kept: int,
    kernel: int,
    generator: str,
    seed: int,
    grouping: Grouping,
) -> Explanation:
    conv = layers[0]
    assert isinstance(conv, Convolution)
    chance = random.Random(seed)
    inputs = [set(chance.sample(range(conv.in_channels), kept)) for _ in range(heads)]
    share = conv.out_channels // heads
    filters = tuple(o // share for o in range(conv.out_channels))
    mask: Mask = tuple(tuple(int(i in inputs[h]) for i in range(conv.in_channels)) for h in filters)
    unread = conv.in_channels - len(set().union(*inputs))
    used, pairs = kernel * kernel * kept * conv.out_channels, conv.in_channels * conv.out_channels
    return Explanation(
        title=title,
        what=what,
        layers=layers,
        in_channels=conv.in_channels,
        formulas=(
            f"a head keeps {kept} of {conv.in_channels} inputs: {kept} / {conv.in_channels} of the weights, "
            f"{used:,} per position; all {pairs:,} pairs keep a weight",
            generator,
            f"inputs that no head reads in this image: {unread}",
        ),
        captions={"conv": f"{counted(heads, 'head')} ({grouping.label()})"},
        masks={"conv": mask},
        groups={"conv": (None, filters)},
    )
