"""A grouping that training decides: every filter reads the same few input channels, those of the largest weights."""

from dataclasses import dataclass
from typing import ClassVar

from igcnas.network.grouping import DecidedOnce
from igcnas.network.primitives import Convolution, Layer, Size
from igcnas.system.checks import require_positive


@dataclass(frozen=True, slots=True, kw_only=True)
class Strongest(DecidedOnce):
    """`inputs` input channels are read, all others are dropped."""

    kind: ClassVar[str] = "strongest"
    torch_module: ClassVar[str] = "igcnas_example.layer:StrongestConv"
    inputs: int

    def __post_init__(self) -> None:
        require_positive(inputs=self.inputs)

    def check(self, in_channels: int, out_channels: int) -> None:
        """Any channels will do."""

    def connections(self, in_channels: int, out_channels: int) -> int:
        """Pairs that meet: known before training."""
        return min(self.inputs, in_channels) * out_channels

    def layers(
        self, name: str, in_channels: int, out_channels: int, kernel: int, stride: int, in_size: Size
    ) -> tuple[Layer, ...]:
        """One convolution, of which training decides the inputs."""
        return (Convolution(name, in_channels, out_channels, kernel, stride, 1, in_size, self),)

    def label(self) -> str:
        """As in S8."""
        return f"S{self.inputs}"
