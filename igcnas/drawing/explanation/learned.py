"""Convolutions whose groups training chooses, at a random choice like that before training; `seed` makes another."""

from __future__ import annotations

import random

from igcnas.drawing.explanation.base import Explanation, Mask, require_few
from igcnas.network.grouping import Condensing, KroneckerGrouping, LearnedGrouping
from igcnas.network.primitives import Convolution, Layer
from igcnas.system.checks import require, require_positive


def flgc(
    *, channels: int = 12, out: int = 0, groups: int = 3, balanced: bool = True, seed: int = 0, size: int = 32
) -> Explanation:
    """Fully learnable group convolution: training assigns every input channel and every filter to a group."""
    out = out or channels
    grouping = LearnedGrouping(groups=groups, balanced=balanced)
    require_few(channels=channels, out=out)
    require_positive(size=size)
    grouping.check(channels, out)
    inputs, filters = (
        _assignment(count, groups, balanced, f"{seed} {side}") for side, count in (("in", channels), ("out", out))
    )
    mask = tuple(tuple(int(i == o) for i in inputs) for o in filters)
    live = sum(map(sum, mask))
    return Explanation(
        title=f"Fully learnable group convolution, {channels} to {out} channels, G = {groups}",
        what="Weight (o, i) lives iff filter o and input i have one group: mask = T S^T for one-hot rows of the "
        "largest logit. Shown at a random assignment. Sorted by group, the weights that live are blocks.",
        layers=grouping.layers("conv", channels, out, 1, 1, (size, size)),
        in_channels=channels,
        formulas=(
            f"expected weights: C_in C_out / G = {channels} * {out} / {groups} = {channels * out / groups:.6g}; in "
            f"this assignment {live:,}" + (", as in any balanced one" if balanced else ""),
            f"logits that only decide: G (C_in + C_out) = {groups * (channels + out):,}, gone after training",
        ),
        captions={"conv": f"G = {groups} learned groups"},
        masks={"conv": mask},
        groups={"conv": (inputs, filters)},
    )


def dgconv(*, channels: int = 16, groups: int = 4, kernel: int = 3, seed: int = 0, size: int = 32) -> Explanation:
    """Dynamic grouping convolution: binary gates, one for each bit of the channel's number, make the groups."""
    grouping = KroneckerGrouping(groups=groups)
    require_few(channels=channels)
    require_positive(size=size)
    grouping.check(channels, channels)
    K, off = channels.bit_length() - 1, groups.bit_length() - 1
    closed = set(random.Random(seed).sample(range(K), off))
    gates = "".join("0" if k in closed else "1" for k in range(K))
    # Gate 1 is the most significant bit. Channels meet that agree in all bits whose gates are off.
    keep = int(gates.replace("1", "x").replace("0", "1").replace("x", "0") or "0", 2)
    names = sorted({channel & keep for channel in range(channels)})
    of = tuple(names.index(channel & keep) for channel in range(channels))
    mask: Mask = tuple(tuple(int(i == o) for i in of) for o in of)
    s, S = K - off, kernel * kernel
    return Explanation(
        title=f"Dynamic grouping convolution, {channels} channels, gates {gates or 'none'}",
        what="mask = U_1 x ... x U_K (Kronecker), U_k all ones where gate k is on, else the identity: channels meet "
        "that agree in every bit of their number whose gate is off. Shown for gates at random.",
        layers=grouping.layers("conv", channels, channels, kernel, 1, (size, size)),
        in_channels=channels,
        formulas=(
            f"K = log2(C) = {K} gates, s = {s} of them on: 2^(K - s) = {groups} groups of 2^s = {2**s} channels",
            f"pairs that meet: 2^(K + s) = {2 ** (K + s):,}; T = {2 ** (K + s) * S:,} weights per position",
        ),
        captions={"conv": f"gates {gates}: {groups} groups"},
        masks={"conv": mask},
        groups={"conv": (of, of)},
    )


def condensing(
    *, channels: int = 12, out: int = 0, groups: int = 3, factor: int = 3, seed: int = 0, size: int = 32
) -> Explanation:
    """Learned group convolution of CondenseNet: every group of filters drops its least important inputs."""
    out = out or channels
    grouping = Condensing(groups=groups, factor=factor)
    require_few(channels=channels, out=out)
    require_positive(size=size)
    grouping.check(channels, out)
    kept = grouping.kept_inputs(channels)
    chance = random.Random(seed)
    inputs = [set(chance.sample(range(channels), kept)) for _ in range(groups)]
    filters = tuple(o % groups for o in range(out))
    layers: tuple[Layer, ...] = grouping.layers("conv", channels, out, 1, 1, (size, size))
    require(isinstance(layers[0], Convolution), "condensing is one convolution")
    served = [sum(i in group for group in inputs) for i in range(channels)]
    return Explanation(
        title=f"Learned group convolution (CondenseNet), {channels} to {out} channels, G = {groups}, factor {factor}",
        what="Filter o is of group o mod G. Each group keeps the inputs that its weights use most; an input may serve "
        "several groups or none. Shown for inputs at random.",
        layers=layers,
        in_channels=channels,
        formulas=(
            f"each group keeps C_in - (factor - 1) floor(C_in / factor) = {kept} of {channels} inputs: {kept * out:,} "
            "weights per position",
            f"inputs that serve no group here: {served.count(0)}; more than one: {sum(n > 1 for n in served)}",
        ),
        captions={"conv": f"G = {groups} groups of filters"},
        masks={"conv": tuple(tuple(int(i in inputs[o]) for i in range(channels)) for o in filters)},
        groups={"conv": (None, filters)},
    )


def _assignment(channels: int, groups: int, balanced: bool, seed: str) -> tuple[int, ...]:
    """A group for each channel, at random; balanced: every group as often."""
    chance = random.Random(seed)
    if not balanced:
        return tuple(chance.randrange(groups) for _ in range(channels))
    every = [channel % groups for channel in range(channels)]
    chance.shuffle(every)
    return tuple(every)
