"""Dynamic group convolution while it trains (Su et al., ECCV 2020, section 3).

Each head keeps its most salient input channels, in every image as many. Training starts with all of them and drops
more and more; evaluation always keeps what will be kept in the end, so that it judges the network that is exported.
"""

from __future__ import annotations

import torch
from torch import nn

from igcnas.grouping import DynamicChannels
from igcnas.layers.gated import SalientConv, gated_arguments
from igcnas.layers.learned import LearnedModule
from igcnas.primitives import Convolution


class DynamicConv(LearnedModule, SalientConv):
    """A convolution with saliency generators. Input (B, in, H, W), output (B, out, H', W')."""

    decides = ("squeeze", "expand")

    def __init__(self, layer: Convolution) -> None:
        assert isinstance(layer.learned, DynamicChannels)
        super().__init__(**gated_arguments(layer))
        self.grouping = layer.learned
        self.progress = 0.0
        self.mean_saliency: torch.Tensor | None = None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """He normal; every saliency starts around 1."""
        for weight in (self.weight, self.squeeze.weight, self.expand.weight):
            nn.init.kaiming_normal_(weight, nonlinearity="relu")
        assert self.expand.bias is not None
        nn.init.ones_(self.expand.bias)

    def begin_step(self, progress: float) -> None:
        """The schedule follows the progress."""
        self.progress = progress

    def kept_now(self) -> int:
        """Input channels that a head keeps: fewer as training goes on, from dgc_from to dgc_until; the last in eval."""
        if not self.training:
            return self.kept
        start, end = self.rules.dgc_from, self.rules.dgc_until
        done = (self.progress - start) / (end - start) if end > start else float(self.progress >= start)
        channels = self.weight.shape[1]
        dropped = round(channels * (1 - self.grouping.keep) * min(1.0, max(0.0, done)))
        return max(self.kept, channels - dropped)

    def select(self, saliency: torch.Tensor, kept: int) -> torch.Tensor:
        """Those that are kept now."""
        self.mean_saliency = saliency.mean((0, 2)).sum()
        return super().select(saliency, self.kept_now())

    def penalty(self) -> torch.Tensor | None:
        """saliency_weight times the mean saliency, added over the heads."""
        assert self.mean_saliency is not None, "the penalty is known after a forward pass"
        return self.rules.saliency_weight * self.mean_saliency

    def __getstate__(self) -> dict[str, object]:
        """Copies and pickles leave out the mean of the last pass, which hangs on its graph."""
        return {**self.__dict__, "mean_saliency": None}
