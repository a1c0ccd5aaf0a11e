"""Convolutions with any kernel, stride and grouping on arrays (channels, height, width, batch), one pass each.

The batch is innermost, so that rows of pixels are contiguous for every tap and no border needs a mask. The input's
affine map and activation are applied on load, a permutation of the channels is an index, the statistics for a following
norm are taken in the epilogue. Group by group: the rows of one group stay in a ring buffer of `kernel` rows.

Arguments. x (stored channels, H, W, B) with rows[i] the stored channel of input channel i; scale, shift of stored
channels, code as in lazy.py. weight (out, in / groups, k, k). y (out, Ho, Wo, B). sums (out, 3): sum and sum of squares
of y - y0, and y0, an output of that channel, so that a large mean does not drown the variance. A gradient is (g, y, a,
b, c, lazy). ring, acc: scratch.
"""

from __future__ import annotations

import numpy as np

from igcnas.execution.cpu.compiled import kernel
from igcnas.execution.cpu.lazy import COPY, activate, combine, deposit
from igcnas.execution.cpu.tiles import PIECE, correlate, multiply


@kernel
def _store(y, sums, o, acc, start, m, taken):
    """Write one row piece of an output channel; where wanted, add to its statistics."""
    if taken:
        if start == 0:
            sums[o, 0] = 0.0
            sums[o, 1] = 0.0
            sums[o, 2] = acc[0]
        centre = np.float32(sums[o, 2])
        total = np.float32(0.0)
        squares = np.float32(0.0)
        for j in range(m):
            v = acc[j]
            y[j] = v
            d = v - centre
            total += d
            squares += d * d
        sums[o, 0] += total
        sums[o, 1] += squares
    else:
        for j in range(m):
            y[j] = acc[j]


@kernel
def _rows_at_once(left):
    return 4 if left >= 4 else (2 if left >= 2 else 1)


@kernel
def pointwise_forward(x, rows, scale, shift, code, weight, groups, y, sums, taken, ring, acc):
    """1x1, stride 1. x (stored, n), weight (out, in / groups), y (out, n)."""
    n = x.shape[1]
    outs, ins = weight.shape
    outs //= groups
    flat = x.reshape(-1)
    starts = np.empty(ins, np.int64)
    for s in range(0, n, PIECE):
        m = min(PIECE, n - s)
        for g in range(groups):
            for c in range(ins):
                r = rows[g * ins + c]
                if code == COPY:
                    starts[c] = r * n + s
                else:
                    starts[c] = c * PIECE
                    activate(ring[c * PIECE : c * PIECE + m], x[r, s : s + m], scale[r], shift[r], code)
            o, end = g * outs, (g + 1) * outs
            while o < end:
                step = _rows_at_once(end - o)
                multiply(acc, weight, o, step, flat if code == COPY else ring, starts, 0, m)
                for i in range(step):
                    _store(y[o + i, s : s + m], sums, o + i, acc[i], s, m, taken)
                o += step


@kernel
def pointwise_backward(
    x,
    rows,
    scale,
    shift,
    code,
    mean,
    weight,
    groups,
    g,
    y,
    a,
    b,
    c,
    lazy,
    dx,
    first,
    last,
    gsums,
    dw,
    wanted,
    ring,
    acc,
):
    """Both gradients of `pointwise_forward` in one pass over x and g. dx is written or added to, dw (as weight) set.

    gsums (stored, 2), where `last`: sums of dx and of dx * (x - mean) behind the activation. wanted: whether dx is.
    """
    n = x.shape[1]
    total_outs, ins = weight.shape
    outs = total_outs // groups
    turned = np.empty((ins, outs), np.float32)
    xs, gs = np.empty(ins, np.int64), np.empty(outs, np.int64)
    local = np.zeros((outs, ins), np.float32)
    base = ins * PIECE
    for i in range(outs):
        gs[i] = base + i * PIECE
    for group in range(groups):
        for i in range(outs):
            for k in range(ins):
                turned[k, i] = weight[group * outs + i, k]
                local[i, k] = 0.0
        for s in range(0, n, PIECE):
            m = min(PIECE, n - s)
            for i in range(outs):
                o = group * outs + i
                combine(ring[gs[i] : gs[i] + m], g[o, s : s + m], y[o, s : s + m], a[o], b[o], c[o], lazy)
            for k in range(ins):
                r = rows[group * ins + k]
                xs[k] = k * PIECE
                activate(ring[xs[k] : xs[k] + m], x[r, s : s + m], scale[r], shift[r], code)
            correlate(local, 0, outs, ring, gs, 0, ring, xs, 0, m)
            k = 0
            while wanted and k < ins:
                step = _rows_at_once(ins - k)
                multiply(acc, turned, k, step, ring, gs, 0, m)
                for i in range(step):
                    r = rows[group * ins + k + i]
                    t, q = deposit(
                        dx[r, s : s + m], acc[i, :m], x[r, s : s + m], scale[r], shift[r], code, mean[r], first, last
                    )
                    if s == 0:
                        gsums[r, 0] = 0.0
                        gsums[r, 1] = 0.0
                    gsums[r, 0] += t
                    gsums[r, 1] += q
                k += step
        for i in range(outs):
            for k in range(ins):
                dw[group * outs + i, k] = local[i, k]


@kernel
def _load_input(ring, slot, shape, x, h, rows, first, ins, scale, shift, code, pad, stride):
    """Row h of the channels first.. of a group into the ring, padded, its columns split by their remainder."""
    _, height, width, batch = shape
    places = (width + 2 * pad + stride - 1) // stride
    length = stride * places * batch
    for c in range(ins):
        r = rows[first + c]
        base = (slot * ins + c) * length
        if h < 0 or h >= height:
            for j in range(base, base + length):
                ring[j] = 0.0
            continue
        if stride == 1:
            for j in range(base, base + pad * batch):
                ring[j] = 0.0
            inside = base + pad * batch
            end, here = inside + width * batch, (r * height + h) * width * batch
            activate(ring[inside:end], x[here : here + width * batch], scale[r], shift[r], code)
            for j in range(end, base + length):
                ring[j] = 0.0
            continue
        for q in range(stride * places):
            start = base + ((q % stride) * places + q // stride) * batch
            if pad <= q < pad + width:
                here = ((r * height + h) * width + q - pad) * batch
                activate(ring[start : start + batch], x[here : here + batch], scale[r], shift[r], code)
            else:
                for j in range(start, start + batch):
                    ring[j] = 0.0


@kernel
def _input_starts(starts, ho, ins, kernel, stride, places, batch):
    """Where the piece of each (channel, tap) begins for output row ho."""
    length = stride * places * batch
    i = 0
    for c in range(ins):
        for kh in range(kernel):
            slot = (ho * stride + kh) % kernel
            for kw in range(kernel):
                starts[i] = (slot * ins + c) * length + ((kw % stride) * places + kw // stride) * batch
                i += 1


@kernel
def spatial_forward(x, rows, scale, shift, code, weight, stride, groups, y, sums, taken, ring, acc):
    """Any odd kernel and any stride, padded by kernel // 2."""
    _, _, width, batch = x.shape
    total_outs, ins, kernel, _ = weight.shape
    outs = total_outs // groups
    _, height_o, width_o, _ = y.shape
    pad = kernel // 2
    places = (width + 2 * pad + stride - 1) // stride
    flat = weight.reshape(total_outs, ins * kernel * kernel)
    flat_x, flat_y = x.reshape(-1), y.reshape(-1)
    starts = np.empty(ins * kernel * kernel, np.int64)
    span = width_o * batch
    for group in range(groups):
        loaded = -pad - 1
        for ho in range(height_o):
            top = ho * stride - pad
            for h in range(max(loaded + 1, top), top + kernel):
                _load_input(
                    ring,
                    (h + pad) % kernel,
                    x.shape,
                    flat_x,
                    h,
                    rows,
                    group * ins,
                    ins,
                    scale,
                    shift,
                    code,
                    pad,
                    stride,
                )
            loaded = top + kernel - 1
            _input_starts(starts, ho, ins, kernel, stride, places, batch)
            for s in range(0, span, PIECE):
                m = min(PIECE, span - s)
                o, end = group * outs, (group + 1) * outs
                while o < end:
                    step = _rows_at_once(end - o)
                    multiply(acc, flat, o, step, ring, starts, s, m)
                    for i in range(step):
                        here = ((o + i) * height_o + ho) * span + s
                        _store(flat_y[here : here + m], sums, o + i, acc[i], ho * span + s, m, taken)
                    o += step


@kernel
def spatial_weight_grad(x, rows, scale, shift, code, stride, groups, g, y, a, b, c, lazy, dw, ring, line):
    """dw (out, in / groups, k, k) of `spatial_forward`. line: scratch for one row of the gradients of a group."""
    _, _, width, batch = x.shape
    total_outs, ins, kernel, _ = dw.shape
    outs = total_outs // groups
    _, height_o, width_o, _ = g.shape
    pad = kernel // 2
    places = (width + 2 * pad + stride - 1) // stride
    out = dw.reshape(total_outs, ins * kernel * kernel)
    flat_x, flat_g, flat_y = x.reshape(-1), g.reshape(-1), y.reshape(-1)
    starts = np.empty(ins * kernel * kernel, np.int64)
    span = width_o * batch
    lines = np.empty(total_outs, np.int64)
    for o in range(total_outs):
        lines[o] = (o % outs) * span
        for k in range(out.shape[1]):
            out[o, k] = 0.0
    for group in range(groups):
        loaded = -pad - 1
        for ho in range(height_o):
            top = ho * stride - pad
            for h in range(max(loaded + 1, top), top + kernel):
                _load_input(
                    ring,
                    (h + pad) % kernel,
                    x.shape,
                    flat_x,
                    h,
                    rows,
                    group * ins,
                    ins,
                    scale,
                    shift,
                    code,
                    pad,
                    stride,
                )
            loaded = top + kernel - 1
            _input_starts(starts, ho, ins, kernel, stride, places, batch)
            for o in range(group * outs, (group + 1) * outs):
                at, here = lines[o], (o * height_o + ho) * span
                combine(
                    line[at : at + span], flat_g[here : here + span], flat_y[here : here + span], a[o], b[o], c[o], lazy
                )
            for s in range(0, span, PIECE):
                m = min(PIECE, span - s)
                correlate(out, group * outs, outs, line, lines, s, ring, starts, s, m)


@kernel
def _load_grad(ring, slot, shape, g, y, a, b, c, lazy, ho, first, outs, left, places):
    """Row ho of the gradients of a group into the ring, with `left` columns of zeros in front, zeros behind."""
    _, height_o, width_o, batch = shape
    length = places * batch
    span = width_o * batch
    for i in range(outs):
        o = first + i
        base = (slot * outs + i) * length
        if ho < 0 or ho >= height_o:
            for j in range(base, base + length):
                ring[j] = 0.0
            continue
        inside = base + left * batch
        for j in range(base, inside):
            ring[j] = 0.0
        end, here = inside + span, (o * height_o + ho) * span
        combine(ring[inside:end], g[here : here + span], y[here : here + span], a[o], b[o], c[o], lazy)
        for j in range(end, base + length):
            ring[j] = 0.0


@kernel
def _pack(packed, weight, first, outs, top, side, stride):
    """packed[k, t]: the weights to input channel k of the taps (output, kh, kw) that pixels of one remainder meet."""
    _, ins, kernel, _ = weight.shape
    taps = 0
    for i in range(outs):
        for kh in range(top, kernel, stride):
            for kw in range(side, kernel, stride):
                for k in range(ins):
                    packed[k, taps] = weight[first + i, k, kh, kw]
                taps += 1


@kernel
def _spread(line, base, piece, start, m, first, stride, batch):
    """Pixels start.. of a piece to every stride-th place of a row."""
    if stride == 1:
        for j in range(m):
            line[base + start + j] = piece[j]
        return
    j = 0
    while j < m:
        pixel, begin = (start + j) // batch, (start + j) % batch
        many = min(batch - begin, m - j)
        to = base + (first + stride * pixel) * batch + begin
        for i in range(many):
            line[to + i] = piece[j + i]
        j += many


@kernel
def spatial_input_grad(
    x,
    rows,
    scale,
    shift,
    code,
    mean,
    weight,
    stride,
    groups,
    g,
    y,
    a,
    b,
    c,
    lazy,
    dx,
    first,
    last,
    gsums,
    ring,
    line,
    acc,
):
    """dx of `spatial_forward`, as in `pointwise_backward`. Input pixels of equal remainder by the stride go together.

    line: scratch for one row of the input of a group.
    """
    _, height, width, batch = x.shape
    total_outs, ins, kernel, _ = weight.shape
    outs = total_outs // groups
    width_o = g.shape[2]
    pad = kernel // 2
    left = (kernel - 1 - pad) // stride + 1
    places = left + width_o + pad // stride + 1
    length = places * batch
    slots = kernel + 1
    flat_x, flat_dx, flat_g, flat_y = x.reshape(-1), dx.reshape(-1), g.reshape(-1), y.reshape(-1)
    across = width * batch
    packed = np.empty((stride, ins, outs * kernel * kernel), np.float32)
    starts = np.empty(outs * kernel * kernel, np.int64)
    for group in range(groups):
        for k in range(ins):
            r = rows[group * ins + k]
            gsums[r, 0] = 0.0
            gsums[r, 1] = 0.0
        for hp in range(min(stride, height)):
            for wp in range(min(stride, width)):
                _pack(packed[wp], weight, group * outs, outs, (hp + pad) % stride, (wp + pad) % stride, stride)
            loaded = -kernel
            for h in range(hp, height, stride):
                low = (h + pad - (kernel - 1) + stride * kernel) // stride - kernel  # floor of a negative number
                high = (h + pad) // stride
                for ho in range(max(loaded + 1, low), high + 1):
                    slot = (ho + slots) % slots
                    _load_grad(ring, slot, g.shape, flat_g, flat_y, a, b, c, lazy, ho, group * outs, outs, left, places)
                loaded = high
                for wp in range(min(stride, width)):
                    taps = 0
                    for i in range(outs):
                        for kh in range((hp + pad) % stride, kernel, stride):
                            slot = ((h + pad - kh) // stride + slots) % slots
                            for kw in range((wp + pad) % stride, kernel, stride):
                                offset = (wp + pad - kw) // stride + left
                                starts[taps] = (slot * outs + i) * length + offset * batch
                                taps += 1
                    span = (width - wp + stride - 1) // stride * batch
                    for s in range(0, span, PIECE):
                        m = min(PIECE, span - s)
                        k = 0
                        while k < ins:
                            step = _rows_at_once(ins - k)
                            multiply(acc, packed[wp], k, step, ring, starts[:taps], s, m)
                            for i in range(step):
                                _spread(line, (k + i) * across, acc[i], s, m, wp, stride, batch)
                            k += step
                for k in range(ins):
                    r = rows[group * ins + k]
                    here = (r * height + h) * across
                    total, moment = deposit(
                        flat_dx[here : here + across],
                        line[k * across : (k + 1) * across],
                        flat_x[here : here + across],
                        scale[r],
                        shift[r],
                        code,
                        mean[r],
                        first,
                        last,
                    )
                    gsums[r, 0] += total
                    gsums[r, 1] += moment
