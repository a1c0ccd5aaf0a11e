"""What a stack of linear layers is equal to: one dense convolution with the composed kernel.

A group convolution is a dense convolution with a block-sparse kernel; a permutation is a 1x1 convolution with a
permutation matrix; a product of these with one spatial convolution among them is again a convolution (IGC V1, section
3: x' = P W^d P^T W^p x). Kernels are of shape (out, in, k, k).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from igcnas.errors import ArchitectureError
from igcnas.modules.layers import GatherChannels, SplitConv


def dense_kernel(module: nn.Module) -> torch.Tensor:
    """The kernel (out, in, k, k) with which a dense convolution equals a group convolution or a permutation."""
    if isinstance(module, nn.Conv2d):
        if module.bias is not None:
            raise ArchitectureError("a convolution with a bias is not linear and has no composed kernel")
        return _diagonal(list(module.weight.chunk(module.groups)))
    if isinstance(module, SplitConv):
        like = next((parameter for parameter in module.parameters()), torch.empty(0))
        sizes = enumerate(zip(module.in_groups, module.out_groups, strict=True))
        return _diagonal(
            [
                module.get_parameter(f"convs.{group}.weight")
                if str(group) in module.convs
                else like.new_zeros(outputs, inputs, 1, 1)
                for group, (inputs, outputs) in sizes
            ]
        )
    if isinstance(module, GatherChannels):
        indices = module.get_buffer("indices")
        return torch.eye(len(indices), device=indices.device, dtype=torch.float64)[indices][:, :, None, None]
    raise ArchitectureError(f"a {type(module).__name__} is not linear and has no kernel")


def composed_kernel(module: nn.Module) -> torch.Tensor:
    """The kernel (out, in, k, k) of the one convolution that convolutions and permutations in order are equal to.

    One of them may have a kernel beyond 1x1 or a stride: two of these cut the border twice, which no one convolution
    does. Stride and padding of the composition are those of that layer. Anything that is not linear, such as a norm or
    an activation, is refused.
    """
    layers = list(_flat(module))
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    spatial = [layer for layer in convolutions if max(*layer.kernel_size, *layer.stride) > 1]
    if len(spatial) > 1:
        raise ArchitectureError(f"{len(spatial)} spatial convolutions in a row equal no single one at the border")
    if not layers:
        raise ArchitectureError("a composed kernel needs at least one layer")
    dtype = next((parameter.dtype for parameter in module.parameters()), torch.get_default_dtype())
    kernel, *rest = (dense_kernel(layer).to(dtype) for layer in layers)
    for following in rest:
        kernel = after(following, kernel)
    return kernel


def _flat(module: nn.Module) -> Iterator[nn.Module]:
    """The layers of nested sequences in order."""
    if isinstance(module, nn.Sequential):
        for child in module:
            yield from _flat(child)
    else:
        yield module


def after(second: torch.Tensor, first: torch.Tensor) -> torch.Tensor:
    """The dense kernel of `second` behind `first`, both dense, (out, in, k, k), at least one of them 1x1."""
    if second.shape[-1] == 1:
        return torch.einsum("om,mikl->oikl", second[:, :, 0, 0], first)
    return torch.einsum("omkl,mi->oikl", second, first[:, :, 0, 0])


def _diagonal(blocks: list[torch.Tensor]) -> torch.Tensor:
    """The kernel with these (outputs, inputs, k, k) blocks on its diagonal, zeros elsewhere."""
    width = sum(block.shape[1] for block in blocks)
    rows, start = [], 0
    for block in blocks:
        row = block.new_zeros(block.shape[0], width, *block.shape[2:])
        row[:, start : start + block.shape[1]] = block
        rows.append(row)
        start += block.shape[1]
    return torch.cat(rows)
