"""Batches on a CPU: window, mirror and normalisation of the chosen images in one pass over the bytes."""

from __future__ import annotations

import numpy as np
import torch

from igcnas.execution.cpu.compiled import kernel


@kernel
def _gather(images, chosen, tops, lefts, mirrored, table, out):
    count, channels, height, width = out.shape
    for i in range(count):
        n, top, left = chosen[i], tops[i], lefts[i]
        for c in range(channels):
            values = table[c]
            for h in range(height):
                line, to = images[n, c, top + h], out[i, c, h]
                if mirrored[i]:
                    for w in range(width):
                        to[w] = values[line[left + width - 1 - w]]
                else:
                    for w in range(width):
                        to[w] = values[line[left + w]]


def gather(
    padded_NCHW: torch.Tensor,
    chosen_B: torch.Tensor,
    offsets_2B: torch.Tensor,
    flips_B: torch.Tensor | None,
    size: torch.Size,
    levels_C256: torch.Tensor,
) -> torch.Tensor:
    """float32 (B, C, H, W): `augment.crop` of uint8 images, each level replaced by levels[channel, level]."""
    out = np.empty((len(chosen_B), padded_NCHW.shape[1], *size), np.float32)
    flips = np.zeros(len(chosen_B), np.bool_) if flips_B is None else flips_B.numpy()
    tops, lefts = offsets_2B.numpy()
    _gather(padded_NCHW.numpy(), chosen_B.numpy(), tops, lefts, flips, levels_C256.numpy(), out)
    return torch.from_numpy(out)
