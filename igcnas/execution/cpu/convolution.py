"""Convolutions with any kernel, stride and grouping on arrays (channels, height, width, batch), one pass each.

The batch is innermost, so that rows of pixels are contiguous for every tap and no border needs a mask. The input's
affine map and activation are applied on load, a permutation of the channels is an index, the statistics for a following
norm are taken in the epilogue. Group by group: the rows of one group stay in a ring buffer of `kernel` rows.

What belongs together is one argument, a plain tuple, which numba takes apart in half the time of a named one.

- value: (x, rows, scale, shift, code, mean). x (stored channels, H, W, B) with rows[i] the stored channel of input
  channel i; scale, shift, mean of stored channels, code as in lazy.py.
- made: (y, sums, taken). y (out, Ho, Wo, B). sums (out, 3), where `taken`: sum and sum of squares of y - y0, and y0, an
  output of that channel, so that a large mean does not drown the variance.
- gradient: (g, y, a, b, c, lazy), as in lazy.py.
- target: (dx, first, last, gsums). dx, as x, is written where nothing was there (`first`), else added to. gsums
  (stored, 2), where `last`: sums of dx and of dx * (x - mean) behind the activation.

weight (out, in / groups, k, k), and dw, which is set. ring, line, acc: scratch.
"""

from igcnas.execution.cpu.pointwise import pointwise_backward, pointwise_forward
from igcnas.execution.cpu.spatial import spatial_forward, spatial_weight_grad
from igcnas.execution.cpu.spatial_input import spatial_input_grad
from igcnas.execution.cpu.tiles import PIECE

__all__ = [
    "PIECE",
    "pointwise_backward",
    "pointwise_forward",
    "spatial_forward",
    "spatial_input_grad",
    "spatial_weight_grad",
]
