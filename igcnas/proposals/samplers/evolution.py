"""Samplers that change one choice of a good network: regularized evolution, local search, and the best few.

They are Optuna samplers without a state of their own: all is read from the finished trials and from the seed, so that
a search that was interrupted goes on as if it had not been. Choices may be conditional: what a parent does not have
(another block type has other choices) is drawn at random.
"""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

Change = tuple[str, Any]


class MutationSampler(optuna.samplers.BaseSampler):
    """Copies a parent but for one choice. `attempt` counts the asks for the same trial: another one, another child."""

    def __init__(self, *, seed: int, attempt: int) -> None:
        self._random = random.Random(seed)
        self._attempt = attempt
        self._parent: FrozenTrial | None = None
        self._change: Change | None = None

    @abstractmethod
    def choose(self, finished: Sequence[FrozenTrial]) -> tuple[FrozenTrial, Change] | None:
        """A parent and what to change in it; None: draw everything at random."""

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Choose, from what is finished."""
        finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        chosen = self.choose([other for other in finished if other.params])
        self._parent, self._change = chosen if chosen is not None else (None, None)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """None: each choice is asked for in turn, since what there is depends on those before."""
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Nothing."""
        return {}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The changed value, else that of the parent, else a random one."""
        if self._change is not None and self._change[0] == param_name:
            return self._change[1]
        if self._parent is not None and self._parent.distributions.get(param_name) == param_distribution:
            return self._parent.params[param_name]
        return self._random.choice(values(param_distribution))


class LocalSearch(MutationSampler):
    """The neighbours of the best network in random order, then those of the second best, and so on.

    Best-first local search (White et al., UAI 2021, found it hard to beat on tabular benchmarks): a neighbour that is
    better becomes the best at once. Neighbours that are known already are passed over by whoever asks.
    """

    def choose(self, finished: Sequence[FrozenTrial]) -> tuple[FrozenTrial, Change] | None:
        """The neighbour of this number."""
        if not finished:
            return None
        remaining = self._attempt
        for parent in _best_first(finished):
            changes = list(neighbours(parent))
            if remaining < len(changes):
                random.Random(parent.number).shuffle(changes)  # the same order each time, so that each comes up once
                return parent, changes[remaining]
            remaining -= len(changes)
        return None


class RegularizedEvolution(MutationSampler):
    """The best of `sample` random members of the last `population` networks, with one change (Real et al., AAAI 2019).

    The first `population` networks are random. A small population, because a search trains tens of networks.
    """

    def __init__(self, *, seed: int, attempt: int, population: int = 20, sample: int = 5) -> None:
        super().__init__(seed=seed, attempt=attempt)
        self._population, self._sample = population, sample

    def choose(self, finished: Sequence[FrozenTrial]) -> tuple[FrozenTrial, Change] | None:
        """A tournament, and a random change."""
        if len(finished) < self._population:
            return None
        members = self._random.sample(list(finished[-self._population :]), self._sample)
        return _changed(_best_first(members)[0], self._random)


class BestFew(MutationSampler):
    """A random change of one of the best few networks: what to try when a sampler repeats itself."""

    def __init__(self, *, seed: int, attempt: int, few: int = 5) -> None:
        super().__init__(seed=seed, attempt=attempt)
        self._few = few

    def choose(self, finished: Sequence[FrozenTrial]) -> tuple[FrozenTrial, Change] | None:
        """One of the best, and a random change."""
        if not finished:
            return None
        return _changed(self._random.choice(_best_first(finished)[: self._few]), self._random)


def values(distribution: BaseDistribution) -> list[Any]:
    """Every value of a choice."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return list(range(distribution.low, distribution.high + 1, distribution.step))
    raise TypeError(f"a search space has categories and whole numbers, not {distribution}")


def neighbours(trial: FrozenTrial) -> Iterator[Change]:
    """Every change of one choice; of a whole number to the next one up or down."""
    for name, distribution in trial.distributions.items():
        for value in values(distribution):
            near = not isinstance(distribution, IntDistribution) or (
                abs(value - trial.params[name]) <= distribution.step
            )
            if near and value != trial.params[name]:
                yield name, value


def _changed(parent: FrozenTrial, draws: random.Random) -> tuple[FrozenTrial, Change] | None:
    changes: dict[str, list[Change]] = {}
    for name, value in neighbours(parent):
        changes.setdefault(name, []).append((name, value))
    if not changes:
        return None
    return parent, draws.choice(changes[draws.choice(list(changes))])


def _best_first(finished: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    return sorted(finished, key=lambda trial: (-trial.values[0], trial.number))
