"""Small modules without learned structure. Shapes: x_BCHW is (batch, channels, height, width).

The bodies of these classes also stand in exported model.py files (see export/source.py): they import torch alone.
"""

from collections import OrderedDict

import torch
from torch import nn


class Add(nn.Module):
    """body(x) + shortcut(x)."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Sum of both branches."""
        total: torch.Tensor = self.body(x_BCHW) + self.shortcut(x_BCHW)
        return total


class AppendChannels(nn.Module):
    """The channels of x, then those of body(x)."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Concatenate along the channels."""
        return torch.cat((x_BCHW, self.body(x_BCHW)), 1)


class PadChannels(nn.Module):
    """Every stride-th pixel, and zeros for the channels that are new."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.before = (out_channels - in_channels) // 2
        self.after = out_channels - in_channels - self.before

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Subsample and pad on both sides."""
        return nn.functional.pad(self.sample(x_BCHW), (0, 0, 0, 0, self.before, self.after))

    def sample(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Every stride-th pixel."""
        return x_BCHW[:, :, :: self.stride, :: self.stride]


class GatedSequential(nn.Sequential):
    """Layers in order; those with a `gated` mark also take the mean over the pixels of what enters layer `skip`."""

    def __init__(self, layers: OrderedDict[str, nn.Module], skip: int = 0) -> None:
        super().__init__(layers)
        self.skip = skip

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Run the layers."""
        context_BC = self.average(x_BCHW)
        for index, layer in enumerate(self):
            if index == self.skip and index > 0:
                context_BC = self.average(x_BCHW)
            x_BCHW = layer(x_BCHW, context_BC) if hasattr(layer, "gated") else layer(x_BCHW)
        return x_BCHW

    def average(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Over the pixels: (B, C)."""
        return x_BCHW.mean((2, 3))


class GatherChannels(nn.Module):
    """Output channel j is input channel indices[j]; becomes one Gather in ONNX."""

    indices: torch.Tensor

    def __init__(self, indices: list[int]) -> None:
        super().__init__()
        self.register_buffer("indices", torch.tensor(indices), persistent=False)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Reorder channels."""
        return x_BCHW.index_select(1, self.indices)


class GlobalAveragePool(nn.Module):
    """Mean over height and width: (B, C, H, W) -> (B, C)."""

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """The mean over all pixels of each channel."""
        return self.average(x_BCHW)

    def average(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Over the pixels."""
        return x_BCHW.mean((2, 3))


class NormalizeInput(nn.Module):
    """(x - mean) / std for each channel of the image."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Normalize."""
        return (x_BCHW - self.mean) / self.std


class SplitConv(nn.Module):
    """1x1 group convolution with groups of different sizes; a group without inputs gives zeros, or its bias."""

    def __init__(self, in_groups: list[int], out_groups: list[int], bias: bool = False) -> None:
        super().__init__()
        self.in_groups = in_groups
        self.out_groups = out_groups
        groups = list(zip(in_groups, out_groups, strict=True))
        self.convs = nn.ModuleDict(
            {
                str(group): nn.Conv2d(inputs, outputs, 1, bias=False)
                for group, (inputs, outputs) in enumerate(groups)
                if inputs and outputs
            }
        )
        self.bias = nn.Parameter(torch.zeros(sum(out_groups))) if bias else None
        # Of each convolution: its first input, how many, and the outputs without inputs that come before it.
        self.pieces: list[tuple[int, int, int]] = []
        start, zeros = 0, 0
        for inputs, outputs in groups:
            if inputs and outputs:
                self.pieces.append((start, inputs, zeros))
                zeros = 0
            elif outputs:
                zeros += outputs
            start += inputs
        self.zeros = zeros

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Convolve each group; concatenate."""
        outputs: list[torch.Tensor] = []
        for piece, conv in enumerate(self.convs.values()):
            start, inputs, zeros = self.pieces[piece]
            if zeros:
                outputs.append(torch.zeros_like(x_BCHW[:, :1]).expand(-1, zeros, -1, -1))
            outputs.append(conv(x_BCHW[:, start : start + inputs]))
        if self.zeros:
            outputs.append(torch.zeros_like(x_BCHW[:, :1]).expand(-1, self.zeros, -1, -1))
        y_BCHW = torch.cat(outputs, 1)
        return y_BCHW if self.bias is None else y_BCHW + self.bias[:, None, None]
