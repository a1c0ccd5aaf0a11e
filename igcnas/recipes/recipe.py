"""How a network is trained, as frozen data without torch.

Convention: milestones and warm-up are shares of all epochs, so that a recipe keeps its form when --epochs shortens it.
The kinds of parameters are: weights (of convolutions and linear layers), biases, norms (scale and shift), deciding
(what decides groups). A value that no source gives is named in `ours`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from msgspec import Meta

from igcnas import bounds
from igcnas.checks import shown
from igcnas.errors import IgcnasError, unknown_name
from igcnas.reading import as_kind
from igcnas.settings import GroupingRules

OPTIMIZERS = ("sgd", "rmsprop")
SCHEDULES = ("cosine", "cosine-epoch", "steps", "exponential")
CROPS = ("none", "pad", "area", "short-side")
FILLS = ("zero", "mean")
KINDS = ("weights", "biases", "norms", "deciding")


def _known(what: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise IgcnasError(unknown_name(what, name, known))


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not 0 < value < math.inf:
            raise IgcnasError(f"{name} must be a positive number, but is {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer:
    """sgd: with momentum, Nesterov's or plain. rmsprop: smoothing is the decay of the mean square."""

    kind: str = "sgd"
    momentum: float = 0.9
    nesterov: bool = True
    smoothing: float = 0.9
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        _known("optimizer", self.kind, OPTIMIZERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Learning rate over training, as a multiple of the recipe's.

    cosine: to zero along half a cosine, step by step; cosine-epoch: the same, constant within an epoch. steps: times
    `factor` at each of `milestones`. exponential: times `factor` each epoch. warmup: over this share of training the
    rate first rises linearly, step by step; None for none.
    """

    kind: str = "cosine"
    warmup: float | None = None
    milestones: tuple[float, ...] = ()
    factor: float = 0.1

    def __post_init__(self) -> None:
        _known("schedule", self.kind, SCHEDULES)
        _positive(factor=self.factor)
        for share in (*self.milestones, *(() if self.warmup is None else (self.warmup,))):
            if not 0 <= share < 1:
                raise IgcnasError(f"{share} must be a share of training, at least 0 and below 1")
        if list(self.milestones) != sorted(self.milestones):
            raise IgcnasError(f"milestones must rise, but are {self.milestones}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PerKind:
    """One number for each kind of parameter."""

    weights: float
    biases: float
    norms: float
    deciding: float

    @staticmethod
    def all(value: float) -> PerKind:
        """The same for all."""
        return PerKind(weights=value, biases=value, norms=value, deciding=value)

    def __post_init__(self) -> None:
        for kind in KINDS:
            if not 0 <= getattr(self, kind) < math.inf:
                raise IgcnasError(f"{kind}: {getattr(self, kind)} must be a number of at least 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """What is done to a training image, and how a validation image is cut.

    crop: 'none'; 'pad': pad `pad` pixels (None: an eighth of the height, 4 for 32) with `fill` ('zero', or the 'mean'
    of each channel) and cut a random window; 'area': a random window with this share of the area (`scale`) and this
    aspect (`ratio`), resized; 'short-side': scale the short side to between these multiples of the crop (`scale`), the
    aspect by `ratio`, and cut a random window. flip: mirror every second image; where the data forbid it (digits) it is
    not done. jitter: brightness, contrast, saturation (a factor of 1 -+ this) and hue (a turn of -+ this). centre: the
    share of the short side that a validation image keeps, for streamed images that are not padded.
    """

    crop: str = "pad"
    pad: Annotated[int, Meta(ge=0, le=bounds.WIDTH_PIXELS)] | None = None
    fill: str = "zero"
    flip: bool = True
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    jitter: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    centre: float = 0.875

    def __post_init__(self) -> None:
        _known("crop", self.crop, CROPS)
        _known("fill", self.fill, FILLS)
        _positive(centre=self.centre)
        for name in ("scale", "ratio"):
            low, high = getattr(self, name)
            if not 0 < low <= high < math.inf:
                raise IgcnasError(f"{name} must be two positive numbers, the smaller first, but is {(low, high)}")
        if self.crop == "area" and self.scale[1] > 1:
            raise IgcnasError(f"scale {self.scale} is a share of the area of an image, at most 1")
        if not all(0 <= strength <= 1 for strength in self.jitter) or self.jitter[3] > 0.5:
            raise IgcnasError(f"jitter {self.jitter} must be between 0 and 1, that of hue at most 0.5")
        if self.pad is not None and self.pad < 0:
            raise IgcnasError(f"pad {self.pad} is negative; give 0 or more pixels")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A whole training. learning_rate is for batch_size images a step, all processes together.

    The learning rate of a parameter is learning_rate * rates.(its kind) * the schedule; grouping.learning_rate, a
    multiple of that of the weights, gives that of what decides groups. dropout: before the linear layer.
    gradient_clip: largest norm of all gradients together, None for none. source: where the values are from; ours: the
    values that are our choice.
    """

    name: str
    source: str
    ours: str = ""
    epochs: bounds.Epochs
    batch_size: bounds.Batch
    learning_rate: float
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    decay: PerKind
    rates: tuple[float, float, float] = (1.0, 1.0, 1.0)
    label_smoothing: float = 0.0
    gradient_clip: float | None = None
    dropout: float = 0.0
    augmentation: Augmentation = Augmentation()
    grouping: GroupingRules = field(default_factory=GroupingRules)

    def __post_init__(self) -> None:
        for name, most in (("epochs", bounds.EPOCHS), ("batch_size", bounds.BATCH)):
            if type(getattr(self, name)) is not int or getattr(self, name) < 1:
                raise IgcnasError(f"{name} must be at least 1, but is {shown(getattr(self, name))}")
            if getattr(self, name) > most:
                raise IgcnasError(f"{name} must be at most {most:,}, but is {shown(getattr(self, name))}")
        _positive(learning_rate=self.learning_rate)
        for name in ("label_smoothing", "dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise IgcnasError(f"{name} must be at least 0 and below 1, but is {getattr(self, name)}")

    def rate(self, kind: str) -> float:
        """Multiple of the learning rate that parameters of this kind take."""
        if kind == "deciding":
            return self.rates[0] * self.grouping.learning_rate
        return self.rates[KINDS.index(kind)]

    def adapted(
        self, *, epochs: int | None = None, batch_size: int | None = None, learning_rate: float | None = None
    ) -> Recipe:
        """The same recipe for other epochs, another batch, another rate.

        Shares of training stay shares; an exponential schedule falls by the same in all; a batch of other size takes a
        learning rate in proportion to it, unless one is given.
        """
        changes: dict[str, Any] = {}
        if epochs is not None and epochs != self.epochs:
            changes["epochs"] = epochs
            if self.schedule.kind == "exponential" and epochs > 0:
                factor = self.schedule.factor ** (self.epochs / epochs)
                changes["schedule"] = dataclasses.replace(self.schedule, factor=factor)
        if batch_size is not None and batch_size != self.batch_size:
            changes |= {"batch_size": batch_size, "learning_rate": self.learning_rate * batch_size / self.batch_size}
        if learning_rate is not None:
            changes["learning_rate"] = learning_rate
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Recipe:
        """The recipe that `to_dict` described."""
        return as_kind(data, Recipe, where="recipe", advice="restore its file")
