"""What lies between convolutions: sums of branches, pooling, shortcuts, means; one pass each, lazy on load.

Arrays are (channels, height, width, batch). Values and gradients are given as in convolution.py.
"""

from __future__ import annotations

import numpy as np

from igcnas.execution.cpu.compiled import kernel
from igcnas.execution.cpu.lazy import activate, combine, deposit
from igcnas.execution.cpu.tiles import PIECE


@kernel
def statistics(x, sums):
    """sums (channels, 3) of x (channels, n): sum and sum of squares of x - x0, and x0."""
    for r in range(x.shape[0]):
        centre = x[r, 0]
        sums[r, 0], sums[r, 1], sums[r, 2] = 0.0, 0.0, centre
        for s in range(0, x.shape[1], PIECE):
            piece = x[r, s : s + PIECE]
            total = squares = np.float32(0.0)
            for j in range(len(piece)):
                d = piece[j] - centre
                total += d
                squares += d * d
            sums[r, 0] += total
            sums[r, 1] += squares


@kernel
def moments(g, x, rows, mean, gsums):
    """gsums[rows[c]] = sums of g[c] and of g[c] * (x[rows[c]] - mean): what the norm behind x needs. g, x: (., n)."""
    for c in range(g.shape[0]):
        r = rows[c]
        gsums[r, 0], gsums[r, 1] = 0.0, 0.0
        for s in range(0, g.shape[1], PIECE):
            piece, source = g[c, s : s + PIECE], x[r, s : s + PIECE]
            total = moment = np.float32(0.0)
            for j in range(len(piece)):
                total += piece[j]
                moment += piece[j] * (source[j] - mean[r])
            gsums[r, 0] += total
            gsums[r, 1] += moment


@kernel
def copy(value, out, first):
    """out[first + c] = the value's channel c. x (stored, n), out (., n)."""
    x, rows, scale, shift, code, _ = value
    for c in range(len(rows)):
        r = rows[c]
        activate(out[first + c], x[r], scale[r], shift[r], code)


@kernel
def add(value, another, made, acc):
    """out = one value + another; with the statistics of the sum where they are wanted. All (., n)."""
    x, rows, scale, shift, code, _ = value
    z, rows_z, scale_z, shift_z, code_z, _ = another
    out, sums, taken = made
    for c in range(out.shape[0]):
        r, q = rows[c], rows_z[c]
        for s in range(0, out.shape[1], PIECE):
            m = min(PIECE, out.shape[1] - s)
            one, other, to = acc[0, :m], acc[1, :m], out[c, s : s + m]
            activate(one, x[r, s : s + m], scale[r], shift[r], code)
            activate(other, z[q, s : s + m], scale_z[q], shift_z[q], code_z)
            for j in range(m):
                to[j] = one[j] + other[j]
            if taken:
                if s == 0:
                    sums[c, 0], sums[c, 1], sums[c, 2] = 0.0, 0.0, to[0]
                centre = np.float32(sums[c, 2])
                total = squares = np.float32(0.0)
                for j in range(m):
                    d = to[j] - centre
                    total += d
                    squares += d * d
                sums[c, 0] += total
                sums[c, 1] += squares


@kernel
def distribute(gradient, start, value, target, acc):
    """Add the gradient's channels start.. to a value's gradient, as `deposit` does. All (., n)."""
    g, y, a, b, c, lazy = gradient
    x, rows, scale, shift, code, mean = value
    dx, first, last, gsums = target
    for k in range(len(rows)):
        r, o = rows[k], start + k
        total, moment = 0.0, 0.0
        for s in range(0, x.shape[1], PIECE):
            m = min(PIECE, x.shape[1] - s)
            combine(acc[0, :m], g[o, s : s + m], y[o, s : s + m], a[o], b[o], c[o], lazy)
            t, q = deposit(
                dx[r, s : s + m], acc[0, :m], x[r, s : s + m], scale[r], shift[r], code, mean[r], first, last
            )
            total += t
            moment += q
        gsums[r, 0], gsums[r, 1] = total, moment


@kernel
def mean_forward(value, out, acc):
    """out (channels, batch) = mean over the pixels of x (stored, pixels, batch)."""
    x, rows, scale, shift, code, _ = value
    _, pixels, batch = x.shape
    for c in range(len(rows)):
        r = rows[c]
        to = out[c]
        to[:] = 0.0
        for p in range(pixels):
            for s in range(0, batch, PIECE):
                m = min(PIECE, batch - s)
                activate(acc[0, :m], x[r, p, s : s + m], scale[r], shift[r], code)
                for j in range(m):
                    to[s + j] += acc[0, j]
        for j in range(batch):
            to[j] /= pixels


@kernel
def mean_backward(g, value, target, acc):
    """Gradient of `mean_forward`: g (channels, batch) over the pixels."""
    x, rows, scale, shift, code, mean = value
    dx, first, last, gsums = target
    _, pixels, batch = x.shape
    for c in range(len(rows)):
        r = rows[c]
        total, moment = 0.0, 0.0
        for p in range(pixels):
            for s in range(0, batch, PIECE):
                m = min(PIECE, batch - s)
                for j in range(m):
                    acc[0, j] = g[c, s + j] / pixels
                t, q = deposit(
                    dx[r, p, s : s + m], acc[0, :m], x[r, p, s : s + m], scale[r], shift[r], code, mean[r], first, last
                )
                total += t
                moment += q
        gsums[r, 0], gsums[r, 1] = total, moment


@kernel
def gate_forward(value, gates, out):
    """out[h * C + c] = value[c] * gates[h * C + c] for each image. x (stored, pixels, batch), gates (., batch)."""
    x, rows, scale, shift, code, _ = value
    channels = len(rows)
    for i in range(out.shape[0]):
        r = rows[i % channels]
        for p in range(x.shape[1]):
            to = out[i, p]
            activate(to, x[r, p], scale[r], shift[r], code)
            for j in range(len(to)):
                to[j] *= gates[i, j]


@kernel
def gate_backward(g, gates, value, dgates, target, near, piece):
    """Gradients of `gate_forward`; near, piece: scratch of a batch each."""
    x, rows, scale, shift, code, mean = value
    dx, first, last, gsums = target
    channels, heads = len(rows), gates.shape[0] // len(rows)
    dgates[:] = 0.0
    for c in range(channels):
        r = rows[c]
        total, moment = 0.0, 0.0
        for p in range(x.shape[1]):
            activate(near, x[r, p], scale[r], shift[r], code)
            piece[:] = 0.0
            for h in range(heads):
                i = h * channels + c
                from_head, gate, to = g[i, p], gates[i], dgates[i]
                for j in range(len(near)):
                    to[j] += from_head[j] * near[j]
                    piece[j] += from_head[j] * gate[j]
            t, q = deposit(dx[r, p], piece, x[r, p], scale[r], shift[r], code, mean[r], first, last)
            total += t
            moment += q
        gsums[r, 0], gsums[r, 1] = total, moment


@kernel
def sample_forward(value, stride, before, out):
    """Every stride-th pixel; `before` channels of zeros in front, as many as there is room for behind. 4-D."""
    x, rows, scale, shift, code, _ = value
    out[:] = 0.0
    for c in range(len(rows)):
        r = rows[c]
        for h in range(out.shape[1]):
            for w in range(out.shape[2]):
                activate(out[before + c, h, w], x[r, h * stride, w * stride], scale[r], shift[r], code)


@kernel
def sample_backward(g, stride, before, channels, out):
    """Gradient of `sample_forward` with respect to the activated value, in its own order of channels. 4-D."""
    out[:] = 0.0
    for c in range(channels):
        for h in range(g.shape[1]):
            for w in range(g.shape[2]):
                to, piece = out[c, h * stride, w * stride], g[before + c, h, w]
                for j in range(len(to)):
                    to[j] = piece[j]


@kernel
def pool_forward(value, window, largest, out, places, near):
    """Largest number or mean of the pixels of a window that lie in the image. places: which, for the gradient. 4-D."""
    x, rows, scale, shift, code, _ = value
    kernel, stride, pad = window
    _, height, width, batch = x.shape
    for c in range(len(rows)):
        r = rows[c]
        for h in range(out.shape[1]):
            for w in range(out.shape[2]):
                to, place = out[c, h, w], places[c, h, w]
                count = 0
                for i in range(max(0, h * stride - pad), min(height, h * stride - pad + kernel)):
                    for k in range(max(0, w * stride - pad), min(width, w * stride - pad + kernel)):
                        activate(near, x[r, i, k], scale[r], shift[r], code)
                        for j in range(batch):
                            if count == 0:
                                to[j] = near[j]
                                place[j] = i * width + k
                            elif not largest:
                                to[j] += near[j]
                            elif near[j] > to[j] or near[j] != near[j]:
                                to[j] = near[j]
                                place[j] = i * width + k
                        count += 1
                if not largest:
                    for j in range(batch):
                        to[j] /= count


@kernel
def pool_backward(g, window, largest, places, out):
    """Gradient of `pool_forward` with respect to the activated value, in its own order of channels. 4-D."""
    kernel, stride, pad = window
    _, height, width, batch = out.shape
    out[:] = 0.0
    for c in range(g.shape[0]):
        for h in range(g.shape[1]):
            for w in range(g.shape[2]):
                piece = g[c, h, w]
                if largest:
                    for j in range(batch):
                        at = places[c, h, w, j]
                        out[c, at // width, at % width, j] += piece[j]
                    continue
                top, left = max(0, h * stride - pad), max(0, w * stride - pad)
                bottom, right = min(height, h * stride - pad + kernel), min(width, w * stride - pad + kernel)
                count = (bottom - top) * (right - left)
                for i in range(top, bottom):
                    for k in range(left, right):
                        to = out[c, i, k]
                        for j in range(batch):
                            to[j] += piece[j] / count
