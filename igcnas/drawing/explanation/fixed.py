"""Blocks whose groups are fixed. S is the kernel area, as in the papers; per position means per pixel of the map."""

from __future__ import annotations

import math

from igcnas.drawing.explanation.base import Explanation, require_few
from igcnas.network.blocks import BasicBlock, InvertedResidual
from igcnas.network.blocks.common import require_kernel
from igcnas.network.grouping import Dense, Group, Grouping, Interleaved, SparseProduct
from igcnas.network.grouping.product import least_weights, weights
from igcnas.network.primitives import Activation, Convolution, Gather, Layer, Norm, Permutation, Residual
from igcnas.system.checks import require, require_positive
from igcnas.units import counted

_FEW = 4  # parts whose sums are written out


def regular(*, channels: int = 6, out: int = 0, kernel: int = 3, size: int = 32) -> Explanation:
    """A regular convolution: every channel meets every other."""
    out = out or channels
    S = kernel * kernel
    return Explanation(
        title=f"Regular convolution, {channels} to {out} channels",
        what="Every output channel has a weight for every input channel. It is the group convolution with one group, "
        "and the primary convolution of the IGC V1 block with L = 1.",
        layers=_unit(Dense(), channels, out, kernel, size),
        in_channels=channels,
        formulas=(f"T = C_in C_out S = {channels} * {out} * {S} = {channels * out * S:,} weights per position",),
        captions={"conv1": "dense"},
    )


def branches(*, channels: int = 6, parts: int = 2, out: int = 0, kernel: int = 3, size: int = 32) -> Explanation:
    """A regular convolution as a sum of branches: parts^2 of them, and a cross-summation that interleaves."""
    out = out or channels
    require_few(channels=channels, out=out, copies=parts * max(channels, out))
    require_positive(parts=parts, kernel=kernel, size=size)
    require_kernel(kernel)
    for count in (channels, out):
        require(count % parts == 0, f"{parts} parts do not divide {count} channels; take a divisor, as in parts=2")
    each, M, L, S = channels // parts, out // parts, parts * parts, kernel * kernel
    copies = tuple(part * each + channel for part in range(parts) for _ in range(parts) for channel in range(each))
    pixels = (size, size)
    layers: tuple[Layer, ...] = (
        Gather("copies", copies),
        Convolution("branches", parts * channels, parts * out, kernel, 1, L, pixels),
        Permutation("interleave", parts * out, L),
        Convolution("cross_sum", parts * out, out, 1, 1, M, pixels),
        Permutation("deinterleave", out, M),
        Norm("norm", out, pixels),
        Activation("act", "relu", out, pixels),
    )
    # Output o of a secondary partition adds what the branches from every part to part o made.
    mask = tuple(
        tuple(int(m == column // L and o == column % parts) for column in range(parts * out))
        for m in range(M)
        for o in range(parts)
    )
    sums = "; ".join(
        f"x'{o} = " + " + ".join(f"W{o}{i} x{i}" for i in range(1, parts + 1)) for o in range(1, parts + 1)
    )
    return Explanation(
        title=f"Regular convolution as {counted(L, 'branch', 'branches')}, {channels} to {out} channels",
        what=f"Split the channels into {counted(parts, 'part')}: each part of the input goes to each part of the "
        "output through a convolution of its own, a branch, and the branches that end in one part are added up. This "
        "cross-summation is a permutation, a group convolution whose weights are ones and zeros, and the permutation "
        f"back: the IGC V1 block with L = {L}, M = {M}, whose secondary convolution is not trained.",
        layers=_moving(layers) if parts > 1 else layers,
        in_channels=channels,
        formulas=(
            sums if parts <= _FEW else f"x'o = Wo1 x1 + ... + Wo{parts} x{parts} for each part o of {parts}",
            f"T = {L} branches of C_in / {parts} to C_out / {parts} = {L} * {each} * {M} * {S} = "
            f"{channels * out * S:,} weights per position, those of the regular convolution",
            f"the cross-summation has no weight: it adds {counted(parts, 'number')} for each output; trained, with "
            f"as many outputs as inputs, it would be the secondary convolution of IGC V1 on {counted(M, 'partition')}",
        ),
        captions={
            "copies": f"copies: each part {counted(parts, 'time')}",
            "branches": f"primary: L = {counted(L, 'branch', 'branches')}",
            "cross_sum": f"cross-summation: M = {counted(M, 'partition')} of L = {L}",
        },
        masks={"cross_sum": mask},
        sums=("cross_sum",),
    )


def group(*, channels: int = 6, groups: int = 2, out: int = 0, kernel: int = 3, size: int = 32) -> Explanation:
    """A group convolution: partitions of channels that do not meet."""
    out = out or channels
    layers = _unit(Group(groups=groups), channels, out, kernel, size)
    S = kernel * kernel
    return Explanation(
        title=f"Group convolution, {channels} to {out} channels, G = {groups}",
        what="It equals a dense convolution with a block-sparse kernel: the blocks on the diagonal are its weights, "
        "the rest is zero. However many follow each other, the partitions never meet.",
        layers=layers,
        in_channels=channels,
        formulas=(
            f"T = C_in C_out S / G = {channels} * {out} * {S} / {groups} = {channels * out * S // groups:,} weights "
            "per position",
            f"pairs that meet: 1 of {groups}, C_in C_out / G = {channels * out // groups:,} of {channels * out:,}",
        ),
        captions={"conv1": f"G = {counted(groups, 'partition')}"},
    )


def depthwise(*, channels: int = 6, kernel: int = 3, size: int = 32) -> Explanation:
    """A depthwise convolution: every channel alone."""
    S = kernel * kernel
    return Explanation(
        title=f"Depthwise convolution, {channels} channels",
        what="The group convolution with as many groups as channels. With a kernel as large as the map and no padding "
        "it is the global depthwise convolution: a learned pooling.",
        layers=_unit(Group(groups=channels), channels, channels, kernel, size),
        in_channels=channels,
        formulas=(f"T = C S = {channels} * {S} = {channels * S:,} weights per position",),
        captions={"conv1": "depthwise"},
    )


def xception(*, channels: int = 6, kernel: int = 3, size: int = 32) -> Explanation:
    """An Xception unit: the IGC V1 block with M = 1."""
    S, layers = kernel * kernel, _unit(Interleaved(L=channels, M=1), channels, channels, kernel, size)
    return Explanation(
        title=f"Xception unit, {channels} channels",
        what=f"A depthwise convolution, then a dense pointwise one: the IGC V1 block with L = {channels}, M = 1.",
        layers=_moving(layers),
        in_channels=channels,
        formulas=(
            f"T = C (S + C) = {channels} * ({S} + {channels}) = {channels * (S + channels):,} weights per position",
        ),
        captions={
            "conv1_primary": f"depthwise: L = {counted(channels, 'partition')} of M = 1",
            "conv1_secondary": f"pointwise: M = 1 partition of L = {channels}",
        },
    )


def igcv1(*, L: int = 2, M: int = 3, kernel: int = 3, size: int = 32) -> Explanation:
    """The interleaved group convolution block: L primary partitions of M channels, M secondary ones of L."""
    require_few(L=L, M=M)
    G, S = L * M, kernel * kernel
    T = G * (M * S + L)
    wider = L > 1 and L < (L - 1) * M * S
    widest = (T / (2 * kernel)) ** (2 / 3)
    ratio = f"L / (L - 1) = {L / (L - 1):.3g}" if L > 1 else "L / (L - 1) has no value for L = 1"
    return Explanation(
        title=f"IGC V1 block, L = {L}, M = {M}",
        what="A spatial group convolution on L primary partitions, then a pointwise one on M secondary partitions, "
        "each of one channel of every primary partition; nothing between them, so that the two are one dense "
        "convolution with a factored kernel.",
        layers=_moving(_unit(Interleaved(L=L, M=M), G, G, kernel, size)),
        in_channels=G,
        formulas=(
            f"width G = L M = {G}; S = {S}",
            f"T = G (M S + L) = {G} * ({M} * {S} + {L}) = {T:,} weights per position",
            f"a regular convolution with T weights is sqrt(T / S) = {math.sqrt(T / S):.4g} channels wide; G is larger "
            f"iff L / (L - 1) < M S: {ratio}, M S = {M * S}: {'yes' if wider else 'no'}",
            f"no IGC block with T weights is wider than (T / (2 sqrt(S)))^(2/3) = {widest:.4g}; it is reached "
            f" iff L = M S = {M * S}" + (": here" if M * S == L else f", but L = {L}"),
        ),
        captions={
            "conv1_primary": f"primary: L = {counted(L, 'partition')} of M = {M}",
            "conv1_secondary": f"secondary: M = {counted(M, 'partition')} of L = {L}",
        },
    )


def igcv2(
    *, K: tuple[int, ...] = (1, 4, 4), channels: int = 0, restore: bool = True, kernel: int = 3, size: int = 32
) -> Explanation:
    """The product of sparse kernels with branches of K channels; channels: the product of K unless given."""
    grouping = SparseProduct(K=K, restore=restore)
    P, S = math.prod(K), kernel * kernel
    C = channels or P
    T, n = weights(K, C, kernel), len(K)
    terms = [f"{S} * {K[0]}", *map(str, K[1:])]
    balance = (S * C) ** (1 / n)
    fewest, most = P // C, -(-P // C)
    here, bound = ", ".join([str(S * K[0]), *map(str, K[1:])]), least_weights(C, n, kernel)
    paths = f"{fewest}" if fewest == most else f"{fewest} or {most}"
    return Explanation(
        title=f"IGC V2 block, K = {'x'.join(map(str, K))}, {C} channels",
        what="A product of sparse kernels without anything between them. In the mixed radix K, kernel l mixes the "
        "channels whose numbers differ in digit l alone; a shuffle after each makes the next digit the fastest.",
        layers=_moving(_unit(grouping, C, C, kernel, size)),
        in_channels=C,
        formulas=(
            f"product of K: P = {P}; C = {C}; paths of a pair: P / C = {P / C:.4g}, so {paths}",
            f"T = C (S K1 + K2 + ...) = {C} * ({' + '.join(terms)}) = {T:,} weights per position",
            f"balance: S K1 = K2 = ... = (S C)^(1/{n}) = {balance:.4g}; here {here}",
            f"{n} kernels that connect every pair have at least {n} C (S C)^(1/{n}) = {bound:,.0f} weights; "
            f"fewest at n = ln(S C) = {math.log(S * C):.3g} kernels"
            + (f"; out of reach, since K1 would be {balance / S:.2g} (docs/width.md)" if n > 1 and balance < S else ""),
        ),
        captions={
            f"conv1_kernel{number}": f"K{number} = {branch}: {counted(C // branch, 'branch', 'branches')}"
            for number, branch in enumerate(K, start=1)
        },
    )


def igcv3(
    *,
    channels: int = 8,
    expansion: int = 6,
    G1: int = 2,
    G2: int = 2,
    permute: bool = True,
    kernel: int = 3,
    size: int = 32,
) -> Explanation:
    """The IGC V3 block: grouped expansion, permutation, depthwise convolution, grouped projection, shortcut."""
    block = InvertedResidual(
        expansion=expansion, expand=Group(groups=G1), project=Group(groups=G2), kernel=kernel, expand_activation=False
    )
    layers = _inverted(block, channels, size)
    c, t, S = channels, expansion, kernel * kernel
    if not permute:
        layers = tuple(layer for layer in layers if not isinstance(layer, Permutation))
    T = t * c * c // G1 + S * t * c + t * c * c // G2
    paths = t * c / (G1 * G2)
    return Explanation(
        title=f"IGC V3 block, {c} channels, t = {t}, G1 = {G1}, G2 = {G2}" + ("" if permute else ", no permutation"),
        what="MobileNetV2's block with groups in both pointwise convolutions and a permutation between them; no "
        "activation after the expansion. Counted without the shortcut, which adds the input.",
        layers=layers,
        in_channels=c,
        formulas=(
            f"T = t c^2 / G1 + S t c + t c^2 / G2 = {t * c * c // G1:,} + {S * t * c:,} + {t * c * c // G2:,} = {T:,} "
            "weights per position",
            f"with the permutation every pair has t c / (G1 G2) = {t} * {c} / {G1 * G2} = {paths:.4g} paths, if that "
            "is whole: loosely complementary",
            "without it partitions meet only where they overlap: for G1 = G2 = 2 half of all pairs never meet",
        ),
        captions={
            "expand": f"expansion: G1 = {counted(G1, 'partition')}",
            "depthwise": "depthwise",
            "project": f"projection: G2 = {counted(G2, 'partition')}",
        },
    )


def mobilenetv2(*, channels: int = 8, expansion: int = 6, kernel: int = 3, size: int = 32) -> Explanation:
    """The MobileNetV2 block: dense expansion, depthwise convolution, dense projection, shortcut."""
    block = InvertedResidual(expansion=expansion, expand=Dense(), project=Dense(), kernel=kernel)
    c, t, S = channels, expansion, kernel * kernel
    T = 2 * t * c * c + S * t * c
    return Explanation(
        title=f"MobileNetV2 block, {c} channels, t = {t}",
        what="The IGC V3 block with G1 = G2 = 1, and an activation after the expansion. Counted without the shortcut.",
        layers=_inverted(block, channels, size),
        in_channels=c,
        formulas=(
            f"T = 2 t c^2 + S t c = {2 * t * c * c:,} + {S * t * c:,} = {T:,} weights per position",
            f"every pair has t c = {t * c:,} paths",
        ),
        captions={"expand": "expansion", "depthwise": "depthwise", "project": "projection"},
    )


def resnet(*, channels: int = 8, kernel: int = 3, size: int = 32) -> Explanation:
    """The basic block of a ResNet: two dense convolutions and a shortcut."""
    c, S = channels, kernel * kernel
    (residual, _) = BasicBlock(grouping=Dense(), kernel=kernel).layers(c, c, 1, (size, size), "relu")
    assert isinstance(residual, Residual)
    return Explanation(
        title=f"ResNet basic block, {c} channels",
        what="Two dense convolutions with a norm and an activation between them. Counted without the shortcut.",
        layers=residual.body.layers,
        in_channels=c,
        formulas=(
            f"T = 2 C^2 S = 2 * {c * c:,} * {S} = {2 * c * c * S:,} weights per position",
            f"every pair has C = {c} paths: one convolution would do for one path",
        ),
        captions={"conv1": "dense", "conv2": "dense"},
    )


def _unit(grouping: Grouping, channels: int, out: int, kernel: int, size: int) -> tuple[Layer, ...]:
    """Convolution with this grouping, norm, activation."""
    require_few(channels=channels, out=out)
    require_positive(size=size)
    block = BasicBlock(grouping=grouping, kernel=kernel, residual=False)
    grouping.check(channels, out)
    return block.layers(channels, out, 1, (size, size), "relu")


def _inverted(block: InvertedResidual, channels: int, size: int) -> tuple[Layer, ...]:
    """The body of the block at stride 1."""
    require_positive(size=size)
    require_few(channels=channels, hidden=block.hidden_channels(channels))
    block.check(channels, channels)
    (residual,) = block.layers(channels, channels, 1, (size, size), "relu6")
    require(isinstance(residual, Residual), "the block has no shortcut")
    assert isinstance(residual, Residual)
    return residual.body.layers


def _moving(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Without permutations that move nothing, such as those between one partition and many of one channel."""
    return tuple(
        layer for layer in layers if not isinstance(layer, Permutation) or layer.indices != tuple(range(layer.channels))
    )
