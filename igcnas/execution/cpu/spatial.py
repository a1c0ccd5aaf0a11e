"""Convolutions of any odd kernel and any stride and groups: the output, and the gradient of the weight.

Arguments are those that convolution.py describes.
"""

from __future__ import annotations

import numpy as np

from igcnas.execution.cpu.compiled import inlined, kernel
from igcnas.execution.cpu.lazy import activate, combine, rows_at_once, store
from igcnas.execution.cpu.tiles import PIECE, correlate, multiply


@inlined
def _load_input(ring, slot, value, flat_x, h, first, ins, pad, stride):
    """Row h of the channels first.. of a group into the ring, padded, its columns split by their remainder."""
    x, rows, scale, shift, code, _ = value
    _, height, width, batch = x.shape
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
            activate(ring[inside:end], flat_x[here : here + width * batch], scale[r], shift[r], code)
            for j in range(end, base + length):
                ring[j] = 0.0
            continue
        for q in range(stride * places):
            start = base + ((q % stride) * places + q // stride) * batch
            if pad <= q < pad + width:
                here = ((r * height + h) * width + q - pad) * batch
                activate(ring[start : start + batch], flat_x[here : here + batch], scale[r], shift[r], code)
            else:
                for j in range(start, start + batch):
                    ring[j] = 0.0


@inlined
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
def spatial_forward(value, weight, stride, groups, made, ring, acc):
    """Any odd kernel and any stride, padded by kernel // 2."""
    x = value[0]
    y, sums, taken = made
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
                _load_input(ring, (h + pad) % kernel, value, flat_x, h, group * ins, ins, pad, stride)
            loaded = top + kernel - 1
            _input_starts(starts, ho, ins, kernel, stride, places, batch)
            for s in range(0, span, PIECE):
                m = min(PIECE, span - s)
                o, end = group * outs, (group + 1) * outs
                while o < end:
                    step = rows_at_once(end - o)
                    multiply(acc, flat, o, step, ring, starts, s, m)
                    for i in range(step):
                        here = ((o + i) * height_o + ho) * span + s
                        store(flat_y[here : here + m], sums, o + i, acc[i], ho * span + s, m, taken)
                    o += step


@kernel
def spatial_weight_grad(value, stride, groups, gradient, dw, ring, line):
    """dw (out, in / groups, k, k) of `spatial_forward`. line: scratch for one row of the gradients of a group."""
    x = value[0]
    g, y, a, b, c, lazy = gradient
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
                _load_input(ring, (h + pad) % kernel, value, flat_x, h, group * ins, ins, pad, stride)
            loaded = top + kernel - 1
            _input_starts(starts, ho, ins, kernel, stride, places, batch)
            for o in range(group * outs, (group + 1) * outs):
                at, here = lines[o], (o * height_o + ho) * span
                combine(
                    line[at : at + span], flat_g[here : here + span], flat_y[here : here + span], a[o], b[o], c[o], lazy
                )
            for s in range(0, span, PIECE):
                m = min(PIECE, span - s)
                correlate(out, group * outs, outs, (line, lines, s), (ring, starts, s), m)
