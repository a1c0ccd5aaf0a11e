"""Convolutions of which each image chooses the input channels, as they are used after training: no noise, no schedule.

GatedConv: MSGC (Su et al., TNNLS 2024, arXiv:2304.06305). SalientConv: DGC (Su et al., ECCV 2020). Masked channels are
multiplied by zero, which saves nothing by itself; igcnas/modules/reorganised.py gathers the kept ones. The classes
also stand in exported model.py files (see export/source.py): they import torch alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import torch
from torch import nn

from igcnas.network.primitives import Convolution, GatedConvolution
from igcnas.network.upstream import Reader


class GatedConv(nn.Module):
    """Head h makes the h-th share of the outputs from the inputs that its mask keeps for this image, with attention.

    Both are made from context_BC, the mean over the pixels of a block's input. The weight is that of a dense
    convolution. Input (B, in, H, W), output (B, out, H', W').
    """

    gated: Final[bool] = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        heads: int,
        context: int,
        hidden: int,
        attention: bool,
    ) -> None:
        super().__init__()
        self.heads, self.stride, self.padding = heads, stride, kernel // 2
        self.weight = nn.Parameter(torch.zeros(out_channels, in_channels, kernel, kernel))
        generators = [
            nn.Sequential(
                nn.Linear(context, hidden, bias=False),
                nn.BatchNorm1d(hidden),
                nn.ReLU(),
                nn.Linear(hidden, heads * in_channels),
            )
            for _ in range(2 if attention else 1)
        ]
        self.mask_generator = generators[0]
        self.attention_generator = generators[1] if attention else None

    def mask(self, context_BC: torch.Tensor) -> torch.Tensor:
        """Ones where a head keeps a channel, else zeros: (B, heads * in)."""
        return self.decide(self.mask_generator(context_BC))

    def decide(self, logits: torch.Tensor) -> torch.Tensor:
        """The mask that the generator's logits mean."""
        return (logits >= 0).to(logits.dtype)

    def gates(self, context_BC: torch.Tensor) -> torch.Tensor:
        """What each head's copy of the input is multiplied by: (B, heads * in)."""
        gates = self.mask(context_BC)
        if self.attention_generator is not None:
            gates = gates * self.attention_generator(context_BC)
        return gates

    def forward(self, x_BCHW: torch.Tensor, context_BC: torch.Tensor) -> torch.Tensor:
        """One group convolution over as many masked copies of the input as there are heads."""
        gates = self.gates(context_BC)
        copies = torch.cat([x_BCHW] * self.heads, 1) if self.heads > 1 else x_BCHW
        return nn.functional.conv2d(
            copies * gates[:, :, None, None].to(x_BCHW.dtype),
            self.weight,
            stride=self.stride,
            padding=self.padding,
            groups=self.heads,
        )


class SalientConv(nn.Module):
    """Head h makes the h-th share of the outputs from its `kept` most salient inputs, multiplied by their saliency.

    `drop_ties`: only those that are more salient than all others, so fewer where the last ones are equal.
    Input (B, in, H, W), output (B, out, H', W').
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        heads: int,
        hidden: int,
        kept: int,
        drop_ties: bool = False,
    ) -> None:
        super().__init__()
        self.drop_ties = drop_ties
        self.heads, self.kept, self.stride, self.padding = heads, kept, stride, kernel // 2
        self.weight = nn.Parameter(torch.zeros(out_channels, in_channels, kernel, kernel))
        self.squeeze = nn.Linear(in_channels, heads * hidden, bias=False)
        self.expand = nn.Conv1d(heads * hidden, heads * in_channels, 1, groups=heads)

    def saliency(self, context_BC: torch.Tensor) -> torch.Tensor:
        """How much each head wants each channel, at least 0: (B, heads, in); from the mean over the pixels."""
        hidden = torch.relu(self.squeeze(context_BC))
        return torch.relu(self.expand(hidden[:, :, None])).view(-1, self.heads, context_BC.shape[1])

    def choose(self, saliency: torch.Tensor) -> torch.Tensor:
        """Ones at the `kept` most salient channels of each head, else zeros; of equal ones the first.

        Ties are common (where a generator's hidden features are all 0, channels have their biases for saliency), and
        runtimes break them differently in a top-k.
        """
        if self.drop_ties and self.kept < saliency.shape[2]:
            return (saliency > saliency.topk(self.kept + 1, 2).values[:, :, -1:]).to(saliency.dtype)
        least = saliency.topk(self.kept, 2).values[:, :, -1:]
        more, equal = (saliency > least).to(saliency.dtype), (saliency == least).to(saliency.dtype)
        missing = self.kept - more.sum(2, keepdim=True)
        return more + equal * (equal.cumsum(2) <= missing).to(saliency.dtype)

    def average(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Over the pixels: (B, in)."""
        return x_BCHW.mean((2, 3))

    def gates(self, context_BC: torch.Tensor) -> torch.Tensor:
        """What each head's copy of the input is multiplied by: (B, heads * in)."""
        saliency = self.saliency(context_BC)
        return (saliency * self.choose(saliency)).flatten(1)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """One group convolution over as many weighted copies of the input as there are heads."""
        gates = self.gates(self.average(x_BCHW))
        copies = torch.cat([x_BCHW] * self.heads, 1) if self.heads > 1 else x_BCHW
        return nn.functional.conv2d(
            copies * gates[:, :, None, None].to(x_BCHW.dtype),
            self.weight,
            stride=self.stride,
            padding=self.padding,
            groups=self.heads,
        )


def gated_arguments(layer: Convolution | GatedConvolution) -> dict[str, Any]:
    """What the class for this layer is made with."""
    grouping = layer.grouping if isinstance(layer, GatedConvolution) else layer.learned
    shape: dict[str, Any] = {
        "in_channels": layer.in_channels,
        "out_channels": layer.out_channels,
        "kernel": layer.kernel,
        "stride": layer.stride,
    }
    assert grouping is not None, f"{layer.name} has no gates"
    return shape | grouping.gate_arguments(layer.in_channels, layer.context_channels)


def used_outputs(
    readers: Iterable[Reader],
    masks: Mapping[str, torch.Tensor],
    orders: dict[tuple[int, ...], torch.Tensor] | None = None,
) -> dict[str, torch.Tensor]:
    """For each source of a reader, by its path: which of its outputs some head keeps, bool (B, out).

    masks: for each reader, by its path, (B, heads, in), of ones and zeros or bool. orders: keeps the orders of sources
    as tensors on the device from one call to the next, where a call must carry nothing there.
    """
    orders = {} if orders is None else orders
    used: dict[str, torch.Tensor] = {}
    for reader in readers:
        kept_BC = masks[reader.path].bool().any(1)
        for source in reader.sources:
            used[source.path] = kept_BC
            if source.order:
                if source.order not in orders:
                    orders[source.order] = torch.tensor(source.order, device=kept_BC.device)
                used[source.path] = torch.zeros_like(kept_BC).index_copy(1, orders[source.order], kept_BC)
    return used


def connections(mask_BHC: torch.Tensor, used_BO: torch.Tensor | None, out_channels: int) -> torch.Tensor:
    """Channel pairs that meet in each image, int64 (B,): over the heads, kept inputs times outputs that are used."""
    kept_BH = mask_BHC.bool().sum(2)
    heads = mask_BHC.shape[1]
    if used_BO is None:
        return kept_BH.sum(1) * (out_channels // heads)
    return (kept_BH * used_BO.view(len(used_BO), heads, -1).sum(2)).sum(1)
