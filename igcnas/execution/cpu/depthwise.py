"""Depthwise 3x3 convolutions, which are all loads and stores: each piece is finished while it is in registers.

Arguments are those that convolution.py describes.
"""

from __future__ import annotations

import numpy as np

from igcnas.execution.cpu.compiled import inlined, kernel
from igcnas.execution.cpu.lazy import activate
from igcnas.execution.cpu.tiles import PIECE

PAD = 1


@inlined
def clear(ring, start, stop):
    """Zeros from start to stop."""
    for j in range(start, stop):
        ring[j] = 0.0


@inlined
def nine(y, x, w, m):
    """y = the sum of nine pieces times nine weights."""
    x0, x1, x2, x3, x4, x5, x6, x7, x8 = x
    w0, w1, w2, w3, w4, w5, w6, w7, w8 = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8]
    for j in range(m):
        y[j] = (
            (w0 * x0[j] + w1 * x1[j] + w2 * x2[j])
            + (w3 * x3[j] + w4 * x4[j] + w5 * x5[j])
            + (w6 * x6[j] + w7 * x7[j] + w8 * x8[j])
        )


@inlined
def _nine_summed(y, x, w, centre, m):
    """As `nine`; returns the sums of y - centre and of its square."""
    x0, x1, x2, x3, x4, x5, x6, x7, x8 = x
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
def piece_of(ring, start, m):
    """m numbers from start on."""
    return ring[start : start + m]


@kernel
def forward(value, weight, stride, made, ring):
    """y of a depthwise 3x3; ring holds three padded rows of one channel, their columns split by their remainder."""
    x, rows, scale, shift, code, _ = value
    y, sums, taken = made
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
                clear(ring, slot * length, slot * length + batch)
                clear(ring, slot * length + (width + 1) * batch, (slot + 1) * length)
            else:
                clear(ring, slot * length, (slot + 1) * length)
        loaded = -2
        total, squares, centre = 0.0, 0.0, np.float32(0.0)
        for ho in range(height_o):
            top = ho * stride - PAD
            for h in range(max(loaded + 1, top), top + 3):
                base = ((h + PAD) % 3) * length
                if h < 0 or h >= height:
                    clear(ring, base, base + length)
                elif stride == 1:
                    inside = base + batch
                    here = (r * height + h) * across
                    activate(piece_of(ring, inside, across), piece_of(flat_x, here, across), scale[r], shift[r], code)
                else:
                    for q in range(width):
                        at = base + (((q + PAD) % stride) * places + (q + PAD) // stride) * batch
                        here = (r * height + h) * across + q * batch
                        activate(piece_of(ring, at, batch), piece_of(flat_x, here, batch), scale[r], shift[r], code)
            loaded = top + 2
            r0, r1, r2 = (top + 1) % 3 * length, (top + 2) % 3 * length, (top + 3) % 3 * length
            k1 = (1 % stride * places + 1 // stride) * batch
            k2 = (2 % stride * places + 2 // stride) * batch
            row = piece_of(flat_y, (c * height_o + ho) * span, span)
            for s in range(0, span, PIECE):
                m = min(PIECE, span - s)
                x0, x1, x2 = piece_of(ring, r0 + s, m), piece_of(ring, r0 + k1 + s, m), piece_of(ring, r0 + k2 + s, m)
                x3, x4, x5 = piece_of(ring, r1 + s, m), piece_of(ring, r1 + k1 + s, m), piece_of(ring, r1 + k2 + s, m)
                x6, x7, x8 = piece_of(ring, r2 + s, m), piece_of(ring, r2 + k1 + s, m), piece_of(ring, r2 + k2 + s, m)
                pieces = x0, x1, x2, x3, x4, x5, x6, x7, x8
                if taken:
                    if ho == 0 and s == 0:
                        nine(row[:1], pieces, w, 1)
                        centre = row[0]
                    t, q2 = _nine_summed(row[s : s + m], pieces, w, centre, m)
                    total += t
                    squares += q2
                else:
                    nine(row[s : s + m], pieces, w, m)
        if taken:
            sums[c, 0], sums[c, 1], sums[c, 2] = total, squares, centre
