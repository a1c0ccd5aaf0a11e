"""1x1 convolutions of stride 1, any groups: forwards in one pass, both gradients in another.

Arguments are those that convolution.py describes.
"""

from __future__ import annotations

import numpy as np

from igcnas.execution.cpu.compiled import kernel
from igcnas.execution.cpu.lazy import activate, combine, deposit, rows_at_once, store
from igcnas.execution.cpu.tiles import PIECE, correlate, multiply
from igcnas.execution.values import COPY


@kernel
def pointwise_forward(value, weight, groups, made, ring, acc):
    """1x1, stride 1. x (stored, n), weight (out, in / groups), y (out, n)."""
    x, rows, scale, shift, code, _ = value
    y, sums, taken = made
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
                step = rows_at_once(end - o)
                multiply(acc, weight, o, step, flat if code == COPY else ring, starts, 0, m)
                for i in range(step):
                    store(y[o + i, s : s + m], sums, o + i, acc[i], s, m, taken)
                o += step


@kernel
def pointwise_backward(value, weight, groups, gradient, target, dw, wanted, ring, acc):
    """Both gradients of `pointwise_forward` in one pass over x and g. wanted: whether that of the input is."""
    x, rows, scale, shift, code, mean = value
    g, y, a, b, c, lazy = gradient
    dx, first, last, gsums = target
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
            correlate(local, 0, outs, (ring, gs, 0), (ring, xs, 0), m)
            k = 0
            while wanted and k < ins:
                step = rows_at_once(ins - k)
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
