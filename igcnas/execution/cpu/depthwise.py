"""Depthwise 3x3 convolutions, which are all loads and stores: each piece is finished while it is in registers.

Arguments are those of convolution.py. Backwards the nine shifted gradients serve both the input's and the weight's
gradient: dx = sum over taps of w[t] * d[t], and dw[t] = sum over pixels of x * d[t].
"""

from __future__ import annotations

import numpy as np

from igcnas.execution.cpu.compiled import inlined, kernel
from igcnas.execution.cpu.lazy import activate, combine, deposit
from igcnas.execution.cpu.tiles import PIECE

PAD = 1


@inlined
def _clear(ring, start, stop):
    for j in range(start, stop):
        ring[j] = 0.0


@inlined
def _nine(y, x0, x1, x2, x3, x4, x5, x6, x7, x8, w, m):
    w0, w1, w2, w3, w4, w5, w6, w7, w8 = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8]
    for j in range(m):
        y[j] = (
            (w0 * x0[j] + w1 * x1[j] + w2 * x2[j])
            + (w3 * x3[j] + w4 * x4[j] + w5 * x5[j])
            + (w6 * x6[j] + w7 * x7[j] + w8 * x8[j])
        )


@inlined
def _nine_summed(y, x0, x1, x2, x3, x4, x5, x6, x7, x8, w, centre, m):
    """As `_nine`; returns the sums of y - centre and of its square."""
    w0, w1, w2, w3, w4, w5, w6, w7, w8 = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8]
    total = squares = np.float32(0.0)
    for j in range(m):
        v = (
            (w0 * x0[j] + w1 * x1[j] + w2 * x2[j])
            + (w3 * x3[j] + w4 * x4[j] + w5 * x5[j])
            + (w6 * x6[j] + w7 * x7[j] + w8 * x8[j])
        )
        y[j] = v
        d = v - centre
        total += d
        squares += d * d
    return total, squares


@inlined
def _nine_dots(out, g, x0, x1, x2, x3, x4, x5, x6, x7, x8, m):
    a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = a8 = np.float32(0.0)
    for j in range(m):
        c = g[j]
        a0 += c * x0[j]
        a1 += c * x1[j]
        a2 += c * x2[j]
        a3 += c * x3[j]
        a4 += c * x4[j]
        a5 += c * x5[j]
        a6 += c * x6[j]
        a7 += c * x7[j]
        a8 += c * x8[j]
    out[0] += a0
    out[1] += a1
    out[2] += a2
    out[3] += a3
    out[4] += a4
    out[5] += a5
    out[6] += a6
    out[7] += a7
    out[8] += a8


@inlined
def _piece(ring, start, m):
    return ring[start : start + m]


@kernel
def forward(x, rows, scale, shift, code, weight, stride, y, sums, taken, ring):
    """y of a depthwise 3x3; ring holds three padded rows of one channel, their columns split by their remainder."""
    _, height, width, batch = x.shape
    channels, height_o, width_o, _ = y.shape
    places = (width + 2 * PAD + stride - 1) // stride
    length = stride * places * batch
    span = width_o * batch
    flat_x, flat_y, flat_w = x.reshape(-1), y.reshape(-1), weight.reshape(-1)
    across = width * batch
    for c in range(channels):
        r = rows[c]
        w = flat_w[9 * c : 9 * c + 9]
        for slot in range(3):
            if stride == 1:
                _clear(ring, slot * length, slot * length + batch)
                _clear(ring, slot * length + (width + 1) * batch, (slot + 1) * length)
            else:
                _clear(ring, slot * length, (slot + 1) * length)
        loaded = -2
        total, squares, centre = 0.0, 0.0, np.float32(0.0)
        for ho in range(height_o):
            top = ho * stride - PAD
            for h in range(max(loaded + 1, top), top + 3):
                base = ((h + PAD) % 3) * length
                if h < 0 or h >= height:
                    _clear(ring, base, base + length)
                elif stride == 1:
                    inside = base + batch
                    here = (r * height + h) * across
                    activate(_piece(ring, inside, across), _piece(flat_x, here, across), scale[r], shift[r], code)
                else:
                    for q in range(width):
                        at = base + (((q + PAD) % stride) * places + (q + PAD) // stride) * batch
                        here = (r * height + h) * across + q * batch
                        activate(_piece(ring, at, batch), _piece(flat_x, here, batch), scale[r], shift[r], code)
            loaded = top + 2
            r0, r1, r2 = (top + 1) % 3 * length, (top + 2) % 3 * length, (top + 3) % 3 * length
            k1 = (1 % stride * places + 1 // stride) * batch
            k2 = (2 % stride * places + 2 // stride) * batch
            row = _piece(flat_y, (c * height_o + ho) * span, span)
            for s in range(0, span, PIECE):
                m = min(PIECE, span - s)
                x0, x1, x2 = _piece(ring, r0 + s, m), _piece(ring, r0 + k1 + s, m), _piece(ring, r0 + k2 + s, m)
                x3, x4, x5 = _piece(ring, r1 + s, m), _piece(ring, r1 + k1 + s, m), _piece(ring, r1 + k2 + s, m)
                x6, x7, x8 = _piece(ring, r2 + s, m), _piece(ring, r2 + k1 + s, m), _piece(ring, r2 + k2 + s, m)
                if taken:
                    if ho == 0 and s == 0:
                        _nine(row[:1], x0, x1, x2, x3, x4, x5, x6, x7, x8, w, 1)
                        centre = row[0]
                    t, q2 = _nine_summed(row[s : s + m], x0, x1, x2, x3, x4, x5, x6, x7, x8, w, centre, m)
                    total += t
                    squares += q2
                else:
                    _nine(row[s : s + m], x0, x1, x2, x3, x4, x5, x6, x7, x8, w, m)
        if taken:
            sums[c, 0], sums[c, 1], sums[c, 2] = total, squares, centre


@inlined
def _load_grads(ring, base, shape, g, y, a, b, c, lazy, o, ho, left, places):
    _, height_o, width_o, batch = shape
    if ho < 0 or ho >= height_o:
        _clear(ring, base, base + places * batch)
        return
    inside = base + left * batch
    end = inside + width_o * batch
    _clear(ring, base, inside)
    span = width_o * batch
    here = (o * height_o + ho) * span
    combine(ring[inside:end], g[here : here + span], y[here : here + span], a[o], b[o], c[o], lazy)
    _clear(ring, end, base + places * batch)


@kernel
def backward(
    x, rows, scale, shift, code, mean, weight, stride, g, y, a, b, c, lazy, dx, first, last, gsums, dw, ring, acc
):
    """dx (as in convolution.pointwise_backward) and dw of a depthwise 3x3 of stride 1 in one pass."""
    _, height, width, batch = x.shape
    channels = g.shape[0]
    places = width + 2
    length = places * batch
    span = width * batch
    near = 3 * length  # the activated row of the input
    piece = acc[0]
    flat_x, flat_dx, flat_g, flat_y = x.reshape(-1), dx.reshape(-1), g.reshape(-1), y.reshape(-1)
    turned = np.empty(9, np.float32)
    sums = np.empty(9, np.float32)
    for o in range(channels):
        r = rows[o]
        for t in range(9):
            turned[t] = weight[o, 0, 2 - t // 3, 2 - t % 3]
            sums[t] = 0.0
        total, moment = 0.0, 0.0
        _load_grads(ring, 0, g.shape, flat_g, flat_y, a, b, c, lazy, o, -1, 1, places)
        _load_grads(ring, length, g.shape, flat_g, flat_y, a, b, c, lazy, o, 0, 1, places)
        for h in range(height):
            _load_grads(ring, (h + 2) % 3 * length, g.shape, flat_g, flat_y, a, b, c, lazy, o, h + 1, 1, places)
            r0, r1, r2 = h % 3 * length, (h + 1) % 3 * length, (h + 2) % 3 * length
            here = (r * height + h) * span
            source, line = _piece(flat_x, here, span), _piece(flat_dx, here, span)
            activate(_piece(ring, near, span), source, scale[r], shift[r], code)
            for s in range(0, span, PIECE):
                m = min(PIECE, span - s)
                d0, d1, d2 = (
                    _piece(ring, r0 + s, m),
                    _piece(ring, r0 + batch + s, m),
                    _piece(ring, r0 + 2 * batch + s, m),
                )
                d3, d4, d5 = (
                    _piece(ring, r1 + s, m),
                    _piece(ring, r1 + batch + s, m),
                    _piece(ring, r1 + 2 * batch + s, m),
                )
                d6, d7, d8 = (
                    _piece(ring, r2 + s, m),
                    _piece(ring, r2 + batch + s, m),
                    _piece(ring, r2 + 2 * batch + s, m),
                )
                _nine_dots(sums, _piece(ring, near + s, m), d0, d1, d2, d3, d4, d5, d6, d7, d8, m)
                _nine(piece, d0, d1, d2, d3, d4, d5, d6, d7, d8, turned, m)
                t, q = deposit(
                    line[s : s + m], piece[:m], source[s : s + m], scale[r], shift[r], code, mean[r], first, last
                )
                total += t
                moment += q
        gsums[r, 0], gsums[r, 1] = total, moment
        for t in range(9):
            dw[o, 0, 2 - t // 3, 2 - t % 3] = sums[t]
