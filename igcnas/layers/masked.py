"""Layers that multiply their weight by a mask that training decides."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch.nn import functional

from igcnas.layers.learned import LearnedModule


class MaskedConv(LearnedModule, ABC):
    """A dense convolution with a masked weight. Input (B, in, H, W), output (B, out, H', W')."""

    weight: torch.nn.Parameter
    stride: int

    @abstractmethod
    def mask(self) -> torch.Tensor:
        """(out, in) matrix of zeros and ones."""

    def masked_weight(self) -> torch.Tensor:
        """The weight that convolves, (out, in, k, k), with the gradients of weight and mask."""
        return self.weight * self.mask()[:, :, None, None].to(self.weight.dtype)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Convolve with the masked weight."""
        weight = self.masked_weight().to(x_BCHW.dtype)
        return functional.conv2d(x_BCHW, weight, stride=self.stride, padding=weight.shape[2] // 2)
