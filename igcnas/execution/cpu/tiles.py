"""Inner loops of the CPU kernels: tiles of a matrix product whose rows are pieces of one flat buffer.

A convolution of any kernel, stride and grouping is out[o, :] = sum over k of weight[o, k] * row[k, :], where row k is a
channel shifted by a tap, that is a contiguous piece of a padded buffer that starts at starts[k]. Four outputs by four
rows at a time keep eight loads for sixteen multiply-adds in registers; pieces of at most PIECE numbers stay in the
first cache. The compiler makes vector code of the innermost loops, whatever the number of channels.
"""

from __future__ import annotations

import numpy as np

from igcnas.execution.cpu.compiled import inlined

PIECE = 512


@inlined
def _add_4x4(y, x, weight, o, k, m):
    y0, y1, y2, y3 = y
    x0, x1, x2, x3 = x
    a00, a01, a02, a03 = weight[o, k], weight[o, k + 1], weight[o, k + 2], weight[o, k + 3]
    a10, a11, a12, a13 = weight[o + 1, k], weight[o + 1, k + 1], weight[o + 1, k + 2], weight[o + 1, k + 3]
    a20, a21, a22, a23 = weight[o + 2, k], weight[o + 2, k + 1], weight[o + 2, k + 2], weight[o + 2, k + 3]
    a30, a31, a32, a33 = weight[o + 3, k], weight[o + 3, k + 1], weight[o + 3, k + 2], weight[o + 3, k + 3]
    for j in range(m):
        b0, b1, b2, b3 = x0[j], x1[j], x2[j], x3[j]
        y0[j] += a00 * b0 + a01 * b1 + a02 * b2 + a03 * b3
        y1[j] += a10 * b0 + a11 * b1 + a12 * b2 + a13 * b3
        y2[j] += a20 * b0 + a21 * b1 + a22 * b2 + a23 * b3
        y3[j] += a30 * b0 + a31 * b1 + a32 * b2 + a33 * b3


@inlined
def _add_2x4(y, x, weight, o, k, m):
    y0, y1 = y
    x0, x1, x2, x3 = x
    a00, a01, a02, a03 = weight[o, k], weight[o, k + 1], weight[o, k + 2], weight[o, k + 3]
    a10, a11, a12, a13 = weight[o + 1, k], weight[o + 1, k + 1], weight[o + 1, k + 2], weight[o + 1, k + 3]
    for j in range(m):
        b0, b1, b2, b3 = x0[j], x1[j], x2[j], x3[j]
        y0[j] += a00 * b0 + a01 * b1 + a02 * b2 + a03 * b3
        y1[j] += a10 * b0 + a11 * b1 + a12 * b2 + a13 * b3


@inlined
def _add_1x4(y0, x, weight, o, k, m):
    x0, x1, x2, x3 = x
    a0, a1, a2, a3 = weight[o, k], weight[o, k + 1], weight[o, k + 2], weight[o, k + 3]
    for j in range(m):
        y0[j] += a0 * x0[j] + a1 * x1[j] + a2 * x2[j] + a3 * x3[j]


@inlined
def _add_4x1(y, x0, weight, o, k, m):
    y0, y1, y2, y3 = y
    a0, a1, a2, a3 = weight[o, k], weight[o + 1, k], weight[o + 2, k], weight[o + 3, k]
    for j in range(m):
        b = x0[j]
        y0[j] += a0 * b
        y1[j] += a1 * b
        y2[j] += a2 * b
        y3[j] += a3 * b


@inlined
def _add_1x1(y0, x0, weight, o, k, m):
    a = weight[o, k]
    for j in range(m):
        y0[j] += a * x0[j]


@inlined
def multiply(acc, weight, o, rows, buffer, starts, shift, m):
    """acc[i, :m] = sum over k of weight[o + i, k] * buffer[starts[k] + shift :][:m], for i < rows (1, 2 or 4)."""
    taps = len(starts)
    y0, y1, y2, y3 = acc[0], acc[1], acc[2], acc[3]
    for i in range(rows):
        row = acc[i]
        for j in range(m):
            row[j] = 0.0
    k = 0
    while k + 4 <= taps:
        s0, s1, s2, s3 = starts[k] + shift, starts[k + 1] + shift, starts[k + 2] + shift, starts[k + 3] + shift
        x = buffer[s0 : s0 + m], buffer[s1 : s1 + m], buffer[s2 : s2 + m], buffer[s3 : s3 + m]
        if rows == 4:
            _add_4x4((y0, y1, y2, y3), x, weight, o, k, m)
        elif rows == 2:
            _add_2x4((y0, y1), x, weight, o, k, m)
        else:
            _add_1x4(y0, x, weight, o, k, m)
        k += 4
    while k < taps:
        s0 = starts[k] + shift
        x0 = buffer[s0 : s0 + m]
        if rows == 4:
            _add_4x1((y0, y1, y2, y3), x0, weight, o, k, m)
        else:
            for i in range(rows):
                _add_1x1(acc[i], x0, weight, o + i, k, m)
        k += 1


@inlined
def _dots_4x4(g, x, out, o, k, m):
    g0, g1, g2, g3 = g
    x0, x1, x2, x3 = x
    zero = np.float32(0.0)
    a00 = a01 = a02 = a03 = zero
    a10 = a11 = a12 = a13 = zero
    a20 = a21 = a22 = a23 = zero
    a30 = a31 = a32 = a33 = zero
    for j in range(m):
        b0, b1, b2, b3 = x0[j], x1[j], x2[j], x3[j]
        c0, c1, c2, c3 = g0[j], g1[j], g2[j], g3[j]
        a00 += c0 * b0
        a01 += c0 * b1
        a02 += c0 * b2
        a03 += c0 * b3
        a10 += c1 * b0
        a11 += c1 * b1
        a12 += c1 * b2
        a13 += c1 * b3
        a20 += c2 * b0
        a21 += c2 * b1
        a22 += c2 * b2
        a23 += c2 * b3
        a30 += c3 * b0
        a31 += c3 * b1
        a32 += c3 * b2
        a33 += c3 * b3
    out[o, k] += a00
    out[o, k + 1] += a01
    out[o, k + 2] += a02
    out[o, k + 3] += a03
    out[o + 1, k] += a10
    out[o + 1, k + 1] += a11
    out[o + 1, k + 2] += a12
    out[o + 1, k + 3] += a13
    out[o + 2, k] += a20
    out[o + 2, k + 1] += a21
    out[o + 2, k + 2] += a22
    out[o + 2, k + 3] += a23
    out[o + 3, k] += a30
    out[o + 3, k + 1] += a31
    out[o + 3, k + 2] += a32
    out[o + 3, k + 3] += a33


@inlined
def _dots_1x4(g0, x, out, o, k, m):
    x0, x1, x2, x3 = x
    a0 = a1 = a2 = a3 = np.float32(0.0)
    for j in range(m):
        c = g0[j]
        a0 += c * x0[j]
        a1 += c * x1[j]
        a2 += c * x2[j]
        a3 += c * x3[j]
    out[o, k] += a0
    out[o, k + 1] += a1
    out[o, k + 2] += a2
    out[o, k + 3] += a3


@inlined
def _dot(g0, x0, m):
    a = np.float32(0.0)
    for j in range(m):
        a += g0[j] * x0[j]
    return a


@inlined
def correlate(out, o, rows, of_grads, of_input, m):
    """out[o + i, k] += grads[grad_starts[o + i] + shift_g :][:m] . buffer[starts[k] + shift_x :][:m], for i < rows."""
    grads, grad_starts, shift_g = of_grads
    buffer, starts, shift_x = of_input
    taps = len(starts)
    i = 0
    while i < rows:
        four = i + 4 <= rows
        g = grad_starts[o + i] + shift_g
        g0 = grads[g : g + m]
        k = 0
        if four:
            h1, h2, h3 = (grad_starts[o + i + 1], grad_starts[o + i + 2], grad_starts[o + i + 3])
            g1 = grads[h1 + shift_g : h1 + shift_g + m]
            g2 = grads[h2 + shift_g : h2 + shift_g + m]
            g3 = grads[h3 + shift_g : h3 + shift_g + m]
        else:
            g1 = g2 = g3 = g0
        while k + 4 <= taps:
            s0, s1 = starts[k] + shift_x, starts[k + 1] + shift_x
            s2, s3 = starts[k + 2] + shift_x, starts[k + 3] + shift_x
            x = buffer[s0 : s0 + m], buffer[s1 : s1 + m], buffer[s2 : s2 + m], buffer[s3 : s3 + m]
            if four:
                _dots_4x4((g0, g1, g2, g3), x, out, o + i, k, m)
            else:
                _dots_1x4(g0, x, out, o + i, k, m)
            k += 4
        while k < taps:
            s0 = starts[k] + shift_x
            x0 = buffer[s0 : s0 + m]
            out[o + i, k] += _dot(g0, x0, m)
            if four:
                out[o + i + 1, k] += _dot(g1, x0, m)
                out[o + i + 2, k] += _dot(g2, x0, m)
                out[o + i + 3, k] += _dot(g3, x0, m)
            k += 1
        i += 4 if four else 1
