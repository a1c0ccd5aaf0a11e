"""A batch from images that lie on the device."""

import triton.language as tl

from igcnas.kernels.source.common import kernel


@kernel
def gather(
    images,
    labels,
    levels,
    fill,
    order,
    offsets,
    flips,
    step,
    out,
    out_labels,
    count,
    batch,
    channels,
    height,
    width,
    image_stride,
    channel_stride,
    row_stride,
    column_stride,
    pad,
    ELEMENTS: tl.constexpr,
    FLIP: tl.constexpr,
    LABELS: tl.constexpr,
):
    """Crop, mirror and normalise images `order[step * batch ...]`, one program a part of an image.

    Reads a byte and writes a value for each element, in the order of the output.
    """
    parts = tl.cdiv(channels * height * width, ELEMENTS)
    b = tl.program_id(0) // parts
    element = (tl.program_id(0) % parts) * ELEMENTS + tl.arange(0, ELEMENTS)
    inside = element < channels * height * width
    chosen = tl.load(order + (tl.load(step) * batch + b) % count)
    channel, pixel = element % channels, element // channels
    x, y = pixel % width, pixel // width
    if FLIP:
        x = tl.where(tl.load(flips + chosen).to(tl.int32) != 0, width - 1 - x, x)
    y += tl.load(offsets + chosen).to(tl.int32) - pad
    x += tl.load(offsets + count + chosen).to(tl.int32) - pad
    seen = inside & (y >= 0) & (y < height) & (x >= 0) & (x < width)
    place = channel * channel_stride + y * row_stride + x * column_stride
    level = tl.load(images + chosen * image_stride + place, mask=seen, other=0).to(tl.int32)
    level = tl.where(seen, level, tl.load(fill + channel, mask=inside, other=0).to(tl.int32))
    value = tl.load(levels + level * channels + channel, mask=inside, other=0.0)
    tl.store(out + b * (channels * height * width) + element, value.to(out.dtype.element_ty), mask=inside)
    if LABELS and tl.program_id(0) % parts == 0:
        tl.store(out_labels + b, tl.load(labels + chosen))
