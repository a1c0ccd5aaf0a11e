"""Dynamic group convolution while it trains (Su et al., ECCV 2020, section 3).

Each head keeps its most salient input channels, in every image as many. Training starts with all of them and drops
more and more; evaluation always keeps what will be kept in the end, so that it judges the network that is exported.
"""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import nn
from torch.nn import functional

from igcnas.modules.layers.gated import SalientConv, gated_arguments
from igcnas.modules.layers.layout import pixel_average
from igcnas.modules.layers.learned import GatedModule, grouping_of
from igcnas.modules.layers.numbers import StepNumber
from igcnas.modules.layers.precision import wide
from igcnas.network.grouping import DynamicChannels
from igcnas.network.primitives import Convolution

_FINE = 10**6


class DynamicConv(GatedModule, SalientConv):
    """A convolution with saliency generators. Input (B, in, H, W), output (B, out, H', W').

    The generators are trained like any weights, with weight decay, as in the authors' code: nothing is in `decides`.
    """

    remembers = ("mean_saliency",)
    frozen = SalientConv

    def __init__(self, layer: Convolution) -> None:
        super().__init__(**gated_arguments(layer))
        self.grouping, self.last_kept = grouping_of(layer, DynamicChannels), self.kept
        self.number_kept = StepNumber(self.kept)
        self.mean_saliency: torch.Tensor | None = None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """He normal; every saliency starts around 1."""
        for weight in (self.weight, self.squeeze.weight, self.expand.weight):
            nn.init.kaiming_normal_(weight, nonlinearity="relu")
        assert self.expand.bias is not None
        nn.init.ones_(self.expand.bias)

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
        self.number_kept.set(self.kept)

    def place_numbers(self, device: torch.device) -> None:
        """The number of channels that are kept lies on the device."""
        self.number_kept.place(device)

    def choose(self, saliency: torch.Tensor) -> torch.Tensor:
        """As in evaluation, by the number that this step keeps; where that lies on the device, from sorted saliencies.

        Equal to the selection by top-k: only the saliency of the last one that is kept, or of the first one that is
        not, is asked for.
        """
        kept = self.number_kept.on(saliency.device)
        if not self.training or not isinstance(kept, torch.Tensor):
            return super().choose(saliency)
        ordered = functional.pad(saliency.sort(2, descending=True).values, (0, 1), value=-torch.inf)
        if self.drop_ties:
            return (saliency > ordered.index_select(2, kept.view(1))).to(saliency.dtype)
        least = ordered.index_select(2, kept.view(1) - 1)
        more, equal = (saliency > least).to(saliency.dtype), (saliency == least).to(saliency.dtype)
        return more + equal * (equal.cumsum(2) <= kept - more.sum(2, keepdim=True)).to(saliency.dtype)

    def train(self, mode: bool = True) -> DynamicConv:
        """Evaluation keeps the last number."""
        if not mode:
            self.kept = self.last_kept
        super().train(mode)
        return self

    def average(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Over the pixels."""
        return pixel_average(x_BCHW)

    def saliency(self, context_BC: torch.Tensor) -> torch.Tensor:
        """(B, heads, in); its mean, added over the heads, is remembered for the penalty."""
        with torch.autocast(context_BC.device.type, enabled=False):
            saliency = super().saliency(wide(context_BC))
        self.mean_saliency = saliency.mean((0, 2)).sum()
        return saliency

    def filters_at_start(self) -> int:
        """Those of one head: the authors' layer is one convolution a head."""
        return len(self.weight) // self.heads

    def choices(self, *inputs: torch.Tensor) -> torch.Tensor:
        """By the saliencies of this input."""
        return self.choose(self.saliency(inputs[0].mean((2, 3))))

    def open_gates(self) -> None:
        """Every saliency 1, and all chosen."""
        self.saliency = lambda context: context.new_ones(len(context), self.heads, context.shape[1])  # type: ignore
        self.choose = torch.ones_like  # type: ignore

    def penalty(self) -> torch.Tensor | None:
        """saliency_weight times the mean saliency, added over the heads."""
        assert self.mean_saliency is not None, "the penalty is known after a forward pass"
        return self.rules.saliency_weight * self.mean_saliency

    def __getstate__(self) -> dict[str, object]:
        """Copies and pickles leave out the mean of the last pass, which hangs on its graph."""
        return {**self.__dict__, "mean_saliency": None}
