"""Convolutions by torch's library (cuDNN, oneDNN), on tensors in the layout that the device can be trusted with.

On CUDA that is channels_last. On a CPU it is the plain one: oneDNN's kernels for processors without AVX-512 write out
of bounds in the backward pass of a small or grouped convolution in channels_last (torch 2.13), which ends the process
or, worse, does not. What comes back is channels_last on every device.
"""

from __future__ import annotations

import torch
from torch.nn import functional


def convolution(x: torch.Tensor, weight: torch.Tensor, *, stride: int, pad: int, groups: int) -> torch.Tensor:
    """conv2d."""
    y = functional.conv2d(_trusted(x), _trusted(weight), stride=stride, padding=pad, groups=groups)
    return y.contiguous(memory_format=torch.channels_last)


def convolution_backward(
    d: torch.Tensor,
    x: torch.Tensor,
    weight: torch.Tensor,
    *,
    stride: int,
    pad: int,
    groups: int,
    wanted: tuple[bool, bool],
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """The gradients of x and of the weight, those that are wanted; None for the other."""
    strides, pads, ones = [stride, stride], [pad, pad], [1, 1]
    operands = (_trusted(d), _trusted(x), _trusted(weight))
    dx, dw, _ = torch.ops.aten.convolution_backward(
        *operands, None, strides, pads, ones, False, [0, 0], groups, [*wanted, False]
    )
    return (dx.contiguous(memory_format=torch.channels_last) if wanted[0] else None), (dw if wanted[1] else None)


def _trusted(tensor: torch.Tensor) -> torch.Tensor:
    """In the layout for its device. Strides decide, also where both layouts are the same memory: torch goes by them."""
    if tensor.device.type != "cpu":
        return tensor.contiguous(memory_format=torch.channels_last)
    plain = torch.empty(tensor.shape, dtype=tensor.dtype)
    return tensor if tensor.stride() == plain.stride() else plain.copy_(tensor)
