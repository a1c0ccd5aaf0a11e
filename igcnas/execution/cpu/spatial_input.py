"""The gradient of the input of a convolution of any odd kernel and any stride and groups.

Arguments are those that convolution.py describes.
"""

from __future__ import annotations

import numpy as np

from igcnas.execution.cpu.compiled import inlined, kernel
from igcnas.execution.cpu.lazy import combine, deposit, rows_at_once
from igcnas.execution.cpu.tiles import PIECE, multiply


@inlined
def _load_grad(ring, slot, shape, flat, ho, first, outs, left, places):
    """Row ho of the gradients of a group into the ring, with `left` columns of zeros in front, zeros behind.

    flat: a gradient whose g and y are.
    """
    g, y, a, b, c, lazy = flat
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


@inlined
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


@inlined
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
def spatial_input_grad(value, weight, stride, groups, gradient, target, ring, line, acc):
    """dx of `spatial_forward`, as in `pointwise_backward`. Input pixels of equal remainder by the stride go together.

    line: scratch for one row of the input of a group.
    """
    x, rows, scale, shift, code, mean = value
    g, y, a, b, c, lazy = gradient
    dx, first, last, gsums = target
    _, height, width, batch = x.shape
    total_outs, ins, kernel, _ = weight.shape
    outs = total_outs // groups
    width_o = g.shape[2]
    pad = kernel // 2
    left = (kernel - 1 - pad) // stride + 1
    places = left + width_o + pad // stride + 1
    length = places * batch
    slots = kernel + 1
    flat_x, flat_dx = x.reshape(-1), dx.reshape(-1)
    flat = g.reshape(-1), y.reshape(-1), a, b, c, lazy
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
                    _load_grad(ring, slot, g.shape, flat, ho, group * outs, outs, left, places)
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
                            step = rows_at_once(ins - k)
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
