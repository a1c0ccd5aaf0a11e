"""Asking a domain for its choices with answers of our own, and small moves between them. Microseconds, no Optuna study.

Choices may be conditional: which are asked for depends on the answers before. What a parent does not have (another
block type has other choices) is drawn at random.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from optuna.trial import FixedTrial

from igcnas.search.proposals.domain import Domain

Options = tuple[Any, ...]
Pick = Callable[[str, Options], Any]


class Asked(NamedTuple):
    """Answers by name, and what there was to choose from, in the order of asking."""

    parameters: dict[str, Any]
    options: dict[str, Options]


def ask(domain: Domain[Any], pick: Pick) -> Asked:
    """Ask for every choice; `pick` answers."""
    trial = _Asking(pick)
    return Asked(domain.suggest(trial), trial.options)


def recall(domain: Domain[Any], parameters: Mapping[str, Any]) -> Asked:
    """These answers, with what there was to choose from."""
    return ask(domain, lambda name, _options: parameters[name])


def draw(domain: Domain[Any], draws: random.Random) -> Asked:
    """Every choice at random."""
    return ask(domain, lambda _name, options: draws.choice(options))


def change(domain: Domain[Any], parent: Mapping[str, Any], name: str, value: Any, draws: random.Random) -> Asked:
    """The parent with another value of one choice."""

    def pick(asked: str, options: Options) -> Any:
        if asked == name:
            return value
        return parent[asked] if parent.get(asked) in options else draws.choice(options)

    return ask(domain, pick)


def neighbours(asked: Asked) -> Iterator[tuple[str, Any]]:
    """Every change of one choice; where values have an order, to the next one up or down."""
    for name, options in asked.options.items():
        place = options.index(asked.parameters[name])
        for other, value in enumerate(options):
            if other != place and (not is_ordered(options) or abs(other - place) == 1):
                yield name, value


def mutation(domain: Domain[Any], parent: Mapping[str, Any], draws: random.Random) -> Asked:
    """The parent with one choice, drawn at random, changed at random."""
    changes: dict[str, list[Any]] = {}
    for name, value in neighbours(recall(domain, parent)):
        changes.setdefault(name, []).append(value)
    if not changes:
        return draw(domain, draws)
    name = draws.choice(list(changes))
    return change(domain, parent, name, draws.choice(changes[name]), draws)


def is_ordered(options: Sequence[Any]) -> bool:
    """Whether a choice is among numbers, in rising order."""
    return all(type(value) in (int, float) for value in options) and list(options) == sorted(options)


class _Asking(FixedTrial):
    """A trial whose values `pick` chooses."""

    def __init__(self, pick: Pick) -> None:
        super().__init__({})
        self._pick = pick
        self.options: dict[str, Options] = {}

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of the choices."""
        return self._answer(name, tuple(choices))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A whole number."""
        answer: int = self._answer(name, tuple(range(low, high + 1, step)))
        return answer

    def _answer(self, name: str, options: Options) -> Any:
        self.options[name] = options
        return self._pick(name, options)
