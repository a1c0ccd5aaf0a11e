"""Dynamic group convolution: each image chooses the input channels of each head by their saliency.

Su et al., "Dynamic Group Convolution for Accelerating Convolutional Neural Networks", ECCV 2020. Each head scores the
input channels of its own layer by two linear layers on their means, keeps the highest scores, multiplies the channels
by them, and makes its share of the output. Every image keeps as many channels, so the MACs are exact before training.

Ties. Where a generator's hidden features are all 0, its channels have their biases for saliency: equal ones, while
these are fresh. The authors' code drops every channel that is not more salient than the highest one that must go, so it
may keep fewer than planned, and of a head with fresh biases none. Here exactly as many as planned stay, of equal ones
the first; `ties` = 'dropped' is the authors' rule, with which the MACs are those at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from igcnas.network.grouping.base import ChosenByImage
from igcnas.network.learned import Overhead
from igcnas.network.primitives import Activation, Convolution, Layer, Norm, Permutation, Size
from igcnas.system.checks import require, require_bool, require_divides, require_positive
from igcnas.units import counted

TIES = ("first", "dropped")
_SMALL = 80  # input channels below which the saliency generator is squeezed less, in the authors' code


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicChannels(ChosenByImage):
    """`heads` heads that keep a share `keep` of their input channels in every image (the authors' gate factor).

    `normalize`: a batch norm and a ReLU in front, within the layer, as in the authors' residual networks; dense layers
    have them anyhow. `ties`: which of equally salient channels stay, the 'first' ones, or none ('dropped').
    """

    kind: ClassVar[str] = "dgc"
    counter: ClassVar[str] = "condensenet"
    heads: int
    keep: float = 0.25
    normalize: bool = False
    ties: str = "first"

    def __post_init__(self) -> None:
        require_positive(heads=self.heads)
        require(isinstance(self.keep, float) and 0 < self.keep <= 1, f"keep must be in (0, 1], but is {self.keep!r}")
        require_bool(normalize=self.normalize)
        require(self.ties in TIES, f"ties must be one of {TIES}, but is {self.ties!r}")

    def check(self, in_channels: int, out_channels: int) -> None:
        """Heads divide the output channels."""
        require_divides(self.heads, out_channels, "the output of a dynamic group convolution")

    def kept_inputs(self, in_channels: int) -> int:
        """Input channels that a head keeps in every image, once training is over."""
        return max(1, in_channels - round(in_channels * (1 - self.keep)))

    def connections(self, in_channels: int, out_channels: int) -> int:
        """Exact before training."""
        return self.kept_inputs(in_channels) * out_channels

    def hidden(self, in_channels: int) -> int:
        """Hidden features of a saliency generator."""
        return max(1, in_channels // (8 if in_channels < _SMALL else 16))

    def overhead(self, in_channels: int, out_channels: int, context_channels: int) -> Overhead:
        """Two linear layers a head, C to hidden without and hidden to C with bias."""
        hidden = self.hidden(in_channels)
        weights = 2 * self.heads * in_channels * hidden
        return Overhead(
            macs=weights,
            params=weights + self.heads * in_channels,
            bias_outputs=self.heads * in_channels,
            hidden=self.heads * hidden,
        )

    def layers(
        self, name: str, in_channels: int, out_channels: int, kernel: int, stride: int, in_size: Size
    ) -> tuple[Layer, ...]:
        """One convolution that masks its own input, and the shuffle of its heads."""
        conv = Convolution(name, in_channels, out_channels, kernel, stride, 1, in_size, self)
        shuffle = Permutation(f"{name}_shuffle", out_channels, self.heads)
        if not self.normalize:
            return (conv, shuffle)
        norm = Norm(f"{name}_norm", in_channels, in_size)
        return (norm, Activation(f"{name}_act", "relu", in_channels, in_size), conv, shuffle)

    def identity(self, in_channels: int, out_channels: int, context_channels: int) -> tuple[Any, ...] | None:
        """Heads, the share that is kept, and ties that are dropped; a norm in front is a layer of the plan."""
        ties = () if self.ties == "first" else (self.ties,)
        return self.kind, self.heads, self.keep, *ties

    def caption(self, in_channels: int) -> str:
        """As its paper."""
        return f"DGC: {counted(self.heads, 'head')}, each image keeps {self.keep:.0%}"

    def label(self) -> str:
        """As in D4k0.25; a d for ties that are dropped."""
        return f"D{self.heads}k{self.keep:g}" + ("d" if self.ties == "dropped" else "")

    def title(self) -> str:
        """As in DGC 2 heads, keep 0.5."""
        return f"DGC {counted(self.heads, 'head')}, keep {self.keep:g}"

    def gate_arguments(self, in_channels: int, context_channels: int) -> dict[str, Any]:
        """Heads, the size of the generators, the inputs that stay; and ties, where they are dropped."""
        found = {"heads": self.heads, "hidden": self.hidden(in_channels), "kept": self.kept_inputs(in_channels)}
        return found | ({"drop_ties": True} if self.ties == "dropped" else {})
