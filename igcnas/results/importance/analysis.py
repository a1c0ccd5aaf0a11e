"""Importance and effects of every choice, with intervals: by resampling networks; and what chance alone would give.

Choices that all networks have are judged on all of them, by how much better a network is than the average one of its
MACs. Choices of one block type are judged on its networks alone, by what the common choices leave unexplained. An
interval is that of 95 % of resamplings (Efron 1979: as many networks, drawn with repetition). Chance: the importance
that a choice reaches in one of twenty shufflings of the results; one that is not above it has not been shown to matter.

The networks are those that a sampler looked at, which are not a random sample: what it left early has few networks.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray

from igcnas.results.importance.effects import Effects, additive
from igcnas.results.importance.evaluators import DEFAULT, check_evaluator, importances
from igcnas.results.importance.names import label, scope_of, value_label
from igcnas.results.importance.samples import LEAST, Sample, better_than_equals, fewer_percent

RESAMPLINGS = 300  # of effects
JUDGED = 40  # of these, and shufflings, for importances, which take a hundred times as long
_INTERVAL = (2.5, 97.5)
FEWEST = 3  # networks of a value, for an interval of its effect


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One value of a choice: so many networks had it, and made so many percent fewer errors than the average one.

    low, high: interval of fewer_percent; NaN where fewer than three networks had the value.
    """

    value: str
    n: int
    fewer_percent: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """How much one choice matters. share: of the importance of all choices of this scope; chance on the same scale.

    scope: the block type that it belongs to, '' for all. n: networks of the scope.
    """

    name: str
    label: str
    scope: str
    n: int
    share: float
    low: float
    high: float
    chance: float
    effects: tuple[Effect, ...]

    @property
    def comparable(self) -> bool:
        """Whether two values or more had three networks each: one network says more of itself than of a value."""
        return sum(effect.n >= FEWEST for effect in self.effects) > 1

    @property
    def shown(self) -> bool:
        """Whether it matters more than chance explains; each choice is judged alone, so one in twenty is by luck."""
        return self.comparable and self.share > self.chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All choices, the common ones first, the most important of a scope first. too_few: networks of other scopes."""

    evaluator: str
    n: int
    choices: tuple[Choice, ...]
    too_few: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Once:
    """One pass over the networks, as they are or resampled; by scope the importances, by name the effects."""

    raw: dict[str, dict[str, float]]
    effects: Effects


def analyse(
    samples: Sequence[Sample],
    *,
    evaluator: str = DEFAULT,
    seed: int = 0,
    resamplings: int | None = None,
    judged: int | None = None,
) -> Report:
    """What the networks say about every choice that had two values or more.

    The seed draws the resamplings. resamplings: for intervals of effects. judged: for those of importances, and chance.
    """
    resamplings = RESAMPLINGS if resamplings is None else resamplings
    judged = min(resamplings, JUDGED if judged is None else judged)
    check_evaluator(evaluator)
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # each resampling makes studies
    scopes, too_few = _scopes(samples)
    rng = np.random.default_rng(seed)
    found = _once(samples, scopes, evaluator, seed)
    again: list[_Once] = []
    chance: list[_Once] = []
    for number in range(resamplings):
        drawn = [samples[index] for index in rng.integers(len(samples), size=len(samples))]
        again.append(_once(drawn, scopes, evaluator if number < judged else None, seed + number))
    for number in range(judged):
        shuffle = rng.permutation(len(samples))
        chance.append(_once(samples, scopes, evaluator, seed + number, shuffle=shuffle))
    choices = []
    for scope, names in scopes.items():
        inside = [sample for sample in samples if scope in ("", sample.parameters["block"])]
        total = sum(found.raw[scope].values()) or 1.0
        several = [_choice(name, scope, inside, total, found, again, chance) for name in names]
        choices += sorted(several, key=lambda choice: -choice.share)
    return Report(evaluator=evaluator, n=len(samples), choices=tuple(choices), too_few=too_few)


def _scopes(samples: Sequence[Sample]) -> tuple[dict[str, list[str]], dict[str, int]]:
    """Names of choices with two values or more, by scope; block types of too few networks with their number."""
    values: dict[str, set[Any]] = {}
    for sample in samples:
        for name, value in sample.parameters.items():
            values.setdefault(name, set()).add(value)
    blocks = Counter(sample.parameters["block"] for sample in samples)
    scopes: dict[str, list[str]] = {"": []}
    too_few: dict[str, int] = {}
    for name, options in values.items():
        scope = scope_of(name)
        if scope and blocks[scope] < LEAST:
            too_few[scope] = blocks[scope]
        elif len(options) > 1:
            scopes.setdefault(scope, []).append(name)
    largest_first = sorted(scopes, key=lambda scope: (scope != "", -blocks[scope]))
    return {scope: scopes[scope] for scope in largest_first}, dict(sorted(too_few.items(), key=lambda item: -item[1]))


def _once(
    samples: Sequence[Sample],
    scopes: dict[str, list[str]],
    evaluator: str | None,
    seed: int,
    *,
    shuffle: NDArray[np.int64] | None = None,
) -> _Once:
    better = better_than_equals(samples)
    if shuffle is not None:
        better = better[shuffle]
    macs = np.array([sample.macs for sample in samples], dtype=float)
    choices = [sample.parameters for sample in samples]
    effects, rest = additive(choices, macs, better, scopes[""])
    raw = {}
    if evaluator is not None:
        raw[""] = importances(choices, list(better), scopes[""], evaluator=evaluator, seed=seed)
    for scope, names in scopes.items():
        places = [place for place, chosen in enumerate(choices) if chosen["block"] == scope]
        if scope and places:
            inside = [choices[place] for place in places]
            own, _ = additive(inside, macs[places], rest[places], names)
            effects |= own
            if evaluator is not None:
                raw[scope] = importances(inside, list(rest[places]), names, evaluator=evaluator, seed=seed)
    return _Once(raw, effects)


def _choice(
    name: str,
    scope: str,
    inside: Sequence[Sample],
    total: float,
    found: _Once,
    again: Sequence[_Once],
    chance: Sequence[_Once],
) -> Choice:
    shares = []
    for once in again:
        numbers = once.raw.get(scope, {})
        whole = sum(numbers.values())
        if whole > 0:
            shares.append(numbers[name] / whole)
    low, high = np.percentile(shares, _INTERVAL) if shares else (math.nan, math.nan)
    by_chance = float(np.percentile([once.raw[scope][name] for once in chance], 95)) / total
    tried = Counter(sample.parameters[name] for sample in inside)
    effects = []
    for value in sorted(tried, key=lambda value: (isinstance(value, str), value)):
        several = [e for once in again if (e := once.effects.get(name, {}).get(value)) is not None]
        bounds = np.percentile(several, _INTERVAL) if tried[value] >= FEWEST and several else (math.nan, math.nan)
        effects.append(
            Effect(
                value=value_label(name, value),
                n=tried[value],
                fewer_percent=fewer_percent(found.effects[name][value]),
                low=fewer_percent(float(bounds[0])),
                high=fewer_percent(float(bounds[1])),
            )
        )
    return Choice(
        name=name,
        label=label(name),
        scope=scope,
        n=len(inside),
        share=found.raw[scope][name] / total,
        low=float(low),
        high=float(high),
        chance=by_chance,
        effects=tuple(effects),
    )
