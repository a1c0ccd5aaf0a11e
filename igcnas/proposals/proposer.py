"""Which network to train next: a new one that keeps its target, or the word that there is none.

A proposal depends on (seed, how many networks were searched) and on what is known of them, on nothing else: a search
that was interrupted proposes what an uninterrupted one would. (A sampler with a fixed seed repeats its first draws
after each restart; optuna 5.0.0.) Asks that do not fit, or that repeat a network, cost microseconds and no training.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from igcnas.proposals.domain import Candidate, Domain
from igcnas.proposals.mirror import TARGET, Mirror
from igcnas.proposals.observation import Observation
from igcnas.proposals.reference import Judge
from igcnas.proposals.samplers import SAMPLERS, BestFew, Sampler, sampler_named

NetworkT = TypeVar("NetworkT")
# What is asked when the sampler has nothing new: changes of the best few, then random structures at this target, then
# random structures at other targets.
_CHANGES, _RANDOM, _ANYWHERE, _TARGETS_EACH = 40, 200, 2000, 8
# The fractional parts of its multiples are spread evenly, however many there are.
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal(Generic[NetworkT]):
    """A network to train, the choices that mean it, and the MACs that it was solved for."""

    parameters: dict[str, Any]
    target_macs: int
    candidate: Candidate[NetworkT]


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of the proposals of this run."""

    asked: int = 0
    misfits: int = 0
    repeats: int = 0
    fallbacks: int = 0  # networks that the sampler did not propose itself: it had only misfits and repeats


class Proposer(Generic[NetworkT]):
    """Proposes networks of a domain within a budget.

    spread: targets are drawn from lowest_target to the budget, evenly on a log scale; else all are at the budget.
    images: how many an accuracy is measured on.
    """

    def __init__(
        self,
        domain: Domain[NetworkT],
        *,
        budget_macs: int,
        lowest_target: int,
        spread: bool,
        sampler: str,
        seed: int,
        images: int,
    ) -> None:
        self.domain, self.budget_macs, self.spread, self.seed, self.images = domain, budget_macs, spread, seed, images
        self.lowest_target = min(lowest_target, budget_macs)
        self.sampler: Sampler = sampler_named(sampler)
        self.tally = Tally()
        chooses_target = spread and self.sampler.multi_objective
        self._mirror = Mirror(domain, targets=(self.lowest_target, budget_macs) if chooses_target else None)

    def judge(self, observations: Sequence[Observation]) -> Judge:
        """Who scores these networks."""
        return Judge.of(observations, images=self.images)

    def propose(self, observations: Sequence[Observation], seen: AbstractSet[str]) -> Proposal[NetworkT] | None:
        """The next network, of a key that is not in `seen`; None where the domain seems to hold no other."""
        number = sum(not network.known for network in observations)
        self._mirror.update(observations, self.judge(observations))
        target = self.target(number)
        for position, (parameters, targets) in enumerate(self._asks(number, target)):
            self.tally.asked += 1
            for tried in targets:
                candidate = self.domain.solve(parameters, tried)
                if candidate is None:
                    self.tally.misfits += 1
                elif candidate.key in seen:
                    self.tally.repeats += 1
                else:
                    self.tally.fallbacks += position >= self.sampler.attempts
                    return Proposal(parameters=parameters, target_macs=tried, candidate=candidate)
        return None

    def target(self, number: int) -> int:
        """MACs that searched network `number`, counted from 0, is solved for."""
        if not self.spread:
            return self.budget_macs
        start = random.Random(self._seed("start")).random()
        return self._between((start + number * _GOLDEN) % 1.0)

    def samples(self, number: int) -> list[Candidate[NetworkT]]:
        """Networks of random structure within the budget, at most `number`; the same for the same seed."""
        found: list[Candidate[NetworkT]] = []
        for attempt in range(_ANYWHERE):
            if len(found) == number:
                break
            parameters = self._mirror.ask(SAMPLERS["random"].make(self._seed("samples", attempt), attempt))
            candidate = self.domain.solve(parameters, self.target(attempt))
            if candidate is not None:
                found.append(candidate)
        return found

    def _asks(self, number: int, target: int) -> Iterator[tuple[dict[str, Any], Iterator[int]]]:
        """Choices, and the targets to try them at: of the sampler first, then of those that never run dry."""
        anything = SAMPLERS["random"]
        for attempt in range(self.sampler.attempts):
            parameters = self._mirror.ask(self.sampler.make(self._seed(number, attempt), attempt))
            yield parameters, iter((int(parameters.pop(TARGET, target)),))
        for attempt in range(_CHANGES):
            parameters = self._mirror.ask(BestFew(seed=self._seed(number, "change", attempt), attempt=attempt))
            yield parameters, iter((int(parameters.pop(TARGET, target)),))
        for attempt in range(_RANDOM + _ANYWHERE):
            parameters = self._mirror.ask(anything.make(self._seed(number, "random", attempt), attempt))
            parameters.pop(TARGET, None)
            yield parameters, iter((target,)) if attempt < _RANDOM else self._others(number, attempt)

    def _others(self, number: int, attempt: int) -> Iterator[int]:
        """Other targets: what does not fit one, or is known there, may be new at another."""
        if not self.spread:
            yield self.budget_macs
            return
        draws = random.Random(self._seed(number, "targets", attempt))
        for _ in range(_TARGETS_EACH):
            yield self._between(draws.random())

    def _between(self, share: float) -> int:
        """The budget at 0, the lowest target at 1, evenly on a log scale."""
        low, high = math.log(self.lowest_target), math.log(self.budget_macs)
        return min(self.budget_macs, max(self.lowest_target, round(math.exp(high - share * (high - low)))))

    def _seed(self, *parts: int | str) -> int:
        digest = hashlib.sha256("/".join(map(str, (self.seed, *parts))).encode()).digest()
        return int.from_bytes(digest[:4], "big")
