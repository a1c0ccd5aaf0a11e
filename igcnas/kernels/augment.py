"""A training batch from images resident on the device as bytes: one kernel crops, mirrors, normalises.

The images are kept as they are, without a rim: the rim of a crop is where the program looks outside, and it puts the
level of the rim there. That is a third fewer bytes on the device than padded CIFAR images, and no copy to make. Any
strides do; channels_last is the better layout, because the output is written in that order and neighbours read then
lie side by side.

Normalisation is a table: 256 levels for each channel, made once by the very function that normalises elsewhere. So
values are equal to it bit for bit on every device, although divisions are not (CUDA divides by a constant by
multiplying with its inverse).
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from igcnas.kernels import reference, sizes
from igcnas.kernels.switch import chosen

ELEMENTS = 1024


def levels(normalize: Callable[[torch.Tensor], torch.Tensor], channels: int, device: torch.device) -> torch.Tensor:
    """What `normalize` makes of each level of each channel, (256, channels) fp32; it takes uint8 (B, C, H, W)."""
    bytes_256 = torch.arange(256, dtype=torch.uint8, device=device)
    return (
        normalize(bytes_256.view(256, 1, 1, 1).expand(256, channels, 1, 1)).reshape(256, channels).float().contiguous()
    )


def batch(
    images: torch.Tensor,
    table: torch.Tensor,
    order: torch.Tensor,
    offsets: torch.Tensor,
    flips: torch.Tensor | None,
    step: torch.Tensor,
    size: int,
    *,
    pad: int,
    fill: torch.Tensor,
    labels: torch.Tensor | None = None,
    dtype: torch.dtype = torch.float32,
    out: torch.Tensor | None = None,
    out_labels: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Images order[step * size : (step + 1) * size], channels_last (size, C, H, W) of `dtype`, and their labels.

    images: uint8 (n, C, H, W) without a rim, any strides. table: from `levels`. order: int64 (n,). offsets: int64
    (2, n) and flips: bool (n,), by image, offsets in the image with a rim of `pad` whose colour is `fill`, uint8 (C,).
    step: int64 (1,), on the device, not changed; past the last image it starts again. labels: int64 (n,). Reads and
    writes each element once.
    """
    count, channels, height, width = images.shape
    if out is None:
        strides = (channels * height * width, 1, width * channels, channels)
        out = torch.empty_strided((size, channels, height, width), strides, dtype=dtype, device=images.device)
    if labels is not None and out_labels is None:
        out_labels = torch.empty(size, dtype=labels.dtype, device=labels.device)
    if not chosen(images, out):
        return reference.batch(
            images,
            table,
            order,
            offsets,
            flips,
            step,
            size,
            pad=pad,
            fill=fill,
            labels=labels,
            out=out,
            out_labels=out_labels,
        )
    from igcnas.kernels.source import augment as source

    source.gather[(size * -(-channels * height * width // ELEMENTS),)](
        images,
        order if labels is None else labels,
        table,
        fill,
        order,
        offsets,
        order if flips is None else flips,
        step,
        out,
        order if out_labels is None else out_labels,
        count,
        size,
        channels,
        height,
        width,
        *images.stride(),
        pad,
        ELEMENTS=ELEMENTS,
        FLIP=flips is not None,
        LABELS=labels is not None,
        **sizes.launch(4),
    )
    return out, out_labels
