"""Dynamic group convolution while it trains (Su et al., ECCV 2020, section 3).

Each head keeps its most salient input channels, in every image as many. Training starts with all of them and drops
more and more; evaluation always keeps what will be kept in the end, so that it judges the network that is exported.
"""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import nn

from igcnas.grouping import DynamicChannels
from igcnas.layers.gated import SalientConv, gated_arguments
from igcnas.layers.learned import LearnedModule
from igcnas.layers.precision import wide
from igcnas.primitives import Convolution

_FINE = 10**6


class DynamicConv(LearnedModule, SalientConv):
    """A convolution with saliency generators. Input (B, in, H, W), output (B, out, H', W').

    The generators are trained like any weights, with weight decay, as in the authors' code: nothing is in `decides`.
    """

    remembers = ("mean_saliency",)

    def __init__(self, layer: Convolution) -> None:
        assert isinstance(layer.learned, DynamicChannels)
        super().__init__(**gated_arguments(layer))
        self.grouping, self.last_kept = layer.learned, self.kept
        self.mean_saliency: torch.Tensor | None = None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """He normal; every saliency starts around 1."""
        for weight in (self.weight, self.squeeze.weight, self.expand.weight):
            nn.init.kaiming_normal_(weight, nonlinearity="relu")
        assert self.expand.bias is not None
        nn.init.ones_(self.expand.bias)

    @property
    def recordable(self) -> bool:
        """No: the number of channels that are kept is one of the host, and changes the selection itself."""
        return False

    def begin_step(self, progress: float) -> None:
        """The number of channels follows the progress: from all at dgc_from to those that stay at dgc_until."""
        start, end = self.rules.dgc_from, self.rules.dgc_until
        channels = self.weight.shape[1]
        dropped = channels * (1 - self.grouping.keep)
        if progress < end:
            # In the order of the authors' code, which multiplies by 3 / 2: at a half the last bit decides.
            span = Fraction(end - start).limit_denominator(_FINE) if end > start else Fraction(1)
            dropped = dropped * span.denominator / span.numerator * max(0.0, progress - start)
        self.kept = max(self.last_kept, channels - round(dropped))

    def train(self, mode: bool = True) -> DynamicConv:
        """Evaluation keeps the last number."""
        if not mode:
            self.kept = self.last_kept
        super().train(mode)
        return self

    def saliency(self, context_BC: torch.Tensor) -> torch.Tensor:
        """(B, heads, in); its mean, added over the heads, is remembered for the penalty."""
        with torch.autocast(context_BC.device.type, enabled=False):
            saliency = super().saliency(wide(context_BC))
        self.mean_saliency = saliency.mean((0, 2)).sum()
        return saliency

    def penalty(self) -> torch.Tensor | None:
        """saliency_weight times the mean saliency, added over the heads."""
        assert self.mean_saliency is not None, "the penalty is known after a forward pass"
        return self.rules.saliency_weight * self.mean_saliency

    def __getstate__(self) -> dict[str, object]:
        """Copies and pickles leave out the mean of the last pass, which hangs on its graph."""
        return {**self.__dict__, "mean_saliency": None}
