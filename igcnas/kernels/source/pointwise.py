"""Grouped 1x1 convolution of rows of channels: forward and gradient of the input in one program, gradient of weights.

A tile of output channels needs the input channels of the groups that it touches: one range. The program walks over the
range, and a weight that joins two different groups is zero. So groups of any size fill the tiles of tl.dot, which wants
at least 16 channels on CUDA, and one group is the usual matrix product.
"""

import triton
import triton.language as tl

from igcnas.kernels.source.common import channel_values, clamped, kernel, passed


@triton.jit
def columns_of(channels, inside, index, INDEXED: tl.constexpr):
    """Where in memory these channels are."""
    if INDEXED:
        return tl.load(index + channels, mask=inside, other=0).to(tl.int32)
    else:
        return channels


@triton.jit
def operand(source, extra, row, here, columns, real, total, first, second, third, low, high, KIND: tl.constexpr):
    """A tile: "raw", "plain" (act(x)), "affine" (act(first * x + second)), "lazy" (first * g + second * y + third)."""
    offsets = row[:, None] * total + columns[None, :]
    inside = here[:, None] & real[None, :]
    v = tl.load(source + offsets, mask=inside, other=0.0).to(tl.float32)
    if KIND == "lazy":
        v = v * channel_values(first, columns, real, True)
        y = tl.load(extra + offsets, mask=inside, other=0.0).to(tl.float32)
        v += channel_values(second, columns, real, True) * y
        v += channel_values(third, columns, real, True)
    if KIND == "affine":
        v = v * channel_values(first, columns, real, True) + channel_values(second, columns, real, True)
    if KIND == "plain" or KIND == "affine":
        v = clamped(v, low, high)
    return tl.where(inside, v, 0.0)


@kernel
def product(
    source,
    extra,
    first,
    second,
    third,
    source_index,
    weight,
    out,
    out_index,
    x,
    scale,
    shift,
    centre,
    partials,
    rows,
    in_units,
    out_units,
    in_group_units,
    out_group_units,
    low,
    high,
    UNIT: tl.constexpr,
    GROUP_UNIT: tl.constexpr,
    TRANSPOSED: tl.constexpr,
    ROWS: tl.constexpr,
    IN: tl.constexpr,
    OUT: tl.constexpr,
    KIND: tl.constexpr,
    SOURCE_INDEXED: tl.constexpr,
    OUT_INDEXED: tl.constexpr,
    EPILOGUE: tl.constexpr,
    AFFINE: tl.constexpr,
    CENTRED: tl.constexpr,
    OPERAND: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """out = operand times weights. Reads the operand once for each OUT output channels, writes out once.

    EPILOGUE "moments": those of out as stored. "derivative": out times the derivative of the activation of x, and the
    sums of it and of it times (x - centre). The weights are (output channels, input channels of a group); TRANSPOSED
    they are those of the convolution whose input gradient this is, (input channels, output channels of a group).
    """
    in_total, out_total = in_units * UNIT, out_units * UNIT
    in_group, out_group = in_group_units * GROUP_UNIT, out_group_units * GROUP_UNIT
    blocks = tl.cdiv(out_total, OUT)
    part, parts = tl.program_id(0) // blocks, tl.num_programs(0) // blocks
    o = (tl.program_id(0) % blocks) * OUT
    out_channels = o + tl.arange(0, OUT)
    out_real = out_channels < out_total
    out_columns = columns_of(out_channels, out_real, out_index, OUT_INDEXED)
    low_in = (o // out_group) * in_group // UNIT * UNIT
    high_in = tl.minimum((tl.minimum(o + OUT, out_total) - 1) // out_group + 1, in_total // in_group) * in_group
    number = 0.0
    mean = tl.zeros([OUT], tl.float32)
    squares = tl.zeros([OUT], tl.float32)
    start = part * ROWS
    while start < rows:
        row = start + tl.arange(0, ROWS)
        here = row < rows
        sums = tl.zeros([ROWS, OUT], tl.float32)
        i = low_in
        while i < high_in:
            channels = i + tl.arange(0, IN)
            real = channels < in_total
            columns = columns_of(channels, real, source_index, SOURCE_INDEXED)
            a = operand(source, extra, row, here, columns, real, in_total, first, second, third, low, high, KIND)
            same = (channels // in_group)[:, None] == (out_channels // out_group)[None, :]
            if TRANSPOSED:
                at = channels[:, None] * out_group + (out_channels % out_group)[None, :]
            else:
                at = out_channels[None, :] * in_group + (channels % in_group)[:, None]
            w = tl.load(weight + at, mask=same & real[:, None] & out_real[None, :], other=0.0)
            sums = tl.dot(a.to(OPERAND), w.to(OPERAND), sums, input_precision=PRECISION)
            i += IN
        inside = here[:, None] & out_real[None, :]
        offsets = row[:, None] * out_total + out_columns[None, :]
        if EPILOGUE == "derivative":
            raw = tl.load(x + offsets, mask=inside, other=0.0).to(tl.float32)
            v = raw
            if AFFINE:
                v = raw * channel_values(scale, out_columns, out_real, True)
                v += channel_values(shift, out_columns, out_real, True)
            stored = tl.where(inside, passed(sums, v, low, high), 0.0).to(out.dtype.element_ty)
            g = stored.to(tl.float32)
            mean += tl.sum(g, axis=0)
            squares += tl.sum(g * (raw - channel_values(centre, out_columns, out_real, CENTRED)), axis=0)
        else:
            stored = sums.to(out.dtype.element_ty)
        tl.store(out + offsets, stored, mask=inside)
        if EPILOGUE == "moments":
            y = stored.to(tl.float32)
            fresh = tl.minimum(rows - start, ROWS).to(tl.float32)
            tile_mean = tl.sum(tl.where(inside, y, 0.0), axis=0) / fresh
            d = tl.where(inside, y - tile_mean[None, :], 0.0)
            away = tile_mean - mean
            share = fresh / (number + fresh)
            squares += tl.sum(d * d, axis=0) + away * away * number * share
            mean += away * share
            number += fresh
        start += parts * ROWS
    if EPILOGUE == "moments":
        base = partials + part * 3 * out_total + out_channels
        tl.store(base, number + tl.zeros_like(mean), mask=out_real)
        tl.store(base + out_total, mean, mask=out_real)
        tl.store(base + 2 * out_total, squares, mask=out_real)
    if EPILOGUE == "derivative":
        base = partials + part * 2 * out_total + out_columns
        tl.store(base, mean, mask=out_real)
        tl.store(base + out_total, squares, mask=out_real)


@kernel
def weight_grad(
    x,
    scale,
    shift,
    index,
    gradient,
    y,
    A,
    B,
    C,
    partials,
    rows,
    in_units,
    out_units,
    in_group_units,
    out_group_units,
    in_blocks,
    low,
    high,
    UNIT: tl.constexpr,
    GROUP_UNIT: tl.constexpr,
    ROWS: tl.constexpr,
    IN: tl.constexpr,
    OUT: tl.constexpr,
    INDEXED: tl.constexpr,
    KIND: tl.constexpr,
    GRADIENT: tl.constexpr,
    OPERAND: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Each program's part of the gradient of the weights, (output channels, input channels of a group).

    Reads x once for each OUT output channels and the gradient (and y) once for each IN input channels of its groups.
    `in_blocks` is the number of blocks of IN channels that the widest range takes.
    """
    in_total, out_total = in_units * UNIT, out_units * UNIT
    in_group, out_group = in_group_units * GROUP_UNIT, out_group_units * GROUP_UNIT
    blocks = tl.cdiv(out_total, OUT) * in_blocks
    part, parts = tl.program_id(0) // blocks, tl.num_programs(0) // blocks
    block = tl.program_id(0) % blocks
    o = (block // in_blocks) * OUT
    out_channels = o + tl.arange(0, OUT)
    out_real = out_channels < out_total
    first_channel = (o // out_group) * in_group // UNIT * UNIT + (block % in_blocks) * IN
    channels = first_channel + tl.arange(0, IN)
    real = channels < in_total
    columns = columns_of(channels, real, index, INDEXED)
    sums = tl.zeros([OUT, IN], tl.float32)
    start = part * ROWS
    while start < rows:
        row = start + tl.arange(0, ROWS)
        here = row < rows
        a = operand(x, x, row, here, columns, real, in_total, scale, shift, shift, low, high, KIND)
        d = operand(gradient, y, row, here, out_channels, out_real, out_total, A, B, C, low, high, GRADIENT)
        sums = tl.dot(tl.trans(d.to(OPERAND)), a.to(OPERAND), sums, input_precision=PRECISION)
        start += parts * ROWS
    same = (out_channels // out_group)[:, None] == (channels // in_group)[None, :]
    at = out_channels[:, None] * in_group + (channels % in_group)[None, :]
    place = partials + part * out_total * in_group + at
    tl.store(place, sums, mask=same & out_real[:, None] & real[None, :])
