"""What a program is made of: operations that each are one call of a kernel (kernels/)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from igcnas.export.c.values import Plane, Value
from igcnas.network.primitives import Size

Numbers: TypeAlias = NDArray[np.float64]
LINEAR, RELU, RELU6 = "LINEAR", "RELU", "RELU6"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Inputs that make outputs. weight: (outputs, inputs, kernel, kernel); bias: (outputs,); added: one an output."""

    inputs: Value
    outputs: Value
    weight: Numbers
    bias: Numbers
    added: Value = ()

    def only(self, kept: list[int]) -> Group:
        """With these outputs alone."""
        return replace(
            self,
            outputs=tuple(self.outputs[k] for k in kept),
            added=tuple(self.added[k] for k in kept) if self.added else (),
            weight=self.weight[kept],
            bias=self.bias[kept],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolve:
    """A convolution: activation `before`, what is added, activation `after`. gates: of each head's copy of inputs."""

    path: str
    kernel: int
    stride: int
    in_size: Size
    out_size: Size
    groups: tuple[Group, ...]
    before: str = LINEAR
    after: str = LINEAR
    gates: Value = ()

    @property
    def depthwise(self) -> bool:
        """Whether each output has one input of its own, and the kernel is the one that is written for it."""
        return self.kernel == 3 and all(len(one.inputs) == len(one.outputs) == 1 for one in self.groups)

    def reads(self) -> set[Plane]:
        """Planes that it needs."""
        return {plane for one in self.groups for plane in (*one.inputs, *one.added)} | set(self.gates)

    def writes(self) -> set[Plane]:
        """Planes that it makes."""
        return {plane for one in self.groups for plane in one.outputs}

    def needed(self, alive: set[Plane]) -> Convolve | None:
        """Without outputs that nothing reads; None where nothing is left."""
        kept = [[k for k, plane in enumerate(one.outputs) if plane in alive] for one in self.groups]
        groups = tuple(one.only(some) for one, some in zip(self.groups, kept, strict=True) if some)
        if self.gates and len(groups) < len(self.groups):  # the gates are of all heads
            groups = tuple(one.only(some) for one, some in zip(self.groups, kept, strict=True))
        return replace(self, groups=groups) if any(kept) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A depthwise convolution and the 1x1 that alone reads it, in strips of so many rows."""

    depthwise: Convolve
    pointwise: Convolve
    rows: int

    @property
    def path(self) -> str:
        """Both."""
        return f"{self.depthwise.path}, {self.pointwise.path}"

    @property
    def between(self) -> Value:
        """The planes that are never whole, in the order in which they are made."""
        return tuple(group.outputs[0] for group in self.depthwise.groups)

    def reads(self) -> set[Plane]:
        """Planes that it needs."""
        return self.depthwise.reads() | (self.pointwise.reads() - self.depthwise.writes())

    def writes(self) -> set[Plane]:
        """Planes that it makes."""
        return self.pointwise.writes()

    def needed(self, alive: set[Plane]) -> Pair | None:
        """As it is, or None where nothing reads it."""
        return self if alive & self.writes() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Planewise:
    """Planes one by one. kernel: the function that does it; window: kernel, stride and sizes, where it has one.

    others: what is added. inputs: None stands for a plane of zeros; from_image: of the image and not of the arena.
    """

    path: str
    function: str
    inputs: tuple[Plane | None, ...]
    outputs: Value
    size: Size
    others: Value = ()
    scale: Numbers | None = None
    shift: Numbers | None = None
    kind: str = LINEAR
    kernel: int = 1
    stride: int = 1
    out_size: Size = (1, 1)
    from_image: bool = False

    def reads(self) -> set[Plane]:
        """Planes that it needs."""
        return set() if self.from_image else {plane for plane in (*self.inputs, *self.others) if plane is not None}

    def writes(self) -> set[Plane]:
        """Planes that it makes."""
        return set(self.outputs)

    def needed(self, alive: set[Plane]) -> Planewise | None:
        """Without outputs that nothing reads; None where nothing is left."""
        kept = [k for k, plane in enumerate(self.outputs) if plane in alive]
        return (
            replace(
                self,
                inputs=tuple(self.inputs[k] for k in kept),
                outputs=tuple(self.outputs[k] for k in kept),
                others=tuple(self.others[k] for k in kept) if self.others else (),
                scale=None if self.scale is None else self.scale[kept],
                shift=None if self.shift is None else self.shift[kept],
            )
            if kept
            else None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """A fully connected layer from numbers that lie in a row to numbers that do. weight: (outputs, inputs)."""

    path: str
    inputs: Value
    outputs: Value
    weight: Numbers
    bias: Numbers
    kind: str = LINEAR

    def reads(self) -> set[Plane]:
        """Planes that it needs."""
        return set(self.inputs)

    def writes(self) -> set[Plane]:
        """Planes that it makes."""
        return set(self.outputs)

    def needed(self, alive: set[Plane]) -> Connect | None:
        """As it is, or None where nothing reads it."""
        return self if alive & self.writes() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose:
    """The gates of a convolution from what its generators say (kernels/gates.h).

    attention: what kept channels are multiplied by, () for 1. kept: so many of each head by saliency; None: by sign.
    """

    path: str
    logits: Value
    attention: Value
    outputs: Value
    heads: int
    kept: int | None = None
    distinct: bool = False

    def reads(self) -> set[Plane]:
        """Planes that it needs."""
        return {*self.logits, *self.attention}

    def writes(self) -> set[Plane]:
        """Planes that it makes."""
        return set(self.outputs)

    def needed(self, alive: set[Plane]) -> Choose | None:
        """As it is, or None where nothing reads it."""
        return self if alive & self.writes() else None


Operation: TypeAlias = Convolve | Pair | Planewise | Connect | Choose
