"""The primitive layers that every network is made of, with names and shapes, and the two ways to combine them.

A plan is a tree: leaves are primitives, a Sequence runs its layers in order, a Residual adds a shortcut to a body. The
names of the tree are the names of the torch modules, so a count and a module can be compared layer by layer. Tuples,
because a search makes thousands of them a second. Sizes are (height, width); a convolution pads by kernel // 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from igcnas.grouping.learned import LearnedGrouping

Size: TypeAlias = tuple[int, int]


def halve(size: Size, stride: int) -> Size:
    """Size after a padded convolution with this stride: the ceiling of the quotient.

    >>> halve((7, 8), 2)
    (4, 4)
    """
    return (-(-size[0] // stride), -(-size[1] // stride))


class Convolution(NamedTuple):
    """A kernel x kernel convolution without bias; `learned` means that training decides which channels meet."""

    name: str
    in_channels: int
    out_channels: int
    kernel: int
    stride: int
    groups: int
    in_size: Size
    learned: LearnedGrouping | None = None

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


class SplitConvolution(NamedTuple):
    """A 1x1 group convolution whose groups differ in size: what unbalanced learned grouping becomes after training.

    Group g maps the next in_groups[g] input channels to the next out_groups[g] output channels. A group without inputs
    gives zeros.
    """

    name: str
    in_groups: tuple[int, ...]
    out_groups: tuple[int, ...]
    in_size: Size

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


class GlobalPool(NamedTuple):
    """Average over height and width: (B, C, H, W) -> (B, C)."""

    name: str
    channels: int
    size: Size


class Linear(NamedTuple):
    """A fully connected layer with bias."""

    name: str
    in_features: int
    out_features: int


class Sequence(NamedTuple):
    """Layers in order."""

    name: str
    layers: tuple[Layer, ...]


class Residual(NamedTuple):
    """body(x) + shortcut(x); an empty shortcut is the identity."""

    name: str
    body: Sequence
    shortcut: Sequence


Primitive: TypeAlias = (
    Convolution | SplitConvolution | Permutation | Gather | Normalize | Norm | Activation | GlobalPool | Linear
)
Layer: TypeAlias = Primitive | Sequence | Residual


def walk(layer: Layer, path: str = "") -> Iterator[tuple[str, Primitive]]:
    """Every primitive below a layer in the order of execution, with its dotted path: the name of its torch module."""
    if isinstance(layer, Sequence):
        for child in layer.layers:
            yield from walk(child, f"{path}.{child.name}" if path else child.name)
    elif isinstance(layer, Residual):
        yield from walk(layer.body, f"{path}.body")
        yield from walk(layer.shortcut, f"{path}.shortcut")
    else:
        yield path, layer
