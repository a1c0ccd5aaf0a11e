"""How convolutions store: a row piece of an output channel, and its statistics on the way."""

from __future__ import annotations

import numpy as np

from igcnas.execution.cpu.compiled import inlined


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
