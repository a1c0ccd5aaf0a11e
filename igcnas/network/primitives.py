"""The primitive layers that every network is made of, with names and shapes, and the ways to combine them.

A plan is a tree: leaves are primitives, a Sequence runs its layers in order, a Gated sequence also shows each of its
layers a summary of its input, a Residual adds a shortcut to a body, a Concat appends a body's output to its input. The
names of the tree are the names of the torch modules, so a count and a module can be compared layer by layer. Tuples,
because a search makes thousands of them a second. Sizes are (height, width); a convolution pads by kernel // 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from igcnas.network.learned import Learned

Size: TypeAlias = tuple[int, int]


def halve(size: Size, stride: int) -> Size:
    """Size after a padded convolution with this stride: the ceiling of the quotient.

    >>> halve((7, 8), 2)
    (4, 4)
    """
    return (-(-size[0] // stride), -(-size[1] // stride))


class Convolution(NamedTuple):
    """A kernel x kernel convolution; `learned` means that training decides which channels meet.

    `context_channels`: where it decides for each image by a summary of the input of the enclosing Gated sequence, the
    channels of that input. `skipped_macs`: multiply-accumulates that an average image does not need, because no head
    of the gated convolution behind it reads their outputs; only lowered plans have them. `bias`: one number an output
    is added; only plans in which norms are folded have it.
    """

    name: str
    in_channels: int
    out_channels: int
    kernel: int
    stride: int
    groups: int
    in_size: Size
    learned: Learned | None = None
    context_channels: int = 0
    skipped_macs: int = 0
    bias: bool = False

    @property
    def out_size(self) -> Size:
        """(height, width) of the output."""
        return halve(self.in_size, self.stride)

    @property
    def connections(self) -> int:
        """Pairs (input channel, output channel) that meet; for learned grouping the number expected before training."""
        if self.learned is not None:
            return self.learned.connections(self.in_channels, self.out_channels)
        return self.in_channels * self.out_channels // self.groups

    @property
    def kept_weights(self) -> int:
        """Channel pairs that keep a weight after training: more than meet in one image where each image chooses."""
        if self.learned is not None:
            return self.learned.kept(self.in_channels, self.out_channels)
        return self.connections


class GatedConvolution(NamedTuple):
    """A trained convolution of which each image still chooses the input channels: what MSGC and DGC become.

    `macs`: multiply-accumulates of the convolution for an average image, without those of its generators.
    """

    name: str
    in_channels: int
    out_channels: int
    kernel: int
    stride: int
    in_size: Size
    grouping: Learned
    context_channels: int
    macs: int

    @property
    def out_size(self) -> Size:
        """(height, width) of the output."""
        return halve(self.in_size, self.stride)


class SplitConvolution(NamedTuple):
    """A 1x1 group convolution whose groups differ in size: what unbalanced learned grouping becomes after training.

    Group g maps the next in_groups[g] input channels to the next out_groups[g] output channels. A group without inputs
    gives zeros, or its bias.
    """

    name: str
    in_groups: tuple[int, ...]
    out_groups: tuple[int, ...]
    in_size: Size
    bias: bool = False

    @property
    def in_channels(self) -> int:
        """Input channels over all groups."""
        return sum(self.in_groups)

    @property
    def out_channels(self) -> int:
        """Output channels over all groups."""
        return sum(self.out_groups)

    @property
    def connections(self) -> int:
        """Pairs (input channel, output channel) that meet."""
        return sum(i * o for i, o in zip(self.in_groups, self.out_groups, strict=True))


class Permutation(NamedTuple):
    """Channel shuffle: view the channels as (groups, C / groups), transpose, flatten."""

    name: str
    channels: int
    groups: int

    @property
    def indices(self) -> tuple[int, ...]:
        """Output channel j is input channel indices[j].

        >>> Permutation("shuffle", 6, 2).indices
        (0, 3, 1, 4, 2, 5)
        """
        rows = self.channels // self.groups
        return tuple(k * rows + i for i in range(rows) for k in range(self.groups))


class Gather(NamedTuple):
    """Any order of channels, given as a list: output channel j is input channel indices[j]."""

    name: str
    indices: tuple[int, ...]


class Normalize(NamedTuple):
    """(x - mean) / std for each channel of the input, both known before training; only exported networks have one."""

    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


class Norm(NamedTuple):
    """Batch normalization with learnable scale and shift."""

    name: str
    channels: int
    size: Size


class Activation(NamedTuple):
    """kind: 'relu' or 'relu6'."""

    name: str
    kind: str
    channels: int
    size: Size


class Pool(NamedTuple):
    """Pooling over windows. kind: 'max', padded by kernel // 2, or 'average', without padding, stride = kernel."""

    name: str
    kind: str
    channels: int
    kernel: int
    stride: int
    in_size: Size

    @property
    def out_size(self) -> Size:
        """(height, width) of the output; incomplete windows at the border count."""
        return halve(self.in_size, self.stride)


class PadShortcut(NamedTuple):
    """Every stride-th pixel, and zeros for the channels that are new: the parameter-free shortcut of He et al. (A)."""

    name: str
    in_channels: int
    out_channels: int
    stride: int
    in_size: Size


class GlobalPool(NamedTuple):
    """Average over height and width: (B, C, H, W) -> (B, C)."""

    name: str
    channels: int
    size: Size


class Linear(NamedTuple):
    """A fully connected layer; factor > 1: training keeps that part of its inputs, the same for all outputs."""

    name: str
    in_features: int
    out_features: int
    bias: bool = True
    factor: int = 1

    @property
    def kept_inputs(self) -> int:
        """Inputs that are used in the end."""
        return self.in_features - (self.factor - 1) * (self.in_features // self.factor)


class Sequence(NamedTuple):
    """Layers in order."""

    name: str
    layers: tuple[Layer, ...]


class Gated(NamedTuple):
    """Layers in order, of which some convolutions also see the mean over the pixels of the input of the sequence.

    `skip`: so many layers come before that mean is taken (the norm and the activation of a preactivated block).
    """

    name: str
    layers: tuple[Layer, ...]
    skip: int = 0


class Residual(NamedTuple):
    """body(x) + shortcut(x); an empty shortcut is the identity."""

    name: str
    body: Sequence | Gated
    shortcut: Sequence


class Concat(NamedTuple):
    """The channels of x, then those of body(x) (Huang et al., CVPR 2017)."""

    name: str
    body: Sequence | Gated


Primitive: TypeAlias = (
    Convolution
    | GatedConvolution
    | SplitConvolution
    | Permutation
    | Gather
    | Normalize
    | Norm
    | Activation
    | Pool
    | PadShortcut
    | GlobalPool
    | Linear
)
Layer: TypeAlias = Primitive | Sequence | Gated | Residual | Concat


def branches(layer: Layer) -> tuple[tuple[str, Layer], ...] | None:
    """Children of a tree node with the names of their modules; None for a primitive."""
    if isinstance(layer, Sequence | Gated):
        return tuple((child.name, child) for child in layer.layers)
    if isinstance(layer, Residual):
        return (("body", layer.body), ("shortcut", layer.shortcut))
    if isinstance(layer, Concat):
        return (("body", layer.body),)
    return None


def walk(layer: Layer, path: str = "") -> Iterator[tuple[str, Primitive]]:
    """Every primitive below a layer in the order of execution, with its dotted path: the name of its torch module."""
    if isinstance(layer, Sequence | Gated | Residual | Concat):
        for name, child in branches(layer) or ():
            yield from walk(child, f"{path}.{name}" if path else name)
    else:
        yield path, layer
