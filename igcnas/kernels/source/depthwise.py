"""Depthwise convolution of rows of pixels: forward, gradient of the input, gradient of the weights.

A program owns some channels and walks over tiles of `rows` rows of COLUMNS columns. Columns are counted through all
images of the batch, so that small maps fill a tile. Inside a tile it goes down the rows of what it reads, UNROLL at a
time so that their loads are under way together, and keeps the LIVE rows that they reach in registers: an input value is
loaded and activated K times, not K * K times. Where registers are scarce, vectors over channels are loaded for each
row anew, from the nearest cache. Numbers of rows are vectors, because the interpreter makes integers of a scalar
condition that meets a vector.
"""

import triton
import triton.language as tl

from igcnas.kernels.source.common import (
    add_moments,
    channel_values,
    kernel,
    lazy_gradient,
    lazy_value,
    passed,
    store_moments,
    store_sums,
)


@triton.jit
def put(values, index: tl.constexpr, value):
    """The tuple with one entry replaced."""
    return values[:index] + (value,) + values[index + 1 :]


@triton.jit
def zero_rows(NUMBER: tl.constexpr, COLUMNS: tl.constexpr, CHANNELS: tl.constexpr):
    """NUMBER accumulators."""
    rows = (tl.zeros([COLUMNS, CHANNELS], tl.float32),)
    for _ in tl.static_range(NUMBER - 1):
        rows = rows + (tl.zeros([COLUMNS, CHANNELS], tl.float32),)
    return rows


@triton.jit
def load_taps(filters, channels, inside, K: tl.constexpr):
    """The K * K weights of each channel, as rows."""
    taps = (tl.load(filters + channels * (K * K), mask=inside, other=0.0)[None, :],)
    for tap in tl.static_range(1, K * K):
        taps = taps + (tl.load(filters + channels * (K * K) + tap, mask=inside, other=0.0)[None, :],)
    return taps


@triton.jit
def add_product(sums, entry: tl.constexpr, a, factors, ky: tl.constexpr, kx: tl.constexpr, K: tl.constexpr):
    """sums[entry] += a * factors[ky, kx], where the kernel has such a tap."""
    if ky >= 0 and ky < K and kx >= 0 and kx < K:
        return put(sums, entry, sums[entry] + a * factors[ky * K + kx])
    else:
        return sums


@triton.jit
def add_tap(sums, a, gradient, ky: tl.constexpr, kx: tl.constexpr, K: tl.constexpr):
    """sums[ky, kx] += a * gradient, where the kernel has such a tap."""
    if ky >= 0 and ky < K:
        return put(sums, ky * K + kx, sums[ky * K + kx] + a * gradient)
    else:
        return sums


@kernel
def forward(
    x,
    filters,
    scale,
    shift,
    y,
    partials,
    images,
    height,
    width,
    out_height,
    out_width,
    units,
    rows,
    low,
    high,
    UNIT: tl.constexpr,
    K: tl.constexpr,
    STRIDE: tl.constexpr,
    UNROLL: tl.constexpr,
    COLUMNS: tl.constexpr,
    CHANNELS: tl.constexpr,
    AFFINE: tl.constexpr,
    STATISTICS: tl.constexpr,
):
    """y = depthwise(act(scale * x + shift)); the moments of y as stored. Reads x once, writes y once."""
    PAD: tl.constexpr = K // 2
    LIVE: tl.constexpr = (K + STRIDE - 1) // STRIDE
    total = units * UNIT
    blocks = tl.cdiv(total, CHANNELS)
    part, parts = tl.program_id(0) // blocks, tl.num_programs(0) // blocks
    channels = (tl.program_id(0) % blocks) * CHANNELS + tl.arange(0, CHANNELS)
    real = channels < total
    taps = load_taps(filters, channels, real, K)
    scales = channel_values(scale, channels, real, AFFINE)
    shifts = channel_values(shift, channels, real, AFFINE)
    pivot = tl.zeros([COLUMNS, CHANNELS], tl.float32)
    first = tl.zeros([COLUMNS, CHANNELS], tl.float32)
    second = tl.zeros([COLUMNS, CHANNELS], tl.float32)
    count = tl.zeros([COLUMNS, 1], tl.float32)
    strips = tl.cdiv(out_height, rows)
    tiles = tl.cdiv(images * out_width, COLUMNS) * strips
    tile = part
    while tile < tiles:
        column = (tile // strips) * COLUMNS + tl.arange(0, COLUMNS)
        top = (tile % strips) * rows + tl.zeros([COLUMNS], tl.int32)
        bottom = tl.minimum(top + rows, out_height)
        image, out_x = column // out_width, column % out_width
        columns = column < images * out_width
        accumulators = zero_rows(LIVE, COLUMNS, CHANNELS)
        j = 0
        while j < rows + LIVE - 1:
            for step in tl.static_range(UNROLL):
                for s in tl.static_range(STRIDE):
                    in_y = (top + j + step) * STRIDE - PAD + s
                    for kx in tl.static_range(K):
                        in_x = out_x * STRIDE - PAD + kx
                        here = columns & (in_y >= 0) & (in_y < height) & (in_x >= 0) & (in_x < width)
                        offsets = ((image * height + in_y) * width + in_x)[:, None] * total + channels[None, :]
                        a = lazy_value(x, offsets, here[:, None] & real[None, :], scales, shifts, low, high, AFFINE)
                        for row in tl.static_range(LIVE):
                            accumulators = add_product(accumulators, row, a, taps, s + (LIVE - 1 - row) * STRIDE, kx, K)
                out_y = top + j + step - (LIVE - 1)
                here = columns & (out_y >= top) & (out_y < bottom)
                offsets = ((image * out_height + out_y) * out_width + out_x)[:, None] * total + channels[None, :]
                stored = accumulators[0].to(y.dtype.element_ty)
                tl.store(y + offsets, stored, mask=here[:, None] & real[None, :])
                if STATISTICS:
                    pivot, count, first, second = add_moments(
                        stored.to(tl.float32), here[:, None], pivot, count, first, second
                    )
                accumulators = accumulators[1:] + zero_rows(1, COLUMNS, CHANNELS)
            j += UNROLL
        tile += parts
    if STATISTICS:
        store_moments(partials, part, channels, real, total, pivot, count, first, second)


@kernel
def input_grad(
    g,
    y,
    A,
    B,
    C,
    filters,
    x,
    scale,
    shift,
    centre,
    out,
    partials,
    images,
    height,
    width,
    out_height,
    out_width,
    units,
    rows,
    low,
    high,
    UNIT: tl.constexpr,
    K: tl.constexpr,
    STRIDE: tl.constexpr,
    UNROLL: tl.constexpr,
    COLUMNS: tl.constexpr,
    CHANNELS: tl.constexpr,
    LAZY: tl.constexpr,
    DERIVATIVE: tl.constexpr,
    AFFINE: tl.constexpr,
    CENTRED: tl.constexpr,
):
    """The gradient of the activated input; with DERIVATIVE that before the activation, and the sums of it.

    Reads g (and y), with DERIVATIVE x; writes out. Rows and columns of out are taken by squares of STRIDE * STRIDE, of
    which each entry meets other weights.
    """
    PAD: tl.constexpr = K // 2
    LOWEST: tl.constexpr = -(PAD // STRIDE)
    HIGHEST: tl.constexpr = (STRIDE - 1 + PAD) // STRIDE
    LIVE: tl.constexpr = HIGHEST - LOWEST + 1
    SQUARE: tl.constexpr = STRIDE * STRIDE
    total = units * UNIT
    blocks = tl.cdiv(total, CHANNELS)
    part, parts = tl.program_id(0) // blocks, tl.num_programs(0) // blocks
    channels = (tl.program_id(0) % blocks) * CHANNELS + tl.arange(0, CHANNELS)
    real = channels < total
    taps = load_taps(filters, channels, real, K)
    As, Bs = channel_values(A, channels, real, LAZY), channel_values(B, channels, real, LAZY)
    Cs = channel_values(C, channels, real, LAZY)
    first = tl.zeros([COLUMNS, CHANNELS], tl.float32)
    second = tl.zeros([COLUMNS, CHANNELS], tl.float32)
    strips = tl.cdiv(out_height, rows)
    tiles = tl.cdiv(images * out_width, COLUMNS) * strips
    tile = part
    while tile < tiles:
        column = (tile // strips) * COLUMNS + tl.arange(0, COLUMNS)
        top = (tile % strips) * rows + tl.zeros([COLUMNS], tl.int32)
        bottom = tl.minimum(top + rows, out_height)
        image, square_x = column // out_width, column % out_width
        columns = column < images * out_width
        accumulators = zero_rows(LIVE * SQUARE, COLUMNS, CHANNELS)
        j = 0
        while j < rows + LIVE - 1:
            for step in tl.static_range(UNROLL):
                g_y = top + LOWEST + j + step
                for f in tl.static_range(LOWEST, HIGHEST + 1):
                    g_x = square_x + f
                    here = columns & (g_y >= 0) & (g_y < out_height) & (g_x >= 0) & (g_x < out_width)
                    offsets = ((image * out_height + g_y) * out_width + g_x)[:, None] * total + channels[None, :]
                    if STRIDE > 1:
                        As, Bs = channel_values(A, channels, real, LAZY), channel_values(B, channels, real, LAZY)
                        Cs = channel_values(C, channels, real, LAZY)
                    d = lazy_gradient(g, y, offsets, here[:, None] & real[None, :], As, Bs, Cs, LAZY)
                    for entry in tl.static_range(LIVE * SQUARE):
                        accumulators = add_product(
                            accumulators,
                            entry,
                            d,
                            taps,
                            (entry % SQUARE) // STRIDE + PAD - STRIDE * (HIGHEST - entry // SQUARE),
                            entry % STRIDE + PAD - STRIDE * f,
                            K,
                        )
                for entry in tl.static_range(SQUARE):
                    # The first rows of a square meet fewer rows of g than its last: they are whole before.
                    square_y = top + j + step - (LIVE - 1) + HIGHEST - (entry // STRIDE + PAD) // STRIDE
                    in_y = square_y * STRIDE + entry // STRIDE
                    in_x = square_x * STRIDE + entry % STRIDE
                    here = columns & (square_y >= top) & (square_y < bottom) & (in_y < height) & (in_x < width)
                    inside = here[:, None] & real[None, :]
                    offsets = ((image * height + in_y) * width + in_x)[:, None] * total + channels[None, :]
                    value = accumulators[(HIGHEST - (entry // STRIDE + PAD) // STRIDE) * SQUARE + entry]
                    if DERIVATIVE:
                        raw = tl.load(x + offsets, mask=inside, other=0.0).to(tl.float32)
                        v = raw
                        if AFFINE:
                            v = raw * channel_values(scale, channels, real, True)
                            v += channel_values(shift, channels, real, True)
                        stored = tl.where(inside, passed(value, v, low, high), 0.0).to(out.dtype.element_ty)
                        first += stored.to(tl.float32)
                        second += stored.to(tl.float32) * (raw - channel_values(centre, channels, real, CENTRED))
                    else:
                        stored = value.to(out.dtype.element_ty)
                    tl.store(out + offsets, stored, mask=inside)
                accumulators = accumulators[SQUARE:] + zero_rows(SQUARE, COLUMNS, CHANNELS)
            j += UNROLL
        tile += parts
    if DERIVATIVE:
        store_sums(partials, part, channels, real, total, first, second)


@kernel
def weight_grad(
    x,
    scale,
    shift,
    g,
    y,
    A,
    B,
    C,
    partials,
    images,
    height,
    width,
    out_height,
    out_width,
    units,
    rows,
    low,
    high,
    UNIT: tl.constexpr,
    K: tl.constexpr,
    STRIDE: tl.constexpr,
    UNROLL: tl.constexpr,
    COLUMNS: tl.constexpr,
    CHANNELS: tl.constexpr,
    LAZY: tl.constexpr,
    AFFINE: tl.constexpr,
):
    """Each program's part of the gradient of the weights, (C, K * K). Reads x and g (and y) once."""
    PAD: tl.constexpr = K // 2
    LIVE: tl.constexpr = (K + STRIDE - 1) // STRIDE
    total = units * UNIT
    blocks = tl.cdiv(total, CHANNELS)
    part, parts = tl.program_id(0) // blocks, tl.num_programs(0) // blocks
    channels = (tl.program_id(0) % blocks) * CHANNELS + tl.arange(0, CHANNELS)
    real = channels < total
    scales = channel_values(scale, channels, real, AFFINE)
    shifts = channel_values(shift, channels, real, AFFINE)
    accumulators = zero_rows(K * K, COLUMNS, CHANNELS)
    strips = tl.cdiv(out_height, rows)
    tiles = tl.cdiv(images * out_width, COLUMNS) * strips
    tile = part
    while tile < tiles:
        column = (tile // strips) * COLUMNS + tl.arange(0, COLUMNS)
        top = (tile % strips) * rows + tl.zeros([COLUMNS], tl.int32)
        bottom = tl.minimum(top + rows, out_height)
        image, out_x = column // out_width, column % out_width
        columns = column < images * out_width
        gradients = zero_rows(LIVE - 1, COLUMNS, CHANNELS)
        j = 0
        while j < rows + LIVE - 1:
            for step in tl.static_range(UNROLL):
                out_y = top + j + step
                here = columns & (out_y < bottom)
                offsets = ((image * out_height + out_y) * out_width + out_x)[:, None] * total + channels[None, :]
                As, Bs = channel_values(A, channels, real, LAZY), channel_values(B, channels, real, LAZY)
                Cs = channel_values(C, channels, real, LAZY)
                d = lazy_gradient(g, y, offsets, here[:, None] & real[None, :], As, Bs, Cs, LAZY)
                gradients = gradients + (d,)
                for s in tl.static_range(STRIDE):
                    in_y = out_y * STRIDE - PAD + s
                    for kx in tl.static_range(K):
                        in_x = out_x * STRIDE - PAD + kx
                        here = columns & (in_y >= 0) & (in_y < height) & (in_x >= 0) & (in_x < width)
                        offsets = ((image * height + in_y) * width + in_x)[:, None] * total + channels[None, :]
                        a = lazy_value(x, offsets, here[:, None] & real[None, :], scales, shifts, low, high, AFFINE)
                        for row in tl.static_range(LIVE):
                            accumulators = add_tap(
                                accumulators, a, gradients[row], s + (LIVE - 1 - row) * STRIDE, kx, K
                            )
                gradients = gradients[1:]
            j += UNROLL
        tile += parts
    base = partials + (part * total + channels) * (K * K)
    for tap in tl.static_range(K * K):
        tl.store(base + tap, tl.sum(accumulators[tap], axis=0), mask=real)
