"""Middle spectrum grouped convolution: each image chooses the input channels of each head of a convolution.

Su et al., "Boosting Convolutional Neural Networks with Middle Spectrum Grouped Convolution", TNNLS 2024
(arXiv:2304.06305). A convolution has `heads` heads; head h makes the h-th share of the
output channels from the input channels that its binary mask keeps. A small generator makes the masks of a block from
the mean over the pixels of the block's input. With one head it is pruning of input channels, image by image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from igcnas.network.grouping.base import ChosenByImage
from igcnas.network.learned import Overhead
from igcnas.network.primitives import Convolution, Layer, Size
from igcnas.system.checks import require, require_bool, require_divides, require_positive
from igcnas.units import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiSpectral(ChosenByImage):
    """`heads` heads that keep a share `keep` of their input channels on average; with or without attention.

    `reduction`: input channels of the block over hidden channels of the generator. The weight has the shape of a dense
    convolution, so pretrained weights load unchanged.
    """

    kind: ClassVar[str] = "msgc"
    reads_block: ClassVar[bool] = True
    counter: ClassVar[str] = "msgc"
    heads: int
    keep: float = 0.5
    attention: bool = False
    reduction: int = 4

    def __post_init__(self) -> None:
        require_positive(heads=self.heads, reduction=self.reduction)
        require(isinstance(self.keep, float) and 0 < self.keep <= 1, f"keep must be in (0, 1], but is {self.keep!r}")
        require_bool(attention=self.attention)

    def check(self, in_channels: int, out_channels: int) -> None:
        """Heads divide the output channels."""
        require_divides(self.heads, out_channels, "the output of a multi-head convolution")

    def connections(self, in_channels: int, out_channels: int) -> int:
        """The share that the penalty aims at; every image has its own."""
        return math.ceil(self.keep * in_channels * out_channels)

    def hidden(self, context_channels: int) -> int:
        """Hidden channels of a generator."""
        return max(1, context_channels // self.reduction)

    def overhead(self, in_channels: int, out_channels: int, context_channels: int) -> Overhead:
        """Two 1x1 convolutions on the pooled input, a batch norm between them; the same again for attention."""
        hidden, targets = self.hidden(context_channels), in_channels * self.heads
        weights = hidden * (context_channels + targets)
        one = Overhead(macs=weights, params=weights + 2 * hidden + targets, bias_outputs=targets, hidden=hidden)
        return Overhead(*(2 * value for value in one)) if self.attention else one

    def layers(
        self, name: str, in_channels: int, out_channels: int, kernel: int, stride: int, in_size: Size
    ) -> tuple[Layer, ...]:
        """One convolution that needs a context; the block puts it into a Gated sequence."""
        return (Convolution(name, in_channels, out_channels, kernel, stride, 1, in_size, self),)

    def identity(self, in_channels: int, out_channels: int, context_channels: int) -> tuple[Any, ...] | None:
        """Heads, the share that is kept, and the layers that decide."""
        return self.kind, self.heads, self.keep, self.attention, self.hidden(context_channels)

    def caption(self, in_channels: int) -> str:
        """As its paper."""
        return f"MSGC: {counted(self.heads, 'head')}, each image keeps {self.keep:.0%}"

    def label(self) -> str:
        """As in H4k0.5, with an a for attention."""
        return f"H{self.heads}k{self.keep:g}" + ("a" if self.attention else "")

    def title(self) -> str:
        """As in MSGC 2 heads, keep 0.5."""
        return f"MSGC {counted(self.heads, 'head')}, keep {self.keep:g}"

    @property
    def exact_macs(self) -> bool:
        """The penalty aims at them."""
        return False

    def gate_arguments(self, in_channels: int, context_channels: int) -> dict[str, Any]:
        """Heads, and the sizes of the generators."""
        return {
            "heads": self.heads,
            "context": context_channels,
            "hidden": self.hidden(context_channels),
            "attention": self.attention,
        }
