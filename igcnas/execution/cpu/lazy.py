"""What the kernels apply while they load: the affine map and activation of a value, the affine map of a gradient.

A value is stored raw: what its producer computed. What a consumer sees is act(scale * raw + shift), channel by channel;
COPY stands for the raw value itself. The gradient of a convolution that a batch norm follows is linear in the gradient
behind the norm and in the raw output, dy = a * g + b * y + c, and is never stored either.
"""

from __future__ import annotations

import numpy as np

from igcnas.execution.cpu.compiled import inlined
from igcnas.execution.values import AFFINE, COPY, RELU, RELU6


@inlined
def activate(out, x, scale, shift, code):
    """out = act(scale * x + shift) for contiguous pieces of one channel. Not a number stays what it is."""
    if code == COPY:
        for j in range(len(out)):
            out[j] = x[j]
    elif code == AFFINE:
        for j in range(len(out)):
            out[j] = scale * x[j] + shift
    elif code == RELU:
        for j in range(len(out)):
            v = scale * x[j] + shift
            out[j] = 0.0 if v < 0.0 else v
    else:
        for j in range(len(out)):
            v = scale * x[j] + shift
            v = 0.0 if v < 0.0 else v
            out[j] = 6.0 if v > 6.0 else v


@inlined
def combine(out, g, y, a, b, c, lazy):
    """out = a * g + b * y + c, or g itself where the gradient is not lazy."""
    if lazy:
        for j in range(len(out)):
            out[j] = a * g[j] + b * y[j] + c
    else:
        for j in range(len(out)):
            out[j] = g[j]


@inlined
def deposit(into, piece, x, scale, shift, code, mean, first, last):
    """Add a piece of a gradient to its place; returns (sum of g, sum of g * (x - mean)), zeros before the last.

    first: nothing is there yet. last: no other consumer adds to it, so the activation's derivative is applied.
    """
    m = len(into)
    if not first:
        for j in range(m):
            piece[j] += into[j]
    if not last:
        for j in range(m):
            into[j] = piece[j]
        return 0.0, 0.0
    if code == RELU:
        for j in range(m):
            piece[j] = piece[j] if scale * x[j] + shift > 0.0 else 0.0
    elif code == RELU6:
        for j in range(m):
            v = scale * x[j] + shift
            piece[j] = piece[j] if (v > 0.0) and (v < 6.0) else 0.0
    total = piece[0] * 0.0
    moment = total
    for j in range(m):
        v = piece[j]
        into[j] = v
        total += v
        moment += v * (x[j] - mean)
    return total, moment


@inlined
def store(y, sums, o, acc, start, m, taken):
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


@inlined
def rows_at_once(left):
    """How many outputs a tile takes of those that are left."""
    return 4 if left >= 4 else (2 if left >= 2 else 1)
