"""How a network is trained, as frozen data without torch.

Convention: milestones and warm-up are shares of all epochs, so that a recipe keeps its form when --epochs shortens it.
The kinds of parameters are: weights (of convolutions and linear layers), biases, norms (scale and shift), deciding
(what decides groups). Every value of a paper's recipe stands in a file of its source, or is named in `ours`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from igcnas.data.augmentation import Augmentation
from igcnas.errors import IgcnasError
from igcnas.network.grouping.rules import GroupingRules
from igcnas.system.bounds import AboveZero, Batch, BelowOne, Epochs, NotNegative, UpToOne
from igcnas.system.checking import check
from igcnas.system.reading import as_kind
from igcnas.training.recipes.parts import (
    KINDS,
    ChannelDropout,
    FirstWeights,
    NormConstants,
    Optimizer,
    PerKind,
    Schedule,
)

__all__ = [
    "KINDS",
    "WORDS",
    "Augmentation",
    "ChannelDropout",
    "FirstWeights",
    "NormConstants",
    "Optimizer",
    "PerKind",
    "Recipe",
    "Schedule",
]

# Fields that say where a recipe is from and change no training.
WORDS = ("source", "files", "ours")
BESIDES = "besides"  # key of `ours` for what no field holds
# Values that do nothing, of parts that no paper has.
_UNUSED = {"class_weights": "none", "averaging": 0.0, "mixup": 0.0, "cutmix": 0.0, "distillation": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A whole training. learning_rate is for batch_size images a step, all processes together.

    The learning rate of a parameter is learning_rate * rates.(its kind) * the schedule; grouping.learning_rate, a
    multiple of that of the weights, gives that of what decides groups. dropout: of single features, before the linear
    layer. gradient_clip: largest norm of all gradients together, None for none. class_weights: 'balanced' weighs the
    loss of each image by images / (classes * images of its class), of the training images: 1 on average over them.
    averaging: the share of the training over which the weights are averaged at its end, 0 for the last weights
    (igcnas/training/averaging.py). mixup, cutmix: the parameter of the Beta distribution from which the shares of two
    images are drawn, 0 for none. distillation: the share of a teacher's answers in the targets, where there is a
    teacher (igcnas/training/targets.py).

    source: paper and repository. files: the values that stand in a file of it, by file. ours: the values that are our
    choice, each with the reason; what no field holds, under 'besides'. A value is named as 'optimizer.momentum', or
    'optimizer' for all of a part. These are words: recipes that differ in nothing else are equal.
    """

    name: str
    source: str = field(compare=False)
    files: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    ours: dict[str, str] = field(default_factory=dict, compare=False)
    epochs: Epochs
    batch_size: Batch
    learning_rate: AboveZero
    optimizer: Optimizer = field(default_factory=Optimizer)
    schedule: Schedule = field(default_factory=Schedule)
    decay: PerKind
    rates: tuple[AboveZero, AboveZero, AboveZero] = (1.0, 1.0, 1.0)
    label_smoothing: BelowOne = 0.0
    gradient_clip: AboveZero | None = None
    dropout: BelowOne = 0.0
    channel_dropout: ChannelDropout = field(default_factory=ChannelDropout)
    averaging: BelowOne = 0.0
    mixup: NotNegative = 0.0
    cutmix: NotNegative = 0.0
    distillation: UpToOne = 0.0
    norm: NormConstants = field(default_factory=NormConstants)
    first: FirstWeights = field(default_factory=FirstWeights)
    augmentation: Augmentation = field(default_factory=Augmentation)
    grouping: GroupingRules = field(default_factory=GroupingRules)
    class_weights: Literal["none", "balanced"] = "none"

    def __post_init__(self) -> None:
        check(self)
        for name in (*(name for names in self.files.values() for name in names), *self.ours):
            if name != BESIDES and not self._has(name):
                raise IgcnasError(f"recipe {self.name}: {name!r} in files or ours is no value of a recipe")

    def _has(self, name: str) -> bool:
        part, _, value = name.partition(".")
        return part in self.__slots__ and (not value or value in getattr(getattr(self, part), "__slots__", ()))

    def rate(self, kind: str) -> float:
        """Multiple of the learning rate that parameters of this kind take."""
        if kind == "deciding":
            return self.rates[0] * self.grouping.learning_rate
        return self.rates[("weights", "biases", "norms").index("norms" if kind == "shifts" else kind)]

    def values(self) -> Iterator[tuple[str, Any]]:
        """Every value that acts, by name: not the milestones of a cosine, nor rules of groupings that it does not name.

        Those of grouping are the ones that `files` or `ours` name, or that are not as usual.
        """
        for part in self.__slots__:
            value = getattr(self, part)
            if part == "name" or part in WORDS or _UNUSED.get(part) == value:
                continue
            if not dataclasses.is_dataclass(value):
                yield part, value
                continue
            for inner in dataclasses.fields(value):
                if self._acts(part, inner.name):
                    yield f"{part}.{inner.name}", getattr(value, inner.name)

    def whose(self, name: str) -> tuple[str, str]:
        """Of a value: ('ours', why), ('theirs', the file) or ('', '') where nothing is said."""
        for wanted in (name, name.partition(".")[0]):
            if wanted in self.ours:
                return "ours", self.ours[wanted]
            for file, names in self.files.items():
                if wanted in names:
                    return "theirs", file
        return "", ""

    def _acts(self, part: str, name: str) -> bool:
        unsaid = not (self.files or self.ours)
        learns = unsaid or any(self.whose(f"grouping.{rule}")[0] for rule in GroupingRules.__slots__)
        crop, kind = self.augmentation.crop, self.schedule.kind
        rule = {
            "optimizer.nesterov": self.optimizer.kind == "sgd",
            "optimizer.dampening": self.optimizer.kind == "sgd",
            "optimizer.smoothing": self.optimizer.kind == "rmsprop",
            "optimizer.epsilon": self.optimizer.kind == "rmsprop",
            "schedule.milestones": kind == "steps",
            "schedule.factor": kind in ("steps", "exponential"),
            "decay.deciding": learns,
            "decay.shifts": self.decay.shifts is not None,
            "channel_dropout.at": bool(self.channel_dropout.at),
            "norm.residual_momentum": self.norm.residual_momentum is not None,
            "first.std": self.first.linear == "normal",
            "augmentation.erase": self.augmentation.erase > 0,
            "augmentation.pad": crop == "pad",
            "augmentation.fill": crop == "pad",
            "augmentation.scale": crop in ("area", "short-side"),
            "augmentation.ratio": crop in ("area", "short-side"),
            "augmentation.centre": crop in ("area", "short-side"),
        }
        if part == "grouping":
            other = getattr(self.grouping, name) != getattr(GroupingRules(), name)
            return other or bool(self.whose(f"grouping.{name}")[0])
        return rule.get(f"{part}.{name}", True)

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
        """The recipe that `to_dict` described, also one from before some parts existed: these have their defaults."""
        return as_kind(as_written_now(data), Recipe, where="recipe", advice="restore its file")


def as_written_now(data: Any) -> Any:
    """Plain data of a recipe; `ours` of the first ones is one line for all."""
    ours = data.get("ours") if isinstance(data, Mapping) else None
    return {**data, "ours": {BESIDES: ours} if ours else {}} if isinstance(ours, str) else data
