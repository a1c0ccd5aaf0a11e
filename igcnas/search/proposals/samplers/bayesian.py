"""Bayesian optimisation among what can be trained: a Gaussian process ranks neighbours of the best, and random ones.

The choices of the pool are ranked by expected improvement at the MAC target that is due, and given in that order; who
asks takes the first that fits and is new. So the constraint costs nothing and teaches nothing wrong: no misfit is ever
told as a bad value. Scores enter by their ranks, as normal quantiles: a diverged training must not decide the scale.
Networks in training are believed to score what is expected of them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import norm, rankdata
from threadpoolctl import threadpool_limits

from igcnas.search.proposals.choices import Asked, Options, change, draw, is_ordered, neighbours, recall
from igcnas.search.proposals.gaussian import Array, Axis, Encoded, GaussianProcess, encode
from igcnas.search.proposals.mirror import TARGET
from igcnas.search.proposals.samplers.evolution import FEW, at_random
from igcnas.search.proposals.samplers.knowledge import Knowledge, Scored

STARTUP = 10
_TRIES = 40  # structures of a kind at a target, before it is left for later
_RANDOM = 200
# Fitting costs the cube of this; of more networks, the best half and the latest half are taken.
_MOST = 300
# A score at an early epoch says less: so many times the noise of a full training.
_PRUNED_NOISE = 4.0


def gp(known: Knowledge) -> Iterator[dict[str, Any]]:
    """The pool, the most promising first; the first networks are random, of every kind."""
    if gp_starts(known):
        yield from _of_every_kind(known, *_kinds(known))
    told = _told(known.scored)
    asked = [recall(known.domain, scored.network.parameters) for scored in told]
    running = [recall(known.domain, network.parameters) for network in known.pending]
    pool = list(_pool(known))
    with threadpool_limits(1):  # matrices are small; threads that wait for each other took a hundred times as long
        improvement = _Model(known, told, asked, running, pool).improvement()
    for index in np.argsort(-improvement, kind="stable"):
        yield pool[index].parameters


def gp_starts(known: Knowledge) -> bool:
    """Ten networks, or one of every kind, come before there is a process."""
    return len(known.scored) < max(STARTUP, len(_kinds(known)[1]))


def _kinds(known: Knowledge) -> tuple[str, Options]:
    """The first choice, which is the block type, and its values."""
    return next(iter(draw(known.domain, known.draws("kinds")).options.items()))


def _of_every_kind(known: Knowledge, name: str, options: Options) -> Iterator[dict[str, Any]]:
    """Random structures, of the values of the first choice (the block type) the least tried ones first.

    A process that has never seen a block type believes it to be average, and improves what it knows to be good.
    """
    draws = known.draws("start")
    tried = Counter(network.parameters[name] for network in (*(s.network for s in known.scored), *known.pending))
    least = [value for value in options if tried[value] == min(tried[each] for each in options)]
    for value in draws.sample(least, len(least)):
        for _ in range(_TRIES):
            yield change(known.domain, {}, name, value, draws).parameters
    yield from at_random(known)


class _Model:
    """The process in terms of structures at a MAC target."""

    def __init__(
        self,
        known: Knowledge,
        told: Sequence[Scored],
        asked: Sequence[Asked],
        running: Sequence[Asked],
        pool: Sequence[Asked],
    ) -> None:
        self._known, self._codes = known, dict[Any, float]()
        self._axes = list(_axes([*asked, *running, *pool]))
        self._asked, self._pool = asked, pool
        ranks = rankdata([scored.score for scored in told])
        scores = norm.ppf((ranks - 0.5) / len(ranks))
        uncertainty = np.array([1.0 if scored.network.complete else _PRUNED_NOISE for scored in told])
        structures = self._encode(asked, [scored.network.target for scored in told])
        self._process = GaussianProcess.fit(structures, scores / scores.std(), uncertainty)
        if running:
            at = [network.target for network in known.pending]
            self._process = self._process.believing(self._encode(running, at))

    def improvement(self) -> Array:
        """Expected improvement of each structure of the pool over the best known one, both at the target."""
        mean, spread = self._at_target(self._pool)
        best = self._at_target(self._asked)[0].max()
        gain = (mean - best) / spread
        return np.asarray(spread * (gain * norm.cdf(gain) + norm.pdf(gain)))

    def _at_target(self, structures: Sequence[Asked]) -> tuple[Array, Array]:
        return self._process.predict(self._encode(structures, [self._known.target] * len(structures)))

    def _encode(self, structures: Sequence[Asked], targets: Sequence[int]) -> Encoded:
        plain = encode([asked.parameters for asked in structures], self._axes, self._codes)
        low, high = map(math.log, self._known.targets)
        context = (np.log(targets) - low) / ((high - low) or 1.0)
        return Encoded(np.column_stack([plain.values, context]), np.append(plain.ordered, True))


def _axes(structures: Sequence[Asked]) -> Iterator[Axis]:
    options: Mapping[str, Any] = {name: given for asked in structures for name, given in asked.options.items()}
    for name, given in options.items():
        ordered = is_ordered(given) and len(given) > 1 and name != TARGET
        yield Axis(name, {value: place / (len(given) - 1) for place, value in enumerate(given)} if ordered else None)


def _told(scored: Sequence[Scored]) -> list[Scored]:
    if len(scored) <= _MOST:
        return list(scored)
    latest = list(scored[-_MOST // 2 :])
    earlier = sorted(scored[: -_MOST // 2], key=lambda one: -one.score)
    return earlier[: _MOST - len(latest)] + latest


def _pool(known: Knowledge) -> Iterator[Asked]:
    """Every neighbour of the best few, and random structures."""
    draws = known.draws("pool")
    for parent in known.best_first()[:FEW]:
        asked = recall(known.domain, parent.network.parameters)
        for name, value in neighbours(asked):
            yield change(known.domain, asked.parameters, name, value, draws)
    for _ in range(_RANDOM):
        yield draw(known.domain, draws)
