"""Batch norm whose statistics are those of the whole batch, when processes share it.

torch's SyncBatchNorm needs CUDA; this one runs wherever all_reduce does. Parameters, buffers and their names are those
of the batch norm that it replaces, so checkpoints are the same with any number of processes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import distributed, nn

from igcnas.training.distributed import World

_Norm = nn.modules.batchnorm._BatchNorm


class _MeanOverProcesses(torch.autograd.Function):
    """Mean of a tensor over all processes; so is its gradient, as each process has a loss of its own."""

    @staticmethod
    def forward(_ctx: Any, tensor: torch.Tensor) -> torch.Tensor:
        return _mean(tensor)

    @staticmethod
    def backward(_ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        return _mean(grad)


def _mean(tensor: torch.Tensor) -> torch.Tensor:
    tensor = tensor.contiguous().clone()
    distributed.all_reduce(tensor)
    return tensor / distributed.get_world_size()


class WholeBatchNorm(_Norm):
    """Batch norm of (B, C, ...) over equal parts of a batch; in evaluation like any other."""

    def _check_input_dim(self, input: torch.Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"batch norm takes (B, C, ...), not {tuple(input.shape)}")

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Normalise."""
        if not self.training:
            return super().forward(input)
        x = input if input.dtype == torch.float64 else input.float()
        axes = [axis for axis in range(x.ndim) if axis != 1]
        shape = [1, -1] + [1] * (x.ndim - 2)
        mean: torch.Tensor = _MeanOverProcesses.apply(x.mean(axes))  # type: ignore[no-untyped-call]
        centred = x - mean.view(shape)
        # The mean first, then the squares around it: a difference of two large means would lose digits.
        variance: torch.Tensor = _MeanOverProcesses.apply(centred.square().mean(axes))  # type: ignore[no-untyped-call]
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            count = x.numel() // x.shape[1] * distributed.get_world_size()
            self.num_batches_tracked.add_(1)
            momentum = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
            with torch.no_grad():
                self.running_mean.lerp_(mean, momentum)
                self.running_var.lerp_(variance * (count / max(1, count - 1)), momentum)
        out = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            out = out * self.weight.view(shape) + self.bias.view(shape)
        return out.to(input.dtype)


def synchronise_norms(network: nn.Module, world: World) -> None:
    """Replace every batch norm in place; parameters and buffers stay the same objects."""
    if world.size == 1:
        return
    kind = nn.SyncBatchNorm if world.device is not None and world.device.type == "cuda" else WholeBatchNorm
    for name, child in list(network.named_children()):
        if isinstance(child, _Norm) and not isinstance(child, WholeBatchNorm | nn.SyncBatchNorm):
            setattr(network, name, _replacement(child, kind))
        else:
            synchronise_norms(child, world)


def _replacement(norm: _Norm, kind: type[_Norm]) -> nn.Module:
    new = kind(
        norm.num_features,
        eps=norm.eps,
        momentum=norm.momentum,
        affine=norm.affine,
        track_running_stats=norm.track_running_stats,
    )
    if norm.affine:
        new.weight, new.bias = norm.weight, norm.bias
    new.running_mean, new.running_var = norm.running_mean, norm.running_var
    new.num_batches_tracked = norm.num_batches_tracked
    new.training = norm.training
    return new
