"""How work is cut into programs. Fixed rules: no trying at run time, few binaries, the same sums on every device."""

from __future__ import annotations

import torch

# Programs of a launch that reduces: enough to fill 132 multiprocessors with eight pairs of warps, and few enough that
# their partial results are small beside the activations.
PROGRAMS = 2048
# Rows of partial results and channels that a program takes at a time when it adds them up.
PARTS, PART_CHANNELS = 128, 16


def unit(*channels: int) -> int:
    """8 where it divides them all: rows then start at multiples of 16 bytes in bf16. Otherwise 1."""
    return 8 if all(number % 8 == 0 for number in channels) else 1


def channel_block(channels: int) -> int:
    """64 channels (in bf16 a cache line), or 32 where less is left over."""
    return min((64, 32), key=lambda size: -(-channels // size) * size)


def parts(tiles: int, blocks: int, programs: int = PROGRAMS) -> int:
    """Programs that share `tiles` tiles of each of `blocks` blocks of channels, each with nearly as many tiles."""
    most = max(1, programs // blocks)
    each = -(-tiles // most)
    return -(-tiles // each)


def launch(warps: int) -> dict[str, int | bool]:
    """Options of a launch. A product and a sum are one operation: versions of Triton differ in what they assume."""
    return {"num_warps": warps, "enable_fp_fusion": True}


def empty_vectors(number: int, channels: int, like: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """fp32 vectors over channels, on the device of `like`, in one allocation each."""
    return tuple(torch.empty(channels, dtype=torch.float32, device=like.device) for _ in range(number))


def output(like: torch.Tensor, channels: int, height: int, width: int) -> torch.Tensor:
    """A channels_last tensor of the batch, type and device of `like`."""
    return torch.empty_strided(
        (like.shape[0], channels, height, width),
        (channels * height * width, 1, width * channels, channels),
        dtype=like.dtype,
        device=like.device,
    )
