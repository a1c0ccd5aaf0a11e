"""Layers that drop inputs in stages during training: learned group convolution, and a linear layer (CondenseNet)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from igcnas.layers.learned import LearnedModule
from igcnas.primitives import Linear


class CondensingLinear(LearnedModule):
    """Linear layer that keeps `layer.kept_inputs` of its inputs. Input (B, in), output (B, out)."""

    def __init__(self, layer: Linear) -> None:
        super().__init__()
        self.layer = layer
        self.weight = nn.Parameter(torch.empty(layer.out_features, layer.in_features))
        self.bias = nn.Parameter(torch.zeros(layer.out_features)) if layer.bias else None
        self.register_buffer("mask", torch.ones(layer.in_features))
        nn.init.normal_(self.weight, std=0.01)

    def forward(self, x_BC: torch.Tensor) -> torch.Tensor:
        """Multiply by the masked weight."""
        return functional.linear(x_BC, self.weight * self.get_buffer("mask"), self.bias)
