"""The torch module that trains the grouping: a dense weight with a mask. The rest of igcnas asks it for the mask."""

import torch
from torch import nn

from igcnas.modules.layers import MaskedConv, grouping_of
from igcnas.network.primitives import Convolution
from igcnas_example.grouping import Strongest


class StrongestConv(MaskedConv):
    """Input (B, in, H, W), output (B, out, H', W')."""

    def __init__(self, layer: Convolution) -> None:
        super().__init__()
        self.inputs = min(grouping_of(layer, Strongest).inputs, layer.in_channels)
        self.stride = layer.stride
        self.weight = nn.Parameter(torch.empty(layer.out_channels, layer.in_channels, layer.kernel, layer.kernel))
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def mask(self) -> torch.Tensor:
        """(out, in), ones in the columns of the inputs whose weights are the largest in sum."""
        strength = self.weight.detach().abs().sum((0, 2, 3))
        columns = torch.zeros_like(strength)
        columns[strength.topk(self.inputs).indices] = 1.0
        return columns.expand(len(self.weight), -1)
