"""Batch normalisation of rows of channels: moments, their merging, the affine with activation and sum, and backward."""

import triton
import triton.language as tl

from igcnas.kernels.source.common import add_moments, channel_values, clamped, kernel, passed, store_moments, store_sums


@triton.jit
def place(rows, units, UNIT: tl.constexpr, ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    """What an element-wise program works on: offsets, which of them exist, its channels, which of them exist."""
    total = units * UNIT
    blocks = tl.cdiv(total, CHANNELS)
    row = (tl.program_id(0) // blocks) * ROWS + tl.arange(0, ROWS)
    channels = (tl.program_id(0) % blocks) * CHANNELS + tl.arange(0, CHANNELS)
    real = channels < total
    return row[:, None] * total + channels[None, :], (row < rows)[:, None] & real[None, :], channels, real


@triton.jit
def affine(x, offsets, inside, scale, shift, channels, real, AFFINE: tl.constexpr):
    """scale * x + shift."""
    v = tl.load(x + offsets, mask=inside, other=0.0).to(tl.float32)
    if AFFINE:
        v = v * channel_values(scale, channels, real, True) + channel_values(shift, channels, real, True)
    return v


@kernel
def statistics(x, partials, rows, units, UNIT: tl.constexpr, ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    """The moments of x. Reads x once."""
    total = units * UNIT
    blocks = tl.cdiv(total, CHANNELS)
    part, parts = tl.program_id(0) // blocks, tl.num_programs(0) // blocks
    channels = (tl.program_id(0) % blocks) * CHANNELS + tl.arange(0, CHANNELS)
    real = channels < total
    pivot = tl.zeros([ROWS, CHANNELS], tl.float32)
    first = tl.zeros([ROWS, CHANNELS], tl.float32)
    second = tl.zeros([ROWS, CHANNELS], tl.float32)
    count = tl.zeros([ROWS, 1], tl.float32)
    start = part * ROWS
    while start < rows:
        row = start + tl.arange(0, ROWS)
        here = (row < rows)[:, None]
        value = tl.load(x + row[:, None] * total + channels[None, :], mask=here & real[None, :], other=0.0)
        pivot, count, first, second = add_moments(value.to(tl.float32), here, pivot, count, first, second)
        start += parts * ROWS
    store_moments(partials, part, channels, real, total, pivot, count, first, second)


@kernel
def finish(
    partials,
    gain,
    bias,
    mean,
    inverse,
    scale,
    shift,
    running_mean,
    running_variance,
    parts,
    channels_total,
    epsilon,
    momentum,
    WEIGHTED: tl.constexpr,
    RUNNING: tl.constexpr,
    PARTS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """Merge the programs' moments and write all that follows from them. Reads 3 numbers a program and channel."""
    channels = tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS)
    real = channels < channels_total
    pivot = tl.load(partials + channels_total + channels, mask=real, other=0.0)[None, :]
    number = tl.zeros([PARTS, CHANNELS], tl.float32)
    first = tl.zeros([PARTS, CHANNELS], tl.float32)
    second = tl.zeros([PARTS, CHANNELS], tl.float32)
    start = 0
    while start < parts:
        part = start + tl.arange(0, PARTS)
        inside = (part < parts)[:, None] & real[None, :]
        base = partials + part[:, None] * (3 * channels_total) + channels[None, :]
        count = tl.load(base, mask=inside, other=0.0)
        away = tl.load(base + channels_total, mask=inside, other=0.0) - pivot
        number += count
        first += count * away
        second += tl.load(base + 2 * channels_total, mask=inside, other=0.0) + count * away * away
        start += PARTS
    n = tl.maximum(tl.sum(number, axis=0), 1.0)
    away = tl.sum(first, axis=0) / n
    squares = tl.maximum(tl.sum(second, axis=0) - n * away * away, 0.0)
    centre = tl.load(partials + channels_total + channels, mask=real, other=0.0) + away
    variance = squares / n
    inverses = 1.0 / tl.sqrt_rn(variance + epsilon)
    scales = inverses
    shifts = -centre * inverses
    if WEIGHTED:
        scales = tl.load(gain + channels, mask=real, other=0.0) * inverses
        shifts = tl.load(bias + channels, mask=real, other=0.0) - centre * scales
    tl.store(mean + channels, centre, mask=real)
    tl.store(inverse + channels, inverses, mask=real)
    tl.store(scale + channels, scales, mask=real)
    tl.store(shift + channels, shifts, mask=real)
    if RUNNING:
        old = tl.load(running_mean + channels, mask=real, other=0.0)
        tl.store(running_mean + channels, (1.0 - momentum) * old + momentum * centre, mask=real)
        old = tl.load(running_variance + channels, mask=real, other=0.0)
        unbiased = squares / tl.maximum(n - 1.0, 1.0)
        tl.store(running_variance + channels, (1.0 - momentum) * old + momentum * unbiased, mask=real)


@kernel
def apply(
    x,
    scale,
    shift,
    residual,
    residual_scale,
    residual_shift,
    out,
    rows,
    units,
    low,
    high,
    residual_low,
    residual_high,
    UNIT: tl.constexpr,
    ROWS: tl.constexpr,
    CHANNELS: tl.constexpr,
    AFFINE: tl.constexpr,
    ADDED: tl.constexpr,
    RESIDUAL_AFFINE: tl.constexpr,
):
    """out = act(affine(x)) + r, or act(affine(x) + r) where ADDED is "before". Reads x (and r), writes out."""
    offsets, inside, channels, real = place(rows, units, UNIT, ROWS, CHANNELS)
    v = affine(x, offsets, inside, scale, shift, channels, real, AFFINE)
    if ADDED == "none":
        v = clamped(v, low, high)
    else:
        r = affine(residual, offsets, inside, residual_scale, residual_shift, channels, real, RESIDUAL_AFFINE)
        r = clamped(r, residual_low, residual_high)
        if ADDED == "before":
            v = clamped(v + r, low, high)
        else:
            v = clamped(v, low, high) + r
    tl.store(out + offsets, v.to(out.dtype.element_ty), mask=inside)


@kernel
def backward_reduce(
    gradient,
    x,
    scale,
    shift,
    residual,
    residual_scale,
    residual_shift,
    centre,
    out,
    partials,
    rows,
    units,
    low,
    high,
    residual_low,
    residual_high,
    UNIT: tl.constexpr,
    ROWS: tl.constexpr,
    CHANNELS: tl.constexpr,
    AFFINE: tl.constexpr,
    BEFORE: tl.constexpr,
    RESIDUAL_AFFINE: tl.constexpr,
    CENTRED: tl.constexpr,
    STORE: tl.constexpr,
):
    """g' = gradient * act', and the sums of g' and of g' * (x - centre). Reads both (and r), writes g' if asked."""
    total = units * UNIT
    blocks = tl.cdiv(total, CHANNELS)
    part, parts = tl.program_id(0) // blocks, tl.num_programs(0) // blocks
    channels = (tl.program_id(0) % blocks) * CHANNELS + tl.arange(0, CHANNELS)
    real = channels < total
    scales = channel_values(scale, channels, real, AFFINE)
    shifts = channel_values(shift, channels, real, AFFINE)
    centres = channel_values(centre, channels, real, CENTRED)
    first = tl.zeros([ROWS, CHANNELS], tl.float32)
    second = tl.zeros([ROWS, CHANNELS], tl.float32)
    start = part * ROWS
    while start < rows:
        row = start + tl.arange(0, ROWS)
        inside = (row < rows)[:, None] & real[None, :]
        offsets = row[:, None] * total + channels[None, :]
        raw = tl.load(x + offsets, mask=inside, other=0.0).to(tl.float32)
        v = raw
        if AFFINE:
            v = raw * scales + shifts
        if BEFORE:
            r = affine(residual, offsets, inside, residual_scale, residual_shift, channels, real, RESIDUAL_AFFINE)
            v += clamped(r, residual_low, residual_high)
        g = tl.load(gradient + offsets, mask=inside, other=0.0).to(tl.float32)
        g = passed(g, v, low, high)
        if STORE:
            stored = g.to(out.dtype.element_ty)
            tl.store(out + offsets, stored, mask=inside)
            g = stored.to(tl.float32)
        first += g
        second += tl.where(inside, g * (raw - centres), 0.0)
        start += parts * ROWS
    store_sums(partials, part, channels, real, total, first, second)


@kernel
def coefficients(
    partials,
    gain,
    mean,
    inverse,
    centre,
    A,
    B,
    C,
    weight_gradient,
    bias_gradient,
    parts,
    channels_total,
    count,
    WEIGHTED: tl.constexpr,
    CENTRED: tl.constexpr,
    PARTS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """Add up the programs' sums; from them A, B, C and the gradients of weight and bias."""
    channels = tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS)
    real = channels < channels_total
    first = tl.zeros([PARTS, CHANNELS], tl.float32)
    second = tl.zeros([PARTS, CHANNELS], tl.float32)
    start = 0
    while start < parts:
        part = start + tl.arange(0, PARTS)
        inside = (part < parts)[:, None] & real[None, :]
        base = partials + part[:, None] * (2 * channels_total) + channels[None, :]
        first += tl.load(base, mask=inside, other=0.0)
        second += tl.load(base + channels_total, mask=inside, other=0.0)
        start += PARTS
    means = tl.load(mean + channels, mask=real, other=0.0)
    inverses = tl.load(inverse + channels, mask=real, other=0.0)
    away = means
    if CENTRED:
        away = means - tl.load(centre + channels, mask=real, other=0.0)
    sums = tl.sum(first, axis=0)
    products = (tl.sum(second, axis=0) - away * sums) * inverses
    a = inverses
    if WEIGHTED:
        a = tl.load(gain + channels, mask=real, other=0.0) * inverses
    b = -a * inverses * products / count
    tl.store(A + channels, a, mask=real)
    tl.store(B + channels, b, mask=real)
    tl.store(C + channels, -a * sums / count - b * means, mask=real)
    if WEIGHTED:
        tl.store(weight_gradient + channels, products, mask=real)
        tl.store(bias_gradient + channels, sums, mask=real)


@kernel
def backward_apply(
    gradient,
    x,
    A,
    B,
    C,
    scale,
    shift,
    residual,
    residual_scale,
    residual_shift,
    out,
    rows,
    units,
    low,
    high,
    residual_low,
    residual_high,
    UNIT: tl.constexpr,
    ROWS: tl.constexpr,
    CHANNELS: tl.constexpr,
    AFFINE: tl.constexpr,
    BEFORE: tl.constexpr,
    RESIDUAL_AFFINE: tl.constexpr,
):
    """out = A * g' + B * x + C with g' = gradient * act'. Reads gradient and x (and r), writes out."""
    offsets, inside, channels, real = place(rows, units, UNIT, ROWS, CHANNELS)
    raw = tl.load(x + offsets, mask=inside, other=0.0).to(tl.float32)
    v = raw
    if AFFINE:
        v = raw * channel_values(scale, channels, real, True) + channel_values(shift, channels, real, True)
    if BEFORE:
        r = affine(residual, offsets, inside, residual_scale, residual_shift, channels, real, RESIDUAL_AFFINE)
        v += clamped(r, residual_low, residual_high)
    g = passed(tl.load(gradient + offsets, mask=inside, other=0.0).to(tl.float32), v, low, high)
    d = channel_values(A, channels, real, True) * g + channel_values(B, channels, real, True) * raw
    d += channel_values(C, channels, real, True)
    tl.store(out + offsets, d.to(out.dtype.element_ty), mask=inside)


@kernel
def total(partials, out, parts, size, PARTS: tl.constexpr, COLUMNS: tl.constexpr):
    """Add up the rows of a buffer (parts, size) in a fixed order."""
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    real = column < size
    sums = tl.zeros([PARTS, COLUMNS], tl.float32)
    start = 0
    while start < parts:
        part = start + tl.arange(0, PARTS)
        inside = (part < parts)[:, None] & real[None, :]
        sums += tl.load(partials + part[:, None] * size + column[None, :], mask=inside, other=0.0)
        start += PARTS
    tl.store(out + column, tl.sum(sums, axis=0), mask=real)
