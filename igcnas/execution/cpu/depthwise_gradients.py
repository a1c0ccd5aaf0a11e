"""Gradients of depthwise 3x3 convolutions of stride 1 and 2: input and weight in one pass.

Arguments are those that convolution.py describes. The nine shifted gradients serve both: dx = sum over taps of
w[t] * d[t], and dw[t] = sum over pixels of x * d[t].
"""

from __future__ import annotations

import numpy as np

from igcnas.execution.cpu.compiled import inlined, kernel
from igcnas.execution.cpu.depthwise import clear, nine, piece_of
from igcnas.execution.cpu.lazy import activate, combine, deposit
from igcnas.execution.cpu.tiles import PIECE


@inlined
def _nine_dots(out, g, x, m):
    x0, x1, x2, x3, x4, x5, x6, x7, x8 = x
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
def _load_grads(ring, base, shape, flat, o, ho, left, places):
    """As `spatial_input._load_grad`, of one channel."""
    g, y, a, b, c, lazy = flat
    _, height_o, width_o, batch = shape
    if ho < 0 or ho >= height_o:
        clear(ring, base, base + places * batch)
        return
    inside = base + left * batch
    end = inside + width_o * batch
    clear(ring, base, inside)
    span = width_o * batch
    here = (o * height_o + ho) * span
    combine(ring[inside:end], g[here : here + span], y[here : here + span], a[o], b[o], c[o], lazy)
    clear(ring, end, base + places * batch)


@kernel
def backward(value, weight, gradient, target, dw, ring, acc):
    """Both gradients of a depthwise 3x3 of stride 1 in one pass."""
    x, rows, scale, shift, code, mean = value
    g, y, a, b, c, lazy = gradient
    dx, first, last, gsums = target
    _, height, width, batch = x.shape
    channels = g.shape[0]
    places = width + 2
    length = places * batch
    span = width * batch
    near = 3 * length  # the activated row of the input
    piece = acc[0]
    flat_x, flat_dx = x.reshape(-1), dx.reshape(-1)
    flat = g.reshape(-1), y.reshape(-1), a, b, c, lazy
    turned = np.empty(9, np.float32)
    sums = np.empty(9, np.float32)
    for o in range(channels):
        r = rows[o]
        for t in range(9):
            turned[t] = weight[o, 0, 2 - t // 3, 2 - t % 3]
            sums[t] = 0.0
        total, moment = 0.0, 0.0
        _load_grads(ring, 0, g.shape, flat, o, -1, 1, places)
        _load_grads(ring, length, g.shape, flat, o, 0, 1, places)
        for h in range(height):
            _load_grads(ring, (h + 2) % 3 * length, g.shape, flat, o, h + 1, 1, places)
            r0, r1, r2 = h % 3 * length, (h + 1) % 3 * length, (h + 2) % 3 * length
            here = (r * height + h) * span
            source, line = piece_of(flat_x, here, span), piece_of(flat_dx, here, span)
            activate(piece_of(ring, near, span), source, scale[r], shift[r], code)
            for s in range(0, span, PIECE):
                m = min(PIECE, span - s)
                pieces = (
                    piece_of(ring, r0 + s, m),
                    piece_of(ring, r0 + batch + s, m),
                    piece_of(ring, r0 + 2 * batch + s, m),
                    piece_of(ring, r1 + s, m),
                    piece_of(ring, r1 + batch + s, m),
                    piece_of(ring, r1 + 2 * batch + s, m),
                    piece_of(ring, r2 + s, m),
                    piece_of(ring, r2 + batch + s, m),
                    piece_of(ring, r2 + 2 * batch + s, m),
                )
                _nine_dots(sums, piece_of(ring, near + s, m), pieces, m)
                nine(piece, pieces, turned, m)
                t, q = deposit(
                    line[s : s + m], piece[:m], source[s : s + m], scale[r], shift[r], code, mean[r], first, last
                )
                total += t
                moment += q
        gsums[r, 0], gsums[r, 1] = total, moment
        for t in range(9):
            dw[o, 0, 2 - t // 3, 2 - t % 3] = sums[t]


@inlined
def _one(out, x, d, w):
    """One pixel that one output reads: out = w * d; returns x . d."""
    t = np.float32(0.0)
    for j in range(len(out)):
        out[j] = w * d[j]
        t += x[j] * d[j]
    return t


@inlined
def _two(out, x, d, e, w, v):
    """One pixel that two outputs read."""
    t = u = np.float32(0.0)
    for j in range(len(out)):
        out[j] = w * d[j] + v * e[j]
        t += x[j] * d[j]
        u += x[j] * e[j]
    return t, u


@inlined
def _four(out, x, read, weights):
    """One pixel that four outputs read."""
    d, e, f, h = read
    w, v, q, z = weights
    t = u = r = s = np.float32(0.0)
    for j in range(len(out)):
        out[j] = (w * d[j] + v * e[j]) + (q * f[j] + z * h[j])
        t += x[j] * d[j]
        u += x[j] * e[j]
        r += x[j] * f[j]
        s += x[j] * h[j]
    return t, u, r, s


@kernel
def backward_strided(value, weight, gradient, target, dw, ring, line):
    """As `backward`, of stride 2. An even row or column of pixels meets the middle tap, an odd one the two others.

    ring: all gradients of a channel, with a row and a column of zeros behind; line: two rows of the input.
    """
    x, rows, scale, shift, code, mean = value
    g, y, a, b, c, lazy = gradient
    dx, first, last, gsums = target
    _, height, width, batch = x.shape
    channels, height_o, width_o, _ = g.shape
    flat_x, flat_dx = x.reshape(-1), dx.reshape(-1)
    flat = g.reshape(-1), y.reshape(-1), a, b, c, lazy
    places = width_o + 1
    length = places * batch
    span = width * batch
    sums = np.empty((3, 3), np.float32)
    near, made = piece_of(line, 0, span), piece_of(line, span, span)
    clear(ring, height_o * length, (height_o + 1) * length)
    for o in range(channels):
        r = rows[o]
        w = weight[o, 0]
        sums[:] = 0.0
        total, moment = 0.0, 0.0
        for ho in range(height_o):
            _load_grads(ring, ho * length, g.shape, flat, o, ho, 0, places)
        for h in range(height):
            here = (r * height + h) * span
            activate(near, piece_of(flat_x, here, span), scale[r], shift[r], code)
            upper, lower = (h + 1) // 2 * length, (h - 1) // 2 * length  # of an odd row: outputs of tap 0 and of tap 2
            for q in range(width):
                to, seen = piece_of(made, q * batch, batch), piece_of(near, q * batch, batch)
                left, right = (q + 1) // 2 * batch, (q - 1) // 2 * batch
                if h % 2 == 0 and q % 2 == 0:
                    sums[1, 1] += _one(to, seen, piece_of(ring, h // 2 * length + q // 2 * batch, batch), w[1, 1])
                elif h % 2 == 0:
                    row = h // 2 * length
                    d, e = piece_of(ring, row + left, batch), piece_of(ring, row + right, batch)
                    t, u = _two(to, seen, d, e, w[1, 0], w[1, 2])
                    sums[1, 0] += t
                    sums[1, 2] += u
                elif q % 2 == 0:
                    column = q // 2 * batch
                    d, e = piece_of(ring, upper + column, batch), piece_of(ring, lower + column, batch)
                    t, u = _two(to, seen, d, e, w[0, 1], w[2, 1])
                    sums[0, 1] += t
                    sums[2, 1] += u
                else:
                    d, e = piece_of(ring, upper + left, batch), piece_of(ring, upper + right, batch)
                    f, i = piece_of(ring, lower + left, batch), piece_of(ring, lower + right, batch)
                    t, u, v, z = _four(to, seen, (d, e, f, i), (w[0, 0], w[0, 2], w[2, 0], w[2, 2]))
                    sums[0, 0] += t
                    sums[0, 2] += u
                    sums[2, 0] += v
                    sums[2, 2] += z
            t, q2 = deposit(
                piece_of(flat_dx, here, span),
                made,
                piece_of(flat_x, here, span),
                scale[r],
                shift[r],
                code,
                mean[r],
                first,
                last,
            )
            total += t
            moment += q2
        gsums[r, 0], gsums[r, 1] = total, moment
        for kh in range(3):
            for kw in range(3):
                dw[o, 0, kh, kw] = sums[kh, kw]
