"""Which depthwise convolutions run in one pass with the 1x1 behind them (kernels/pair.h).

Of every channel a strip of rows is made, and the sums over channels of these rows before the next strip. So the planes
between the two are never whole in the arena, and a strip stays in the nearest caches.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from igcnas.export.c.operations import Convolve, Operation, Pair
from igcnas.export.c.values import WIDEST, Value, buffers

# Measured with mobilenetv2, flgc on it, and igcv3-D (2-core virtual machine, AMD EPYC, AVX2): smaller strips of any
# number of vectors took up to 6 % longer than these, which take 1 to 3 % less than two passes.
_STRIP = 24576  # numbers of all channels that one may have
_PIXELS = 96  # of which a strip has a multiple: twelve vectors of eight, which the sums take at once


def paired(operations: Sequence[Operation], logits: Value) -> tuple[Operation, ...]:
    """The operations, neighbours that can be one pass as one. logits: what must be there at the end."""
    readers = Counter(plane for one in operations for plane in one.reads())
    readers.update(logits)
    made: list[Operation] = []
    for one in operations:
        before = made[-1] if made else None
        if isinstance(before, Convolve) and isinstance(one, Convolve):
            rows = _rows(before)
            if rows is not None and _fit(before, one) and not any(readers[plane] > 1 for plane in before.writes()):
                made[-1] = Pair(depthwise=before, pointwise=one, rows=rows)
                continue
        made.append(one)
    return tuple(made)


def _fit(first: Convolve, then: Convolve) -> bool:
    """Whether the second reads all that the first makes, and writes nothing that the first still reads."""
    plain = then.kernel == then.stride == 1 and not first.gates and not then.gates
    made = first.writes()
    inputs = {plane for group in then.groups for plane in group.inputs}
    added = {plane for group in then.groups for plane in group.added}
    return plain and inputs == made and not added & made and not buffers(then.writes()) & buffers(first.reads())


def _rows(one: Convolve) -> int | None:
    """Rows of a strip; None where it is no such convolution, or all rows are one strip."""
    if not one.depthwise or one.groups[0].added or one.in_size[1] % WIDEST:
        return None
    height, width = one.out_size
    least = math.lcm(2, _PIXELS // math.gcd(_PIXELS, width))  # the kernel makes two rows at once
    rows = max(1, _STRIP // (len(one.groups) * width * least)) * least
    return rows if rows < height else None
