"""A value that is exactly binary forwards and has the gradient of a smooth one backwards."""

from __future__ import annotations

import torch


def straight_through(soft: torch.Tensor, hard: torch.Tensor, *, only_chosen: bool = False) -> torch.Tensor:
    """`hard`, with its gradient passed to `soft`; `only_chosen` passes it only where `hard` is one.

    The usual `hard + soft - soft.detach()` is exact only up to rounding; a mask must be exactly 0 or 1.
    """
    return _StraightThrough.apply(soft, hard, only_chosen)  # type: ignore[no-any-return, no-untyped-call]


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, _soft: torch.Tensor, hard: torch.Tensor, only: bool
    ) -> torch.Tensor:
        if only:
            ctx.save_for_backward(hard)
        return hard

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        saved: tuple[torch.Tensor, ...] = ctx.saved_tensors  # type: ignore[attr-defined]
        return (grad * saved[0] if saved else grad), None, None
