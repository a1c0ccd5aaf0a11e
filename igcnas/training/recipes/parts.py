"""The parts of a recipe: optimizer, schedule, decay, norm constants, first weights, dropout.

The defaults are those of a search; a run that was begun before a part existed was trained with its default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from igcnas.errors import IgcnasError
from igcnas.system.bounds import AboveZero, BelowOne, NotNegative, UpToOne
from igcnas.system.checking import check

KINDS = ("weights", "biases", "norms", "deciding")
# Where whole channels may be dropped, in the order of execution.
Place = Literal["stem", "head", "map", "pooled"]
PLACES: tuple[Place, ...] = ("stem", "head", "map", "pooled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer:
    """sgd: with momentum, Nesterov's or plain; dampening as in torch. rmsprop: smoothing is the decay of the mean
    square, epsilon is added to its root.
    """

    kind: Literal["sgd", "rmsprop"] = "sgd"
    momentum: BelowOne = 0.9
    nesterov: bool = True
    dampening: BelowOne = 0.0
    smoothing: BelowOne = 0.9
    epsilon: AboveZero = 1e-8

    def __post_init__(self) -> None:
        check(self)
        if self.kind == "sgd" and self.nesterov and (self.dampening or not self.momentum):
            raise IgcnasError("nesterov needs a momentum above 0 and a dampening of 0; or set nesterov to false")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Learning rate over training, as a multiple of the recipe's.

    cosine: to zero along half a cosine, step by step; cosine-epoch: the same, constant within an epoch. steps: times
    `factor` at each of `milestones`. exponential: times `factor` each epoch. warmup: over this share of training the
    rate first rises linearly, step by step; None for none.
    """

    kind: Literal["cosine", "cosine-epoch", "steps", "exponential"] = "cosine"
    warmup: BelowOne | None = None
    milestones: tuple[BelowOne, ...] = ()
    factor: AboveZero = 0.1

    def __post_init__(self) -> None:
        check(self)
        if list(self.milestones) != sorted(self.milestones):
            raise IgcnasError(f"milestones must rise, but are {self.milestones}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PerKind:
    """One number for each kind of parameter; shifts: of the shifts (beta) of norms, None for that of their scales."""

    weights: NotNegative
    biases: NotNegative
    norms: NotNegative
    deciding: NotNegative
    shifts: NotNegative | None = None

    @staticmethod
    def all(value: float) -> PerKind:
        """The same for all."""
        return PerKind(weights=value, biases=value, norms=value, deciding=value)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class NormConstants:
    """Of batch norms: epsilon is added to the variance, momentum is the share of the new batch in running statistics.

    residual_momentum: that of networks with shortcuts, None for the same.
    """

    epsilon: AboveZero = 1e-5
    momentum: UpToOne = 0.1
    residual_momentum: UpToOne | None = None

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstWeights:
    """How weights start. A filter has as many inputs as it reads, kernel included.

    convolution: fan-in, normal of variance 2 / inputs of a filter (He); where groups are learned, of those that the
    plan leaves it. fan-out: normal of variance 2 / (filters * kernel area), whatever the groups. xavier: normal of
    variance 2 / (both together). torch: what torch.nn does when a layer is made, uniform of variance 1 / (3 * inputs).
    linear: the same words for the classifier, or normal, of deviation `std`. bias: that of the classifier; torch is
    uniform within 1 / sqrt(inputs). Norms start at scale 1 and shift 0; what decides groups starts as its kind says.
    """

    convolution: Literal["fan-in", "fan-out", "xavier", "torch"] = "fan-in"
    linear: Literal["normal", "fan-in", "xavier", "torch"] = "normal"
    std: AboveZero = 0.01
    bias: Literal["zero", "torch"] = "zero"

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelDropout:
    """Whole channels that are dropped in training (torch's Dropout2d).

    share: of the channels, at each place. at: stem, before the activation of the stem; head, before that of the last
    1x1 convolution; map, before the global pooling; pooled, behind it. A network without such a place drops nothing
    there.
    """

    share: BelowOne = 0.0
    at: tuple[Place, ...] = ()

    def __post_init__(self) -> None:
        check(self)
        if (self.share > 0) != bool(self.at) or len(set(self.at)) != len(self.at):
            raise IgcnasError(
                f"at must name the places of a share above 0, each once, but is {self.at} for {self.share}"
            )
