"""Depthwise convolution of rows of pixels: forward, gradient of the input, gradient of the weights.

A program owns some channels and walks over tiles of ROWS rows of COLUMNS columns. Columns are counted through all
images of the batch, so that small maps fill a tile. Inside a tile it goes down the rows of what it reads and keeps the rows
that are under way in registers: an input value is loaded and activated K times, not K * K times. Numbers of rows are
vectors, because the interpreter makes integers of a scalar condition that meets a vector.
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
def load_taps(weight, channels, inside, K: tl.constexpr):
    """The K * K weights of each channel, as rows."""
    taps = (tl.load(weight + channels * (K * K), mask=inside, other=0.0)[None, :],)
    for tap in tl.static_range(1, K * K):
        taps = taps + (tl.load(weight + channels * (K * K) + tap, mask=inside, other=0.0)[None, :],)
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
    weight,
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
    low,
    high,
    UNIT: tl.constexpr,
    K: tl.constexpr,
    STRIDE: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    CHANNELS: tl.constexpr,
    AFFINE: tl.constexpr,
    STATISTICS: tl.constexpr,
):
    """y = depthwise(act(scale * x + shift)); the moments of y as stored. Reads x once, writes y once."""
    PAD: tl.constexpr = K // 2
    total = units * UNIT
    blocks = tl.cdiv(total, CHANNELS)
    part, parts = tl.program_id(0) // blocks, tl.num_programs(0) // blocks
    channels = (tl.program_id(0) % blocks) * CHANNELS + tl.arange(0, CHANNELS)
    real = channels < total
    taps = load_taps(weight, channels, real, K)
    scales = channel_values(scale, channels, real, AFFINE)
    shifts = channel_values(shift, channels, real, AFFINE)
    pivot = tl.zeros([COLUMNS, CHANNELS], tl.float32)
    first = tl.zeros([COLUMNS, CHANNELS], tl.float32)
    second = tl.zeros([COLUMNS, CHANNELS], tl.float32)
    count = tl.zeros([COLUMNS, 1], tl.float32)
    strips = tl.cdiv(out_height, ROWS)
    tiles = tl.cdiv(images * out_width, COLUMNS) * strips
    tile = part
    while tile < tiles:
        column = (tile // strips) * COLUMNS + tl.arange(0, COLUMNS)
        top = (tile % strips) * ROWS + tl.zeros([COLUMNS], tl.int32)
        image, out_x = column // out_width, column % out_width
        columns = column < images * out_width
        accumulators = zero_rows(ROWS, COLUMNS, CHANNELS)
        for i in tl.static_range((ROWS - 1) * STRIDE + K):
            in_y = top * STRIDE - PAD + i
            for kx in tl.static_range(K):
                in_x = out_x * STRIDE - PAD + kx
                here = columns & (in_y >= 0) & (in_y < height) & (in_x >= 0) & (in_x < width)
                offsets = ((image * height + in_y) * width + in_x)[:, None] * total + channels[None, :]
                a = lazy_value(x, offsets, here[:, None] & real[None, :], scales, shifts, low, high, AFFINE)
                for row in tl.static_range(ROWS):
                    accumulators = add_product(accumulators, row, a, taps, i - row * STRIDE, kx, K)
            if i >= K - 1 and (i - K + 1) % STRIDE == 0:
                out_y = top + (i - K + 1) // STRIDE
                here = columns & (out_y < out_height)
                inside = here[:, None] & real[None, :]
                offsets = ((image * out_height + out_y) * out_width + out_x)[:, None] * total + channels[None, :]
                stored = accumulators[(i - K + 1) // STRIDE].to(y.dtype.element_ty)
                tl.store(y + offsets, stored, mask=inside)
                if STATISTICS:
                    pivot, count, first, second = add_moments(
                        stored.to(tl.float32), here[:, None], pivot, count, first, second
                    )
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
    weight,
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
    low,
    high,
    UNIT: tl.constexpr,
    K: tl.constexpr,
    STRIDE: tl.constexpr,
    ROWS: tl.constexpr,
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
    SQUARE: tl.constexpr = STRIDE * STRIDE
    total = units * UNIT
    blocks = tl.cdiv(total, CHANNELS)
    part, parts = tl.program_id(0) // blocks, tl.num_programs(0) // blocks
    channels = (tl.program_id(0) % blocks) * CHANNELS + tl.arange(0, CHANNELS)
    real = channels < total
    taps = load_taps(weight, channels, real, K)
    As, Bs = channel_values(A, channels, real, LAZY), channel_values(B, channels, real, LAZY)
    Cs = channel_values(C, channels, real, LAZY)
    first = tl.zeros([COLUMNS, CHANNELS], tl.float32)
    second = tl.zeros([COLUMNS, CHANNELS], tl.float32)
    strips = tl.cdiv(out_height, ROWS)
    tiles = tl.cdiv(images * out_width, COLUMNS) * strips
    tile = part
    while tile < tiles:
        column = (tile // strips) * COLUMNS + tl.arange(0, COLUMNS)
        top = (tile % strips) * ROWS + tl.zeros([COLUMNS], tl.int32)
        image, square_x = column // out_width, column % out_width
        columns = column < images * out_width
        accumulators = zero_rows(ROWS * SQUARE, COLUMNS, CHANNELS)
        for i in tl.static_range(ROWS + HIGHEST - LOWEST):
            g_y = top + LOWEST + i
            for f in tl.static_range(LOWEST, HIGHEST + 1):
                g_x = square_x + f
                here = columns & (g_y >= 0) & (g_y < out_height) & (g_x >= 0) & (g_x < out_width)
                offsets = ((image * out_height + g_y) * out_width + g_x)[:, None] * total + channels[None, :]
                d = lazy_gradient(g, y, offsets, here[:, None] & real[None, :], As, Bs, Cs, LAZY)
                for entry in tl.static_range(ROWS * SQUARE):
                    accumulators = add_product(
                        accumulators,
                        entry,
                        d,
                        taps,
                        (entry % SQUARE) // STRIDE + PAD - STRIDE * (i + LOWEST - entry // SQUARE),
                        entry % STRIDE + PAD - STRIDE * f,
                        K,
                    )
            if i >= HIGHEST - LOWEST:
                for entry in tl.static_range(SQUARE):
                    in_y = (top + i - HIGHEST + LOWEST) * STRIDE + entry // STRIDE
                    in_x = square_x * STRIDE + entry % STRIDE
                    inside = (columns & (in_y < height) & (in_x < width))[:, None] & real[None, :]
                    offsets = ((image * height + in_y) * width + in_x)[:, None] * total + channels[None, :]
                    value = accumulators[(i - HIGHEST + LOWEST) * SQUARE + entry]
                    if DERIVATIVE:
                        # The vectors are loaded anew for each row, from the nearest cache: registers are scarcer.
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
    low,
    high,
    UNIT: tl.constexpr,
    K: tl.constexpr,
    STRIDE: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    CHANNELS: tl.constexpr,
    LAZY: tl.constexpr,
    AFFINE: tl.constexpr,
):
    """Each program's part of the gradient of the weights, (C, K * K). Reads x and g (and y) once."""
    PAD: tl.constexpr = K // 2
    total = units * UNIT
    blocks = tl.cdiv(total, CHANNELS)
    part, parts = tl.program_id(0) // blocks, tl.num_programs(0) // blocks
    channels = (tl.program_id(0) % blocks) * CHANNELS + tl.arange(0, CHANNELS)
    real = channels < total
    scales = channel_values(scale, channels, real, AFFINE)
    shifts = channel_values(shift, channels, real, AFFINE)
    As, Bs = channel_values(A, channels, real, LAZY), channel_values(B, channels, real, LAZY)
    Cs = channel_values(C, channels, real, LAZY)
    accumulators = zero_rows(K * K, COLUMNS, CHANNELS)
    strips = tl.cdiv(out_height, ROWS)
    tiles = tl.cdiv(images * out_width, COLUMNS) * strips
    tile = part
    while tile < tiles:
        column = (tile // strips) * COLUMNS + tl.arange(0, COLUMNS)
        top = (tile % strips) * ROWS + tl.zeros([COLUMNS], tl.int32)
        image, out_x = column // out_width, column % out_width
        columns = column < images * out_width
        gradients = zero_rows(ROWS, COLUMNS, CHANNELS)
        for i in tl.static_range((ROWS - 1) * STRIDE + K):
            if i % STRIDE == 0 and i // STRIDE < ROWS:
                out_y = top + i // STRIDE
                here = columns & (out_y < out_height)
                offsets = ((image * out_height + out_y) * out_width + out_x)[:, None] * total + channels[None, :]
                d = lazy_gradient(g, y, offsets, here[:, None] & real[None, :], As, Bs, Cs, LAZY)
                gradients = put(gradients, i // STRIDE, d)
            in_y = top * STRIDE - PAD + i
            for kx in tl.static_range(K):
                in_x = out_x * STRIDE - PAD + kx
                here = columns & (in_y >= 0) & (in_y < height) & (in_x >= 0) & (in_x < width)
                offsets = ((image * height + in_y) * width + in_x)[:, None] * total + channels[None, :]
                a = lazy_value(x, offsets, here[:, None] & real[None, :], scales, shifts, low, high, AFFINE)
                for row in tl.static_range(ROWS):
                    accumulators = add_tap(accumulators, a, gradients[row], i - row * STRIDE, kx, K)
        tile += parts
    base = partials + (part * total + channels) * (K * K)
    for tap in tl.static_range(K * K):
        tl.store(base + tap, tl.sum(accumulators[tap], axis=0), mask=real)
