"""A stored tensor and what is pending on it, its consumers, and its gradient.

A value's channel i is act(scale[r] * raw[r] + shift[r]) with r = rows[i]; scale, shift, mean and sums are in the order
of storage. Several values may share one storage: that before and that behind a norm, an activation, a permutation.

Gradients are with respect to act's argument, in the order of storage. Consumers add to them in the reverse order of
execution: the first finds nothing there, the last also applies the derivative of the activation and takes the sums
that a norm needs. So each consumer holds a Use that knows its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from igcnas.network.primitives import Size

COPY, AFFINE, RELU, RELU6 = 0, 1, 2, 3
ACTIVATIONS = {"relu": RELU, "relu6": RELU6}


class Storage:
    """One buffer of the operators' kind; `users` gradients hold it, and it is used again when none does."""

    __slots__ = ("array", "flat", "key", "users")

    def __init__(self, array: Any, flat: Any, key: tuple[int, ...]) -> None:
        self.array, self.flat, self.key, self.users = array, flat, key, 1


@dataclass(slots=True)
class Gradient:
    """g, or, where `lazy`, a * g + b * y + c, channel by channel."""

    g: Storage
    y: Storage
    a: Any
    b: Any
    c: Any
    lazy: bool


class Vectors(Protocol):
    """The vectors of a value, one entry a channel, in the memory of a device; in the order of storage."""

    def identity(self, channels: int) -> Any:
        """The rows of a value in its own order."""

    def ones(self, channels: int) -> Any:
        """A vector of ones."""

    def zeros(self, channels: int) -> Any:
        """A vector of zeros."""

    def sums(self, channels: int) -> Any:
        """Room for the statistics of a value."""

    def gradient_sums(self, channels: int) -> Any:
        """Room for the sums that a norm's gradient needs."""


class Value:
    """What a consumer sees. `wanted`: whether anything wants its gradient.

    `origin`: the value as its producer made it, of which this may be a view; `statistics`, of an origin: whether a norm
    reads it. `normed`: whether a norm's affine map is pending, which needs the sums of the gradient.
    """

    def __init__(self, ops: Vectors, channels: int, size: Size, storage: Storage, like: Value | None = None) -> None:
        self.channels, self.size, self.storage = channels, size, storage
        self.code = COPY
        self.wanted = True
        self.statistics = False
        self.origin: Value = self if like is None else like.origin
        self.normed = False
        self.uses = 0
        self.gradient: Gradient | None = None
        self.inverse: Any = None
        if like is None:
            self.rows = ops.identity(channels)
            self.ordered = True
            self.scale, self.shift, self.mean = ops.ones(channels), ops.zeros(channels), ops.zeros(channels)
            self.sums, self.gsums = ops.sums(channels), ops.gradient_sums(channels)
        else:
            self.rows, self.ordered = like.rows, like.ordered
            self.scale, self.shift, self.mean = like.scale, like.shift, like.mean
            self.inverse = like.inverse
            self.sums, self.gsums = like.sums, ops.gradient_sums(len(like.rows))
            self.code, self.normed, self.wanted = like.code, like.normed, like.wanted

    def use(self) -> Use:
        """One more consumer; ask in the order of execution."""
        self.uses += 1
        return Use(self, self.uses - 1)

    @property
    def plain(self) -> bool:
        """Whether nothing but an affine map is pending, so that a gradient needs no mask."""
        return self.code in (COPY, AFFINE)


class Use:
    """A consumer's claim on a value: its place among the consumers, counted in the order of execution."""

    __slots__ = ("index", "value")

    def __init__(self, value: Value, index: int) -> None:
        self.value, self.index = value, index

    @property
    def only(self) -> bool:
        """Whether nobody else reads the value."""
        return self.value.uses == 1

    @property
    def first(self) -> bool:
        """Whether it is the first to add to the gradient, which is the last to read."""
        return self.index == self.value.uses - 1

    @property
    def last(self) -> bool:
        """Whether nobody adds to the gradient after it."""
        return self.index == 0
