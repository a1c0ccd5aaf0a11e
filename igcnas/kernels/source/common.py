"""What programs share: the activation, values as they are loaded, moments of columns."""

import triton
import triton.language as tl

NAN = tl.constexpr(tl.PropagateNan.ALL)

# Triton compiles anew for numbers that are 1 or that 16 divides, and for pointers that are not at multiples of 16
# bytes. Not of these: numbers that differ from network to network, and pointers into buffers of parameters.
NUMBERS = [
    *("images", "height", "width", "out_height", "out_width", "units", "rows", "parts", "channels_total", "size"),
    *("in_units", "out_units", "in_group_units", "out_group_units", "in_blocks", "count", "batch", "channels", "pad"),
    *("image_stride", "channel_stride", "row_stride", "column_stride", "decayed", "last"),
]
PARAMETERS = ["filters", "gain", "bias", "running_mean", "running_variance", "weight_gradient", "bias_gradient"]


def kernel(function):
    """A program that is launched, as opposed to a function that programs call."""
    return triton.jit(function, do_not_specialize=NUMBERS, do_not_specialize_on_alignment=PARAMETERS)


@triton.jit
def clamped(v, low, high):
    """The activation; a NaN stays one, as in torch."""
    return tl.minimum(tl.maximum(v, low, propagate_nan=NAN), high, propagate_nan=NAN)


@triton.jit
def channel_values(pointer, channels, inside, GIVEN: tl.constexpr):
    """A vector over channels as a row, or nothing of use where it is not given."""
    if GIVEN:
        return tl.load(pointer + channels, mask=inside, other=0.0).to(tl.float32)[None, :]
    else:
        return tl.zeros([1, channels.shape[0]], tl.float32)


@triton.jit
def lazy_value(x, offsets, inside, scale, shift, low, high, AFFINE: tl.constexpr):
    """act(scale * x + shift), and 0 outside."""
    v = tl.load(x + offsets, mask=inside, other=0.0).to(tl.float32)
    if AFFINE:
        v = v * scale + shift
    return tl.where(inside, clamped(v, low, high), 0.0)


@triton.jit
def lazy_gradient(g, y, offsets, inside, A, B, C, LAZY: tl.constexpr):
    """A * g + B * y + C, or g alone; 0 outside."""
    v = tl.load(g + offsets, mask=inside, other=0.0).to(tl.float32)
    if LAZY:
        v = A * v + B * tl.load(y + offsets, mask=inside, other=0.0).to(tl.float32) + C
        v = tl.where(inside, v, 0.0)
    return v


@triton.jit
def passed(g, v, low, high):
    """The gradient before the activation whose argument was v."""
    return tl.where((v > low) & (v < high), g, 0.0)


@triton.jit
def add_moments(y, inside, pivot, count, first, second):
    """Take one value for each slot into sums of (y - pivot) and its square; a slot's pivot is its first value."""
    pivot = tl.where(count == 0.0, y, pivot)
    d = tl.where(inside, y - pivot, 0.0)
    return pivot, count + tl.where(inside, 1.0, 0.0), first + d, second + d * d


@triton.jit
def store_moments(partials, row, channels, inside, total, pivot, count, first, second):
    """Merge the slots of each column and write its count, mean and sum of squared deviations: row `row` of three."""
    several = tl.maximum(count, 1.0)
    means = pivot + first / several
    rest = tl.maximum(second - first * first / several, 0.0)
    number = tl.sum(count, axis=0)
    mean = tl.sum(count * means, axis=0) / tl.maximum(number, 1.0)
    away = means - mean[None, :]
    squares = tl.sum(rest + count * away * away, axis=0)
    base = partials + row * 3 * total + channels
    tl.store(base, number + tl.zeros_like(mean), mask=inside)
    tl.store(base + total, mean, mask=inside)
    tl.store(base + 2 * total, squares, mask=inside)


@triton.jit
def store_sums(partials, row, channels, inside, total, first, second):
    """Write the columns' sums of two accumulators: row `row` of two."""
    base = partials + row * 2 * total + channels
    tl.store(base, tl.sum(first, axis=0), mask=inside)
    tl.store(base + total, tl.sum(second, axis=0), mask=inside)
