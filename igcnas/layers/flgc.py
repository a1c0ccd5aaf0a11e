"""Fully learnable group convolution: a 1x1 convolution whose mask is the product of two learned one-hot assignments.

Wang et al., CVPR 2019 (arXiv:1904.00346), section 3: S (input channels x G) and T (filters x G) are logits; a row
softmax, its one-hot in the forward pass, the softmax in the backward pass; weight (o, i) lives iff both have one group.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from igcnas.grouping import LearnedGrouping
from igcnas.layers.learned import LearnedModule
from igcnas.primitives import Convolution


def assign(probabilities: torch.Tensor, *, balanced: bool) -> torch.Tensor:
    """Group of each row of a (channels, groups) matrix; int64 of shape (channels,).

    Free: the largest entry, the first where several are. Balanced: every group gets channels / groups rows. Groups
    choose in turn the rows that prefer them by the largest margin over the groups that have not chosen; where the free
    assignment is balanced, the result is the same.
    """
    if not balanced:
        return probabilities.argmax(1)
    channels, groups = probabilities.shape
    result = torch.full((channels,), groups - 1, device=probabilities.device)
    taken = torch.zeros(channels, dtype=torch.bool, device=probabilities.device)
    for group in range(groups - 1):
        margin = probabilities[:, group] - probabilities[:, group + 1 :].amax(1)
        chosen = margin.masked_fill(taken, -torch.inf).topk(channels // groups).indices
        result[chosen] = group
        taken[chosen] = True
    return result


class FullyLearnableGroupConv(LearnedModule):
    """1x1 convolution with learned grouping. Input (B, in, H, W), output (B, out, H', W')."""

    decides = ("in_logits", "out_logits")

    def __init__(self, layer: Convolution) -> None:
        super().__init__()
        assert isinstance(layer.learned, LearnedGrouping)
        self.stride = layer.stride
        self.grouping = layer.learned
        self.weight = nn.Parameter(torch.empty(layer.out_channels, layer.in_channels, 1, 1))
        self.in_logits = nn.Parameter(torch.empty(layer.in_channels, layer.learned.groups))
        self.out_logits = nn.Parameter(torch.empty(layer.out_channels, layer.learned.groups))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Kaiming normal for the fan-in that survives the mask; assignments start from N(0, 1), as published."""
        fan_in = max(1.0, self.weight.shape[1] / self.grouping.groups)
        nn.init.normal_(self.weight, std=(2.0 / fan_in) ** 0.5)
        nn.init.normal_(self.in_logits)
        nn.init.normal_(self.out_logits)

    def assignments(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Group of each input channel (in,) and of each filter (out,)."""
        with torch.no_grad():
            return (
                assign(self.in_logits.softmax(1), balanced=self.grouping.balanced),
                assign(self.out_logits.softmax(1), balanced=self.grouping.balanced),
            )

    def mask(self) -> torch.Tensor:
        """(out, in) matrix of zeros and ones, with the gradient of the softmaxes."""
        return self._one_hot(self.out_logits) @ self._one_hot(self.in_logits).T

    def _one_hot(self, logits: torch.Tensor) -> torch.Tensor:
        soft = logits.float().softmax(1)
        groups = assign(soft.detach(), balanced=self.grouping.balanced)
        hard = functional.one_hot(groups, self.grouping.groups).to(soft.dtype)
        # (hard - soft) is exact only up to rounding when soft is added again; a mask must be exactly 0 or 1.
        return _StraightThrough.apply(soft, hard)  # type: ignore[no-any-return, no-untyped-call]

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Convolve with the masked weight."""
        weight = self.weight * self.mask()[:, :, None, None].to(self.weight.dtype)
        return functional.conv2d(x_BCHW, weight.to(x_BCHW.dtype), stride=self.stride)


class _StraightThrough(torch.autograd.Function):
    """Forward the hard value, backward to the soft one."""

    @staticmethod
    def forward(_ctx: object, _soft: torch.Tensor, hard: torch.Tensor) -> torch.Tensor:
        return hard

    @staticmethod
    def backward(_ctx: object, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        return grad, None
