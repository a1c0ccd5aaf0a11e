"""A search space, and a structure drawn from it: everything about a network but its width."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from igcnas.errors import ArchitectureError, SpaceError
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.budget import MACS, Budget, Limit
from igcnas.network.plan import plan
from igcnas.network.width import Fit, widest
from igcnas.search.space.families import Axes, BlockFamily, Meaning
from igcnas.search.space.families.base import FROM_ONE
from igcnas.system.checks import shown

if TYPE_CHECKING:
    import optuna

# Of the fields of a space: what they offer choices of; docs/spaces.md and igcnas init have it from here.
MEANINGS = {
    "stages": Meaning("stages of a network, each of blocks of one kind and width", "one whole number from 1"),
    "depths": Meaning("blocks of a stage; each stage has a choice of its own", FROM_ONE),
    "growths": Meaning("width of a stage over that of the stage before", "numbers from 1"),
    "final_sizes": Meaning("height of the last maps, about; strides follow from the size of the images", FROM_ONE),
    "head_ratios": Meaning(
        "channels of a 1x1 convolution before the classifier over those of the last stage; 0 for none",
        "whole numbers from 0",
    ),
    "max_width": Meaning("most channels of the first stage", "one whole number from 1"),
}
# Steps of n for each unit of width of the first stage: later stages, which are wider, can grow in between.
_STEPS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """A network but for its width: `at(n)` is the network, whose MACs do not fall as n grows."""

    family: BlockFamily
    values: Mapping[str, Any]
    depths: tuple[int, ...]
    strides: tuple[int, ...]
    growth: float
    head_ratio: int
    max_width: int
    input_shape: tuple[int, int, int]
    num_classes: int

    @property
    def most(self) -> int:
        """Largest n: the first stage has at most max_width channels."""
        return _STEPS * max(1, self.max_width // self.family.unit(self.values))

    def at(self, n: int) -> Architecture:
        """The network of width n, counted in steps of an eighth of the least width."""
        stages = []
        for number, (depth, stride) in enumerate(zip(self.depths, self.strides[1:], strict=True)):
            block, width = self.family.stage(self.values, n / _STEPS, self.growth**number)
            repeats = self.family.repeats(depth)
            stages.append(Stage(block=block, width=width, repeats=repeats, stride=stride))
        return Architecture(
            family=self.family.name,
            input_shape=self.input_shape,
            num_classes=self.num_classes,
            stem_channels=self.family.stem(stages[0].width),
            stem_stride=self.strides[0],
            stages=tuple(stages),
            head_channels=self.head_ratio * stages[-1].width,
            activation=self.family.activation,
            preactivation=self.family.preactivation,
        )

    def fit(self, budget: Budget) -> Fit | None:
        """The widest network that keeps the budget; None where even n = 1 does not."""
        return widest(self.at, budget, most=self.most)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace:
    """Which networks are considered; each field is a tuple of choices, but for `stages` and `max_width`.

    depths: blocks of a stage. growths: width of a stage over that of the one before, from 1 up. final_sizes: the map
    at the end has about this height; strides follow from the size of the image. head_ratios: channels of the 1x1 head
    over those of the last stage, 0 for none. max_width: channels of the first stage at most.
    """

    name: str
    families: tuple[BlockFamily, ...]
    stages: int = 3
    depths: tuple[int, ...] = (1, 2, 3)
    growths: tuple[float, ...] = (1.0, 1.5, 2.0)
    final_sizes: tuple[int, ...] = (4, 8)
    head_ratios: tuple[int, ...] = (0, 4)
    max_width: int = 1024

    def __post_init__(self) -> None:
        for family in self.families:
            self._require(isinstance(family, BlockFamily), f"has {family!r} among its families, which is none")
        names = [family.name for family in self.families]
        self._require(bool(names), "has no block family; give at least one")
        self._require(len(set(names)) == len(names), f"names a block family twice: {names}")
        self._require(self.stages >= 1, f"has {self.stages} stages; at least one is needed")
        self._require(self.max_width >= 1, f"has max_width {self.max_width}; at least 1 is needed")
        for family in self.families:
            for axis, options in self.axes(family).items():
                self._require(isinstance(options, tuple) and bool(options), f"has no choice for {axis}; give a tuple")
                self._require(len(set(options)) == len(options), f"offers a choice of {axis} twice: {options}")
        self._require(min(self.growths) >= 1, f"lets a stage be narrower than its predecessor: {self.growths}")
        self._require_integers(1, depths=self.depths, final_sizes=self.final_sizes)
        self._require_integers(0, head_ratios=self.head_ratios)
        for family in self.families:
            self._require_buildable(family)

    def _require_integers(self, least: int, **choices: tuple[int, ...]) -> None:
        for name, options in choices.items():
            whole = all(type(option) is int and option >= least for option in options)
            self._require(whole, f"offers {name} {options}; whole numbers from {least} up are needed")

    def _require_buildable(self, family: BlockFamily) -> None:
        """Each combination of the family's own choices must be a network."""
        for chosen in self._own_choices(family):
            try:
                self._small(family, chosen)
            except ArchitectureError as error:
                raise SpaceError(f"search space {self.name!r} offers {chosen}, which is no network: {error}") from None

    def _own_choices(self, family: BlockFamily) -> Iterator[dict[str, Any]]:
        """Each combination of the family's own choices."""
        own = {f"{family.name}.{axis}": options for axis, options in family.axes().items()}
        for values in itertools.product(*own.values()):
            yield dict(zip(own, values, strict=True))

    def _small(self, family: BlockFamily, chosen: dict[str, Any]) -> Architecture:
        """A small network of these choices."""
        first = {"block": family.name} | {axis: options[0] for axis, options in self.axes(family).items()}
        return self.decode(first | chosen, (1, 8, 8), 1).at(1)

    def _require(self, condition: bool, message: str) -> None:
        if not condition:
            raise SpaceError(f"search space {self.name!r} {message}")

    def axes(self, family: BlockFamily) -> Axes:
        """Parameter names and choices, given the block family; depths first, then the family's own."""
        common: Axes = {f"depth{stage}": self.depths for stage in range(1, self.stages + 1)}
        common |= {"growth": self.growths, "final_size": self.final_sizes, "head_ratio": self.head_ratios}
        return common | {f"{family.name}.{axis}": options for axis, options in family.axes().items()}

    def kinds(self) -> set[str]:
        """The kinds of block and of grouping that its networks have."""
        pairs = ((family, chosen) for family in self.families for chosen in self._own_choices(family))
        return {kind for family, chosen in pairs for kind in self._small(family, chosen).kinds()}

    def suggest(self, trial: optuna.trial.BaseTrial) -> dict[str, Any]:
        """Ask Optuna for a value of each parameter: the only place that does."""
        block = _suggest(trial, "block", tuple(family.name for family in self.families))
        family = next(family for family in self.families if family.name == block)
        return {"block": block} | {axis: _suggest(trial, axis, options) for axis, options in self.axes(family).items()}

    def decode(self, parameters: Mapping[str, Any], input_shape: tuple[int, int, int], num_classes: int) -> Structure:
        """The structure that suggested parameters mean for images of this shape."""
        family = next((family for family in self.families if family.name == parameters.get("block")), None)
        if family is None:
            raise SpaceError(f"search space {self.name!r} has no block {shown(parameters.get('block'))}")
        for axis, options in self.axes(family).items():
            value = parameters.get(axis)
            if isinstance(value, bool) != isinstance(options[0], bool) or value not in options:
                raise SpaceError(f"search space {self.name!r} offers {axis} {options}, not {shown(value)}")
        return Structure(
            family=family,
            values={axis: parameters[f"{family.name}.{axis}"] for axis in family.axes()},
            depths=tuple(parameters[f"depth{stage}"] for stage in range(1, self.stages + 1)),
            strides=_strides(min(input_shape[1:]), parameters["final_size"], self.stages),
            growth=parameters["growth"],
            head_ratio=parameters["head_ratio"],
            max_width=self.max_width,
            input_shape=input_shape,
            num_classes=num_classes,
        )

    def smallest(self, input_shape: tuple[int, int, int], num_classes: int, limit: Limit = MACS) -> Architecture:
        """The network that uses least of a limit."""
        return min(self.narrowest(input_shape, num_classes), key=lambda network: limit.of(plan(network)))

    def narrowest(self, input_shape: tuple[int, int, int], num_classes: int) -> Iterator[Architecture]:
        """The shallowest and narrowest network of each combination of other choices."""
        for structure in self._extremes(input_shape, num_classes, depth=min(self.depths), growth=min(self.growths)):
            yield structure.at(1)

    def largest(self, input_shape: tuple[int, int, int], num_classes: int, limit: Limit = MACS) -> Architecture:
        """The network that uses most of a limit."""
        structures = self._extremes(input_shape, num_classes, depth=max(self.depths), growth=max(self.growths))
        return max((structure.at(structure.most) for structure in structures), key=lambda one: limit.of(plan(one)))

    def _extremes(
        self, input_shape: tuple[int, int, int], num_classes: int, *, depth: int, growth: float
    ) -> Iterator[Structure]:
        """Every structure of this depth and growth: MACs grow with both, so an extreme of the space is among them."""
        for family in self.families:
            axes = self.axes(family) | {f"depth{stage}": (depth,) for stage in range(1, self.stages + 1)}
            axes["growth"] = (growth,)
            for values in itertools.product(*axes.values()):
                parameters = {"block": family.name} | dict(zip(axes, values, strict=True))
                yield self.decode(parameters, input_shape, num_classes)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; families carry their class."""
        data = dataclasses.asdict(self)
        data["families"] = [{"kind": type(f).__name__} | dataclasses.asdict(f) for f in self.families]
        plain: dict[str, Any] = json.loads(json.dumps(data))
        return plain

    def fingerprint(self) -> str:
        """Sixteen hex digits that change when any choice does."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:16]


def _suggest(trial: optuna.trial.BaseTrial, name: str, options: tuple[Any, ...]) -> Any:
    """One value. Whole numbers in equal steps keep their order in Optuna; everything else is a category."""
    if all(type(option) is int for option in options):
        low, high = min(options), max(options)
        step = (high - low) // (len(options) - 1) if len(options) > 1 else 1
        if options == tuple(range(low, high + 1, step)):
            return trial.suggest_int(name, low, high, step=step)
    return trial.suggest_categorical(name, options)


def _strides(size: int, final_size: int, stages: int) -> tuple[int, ...]:
    """Strides of the stem and of each stage that bring `size` to about `final_size`; the last stages halve first.

    >>> _strides(8, 4, 3), _strides(32, 8, 3), _strides(64, 4, 3), _strides(8, 8, 3)
    ((1, 1, 1, 2), (1, 1, 2, 2), (2, 2, 2, 2), (1, 1, 1, 1))
    """
    halvings = max(0, round(math.log2(size / final_size)))
    strides = [1] * (stages + 1)
    for position in range(halvings):
        strides[stages - position % (stages + 1)] *= 2
    return tuple(strides)
