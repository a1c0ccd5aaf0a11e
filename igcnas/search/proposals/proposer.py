"""Which network to train next: a new one that keeps its target, or the word that there is none.

A proposal depends on (seed, how many networks were searched) and on what is known of them, on nothing else: a search
that was interrupted proposes what an uninterrupted one would. Those in training count as searched; samplers hear of
them. (A sampler with a fixed seed repeats its first draws
after each restart; optuna 5.0.0.) Asks that do not fit, or that repeat a network, cost microseconds and no training.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Any, Generic, TypeVar

from igcnas.search.proposals.domain import Candidate, Domain, Observation
from igcnas.search.proposals.mirror import TARGET, Mirror
from igcnas.search.proposals.reference import Judge
from igcnas.search.proposals.samplers import Knowledge, Scored, at_random, best_few, sampler_named

NetworkT = TypeVar("NetworkT")
# After so many misfits and repeats of the sampler others are asked: changes of the best few networks, then random
# structures at this target, then random structures at other targets.
_SAMPLER, _CHANGES, _RANDOM, _ANYWHERE, _TARGETS_EACH = 500, 40, 200, 2000, 8
# The fractional parts of its multiples are spread evenly, however many there are.
_GOLDEN = (math.sqrt(5) - 1) / 2


class Stage(Enum):
    """Who is asked: the sampler; then what is there for when it has nothing new."""

    SAMPLER = "the sampler"
    CHANGES = "changes of the best few networks"
    RANDOM = "random structures at this target"
    ANYWHERE = "random structures at other targets, and those that do not fill theirs"


_ORIGINS = {Stage.SAMPLER: "sampler", Stage.CHANGES: "changes", Stage.RANDOM: "random", Stage.ANYWHERE: "random"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal(Generic[NetworkT]):
    """A network to train, the choices that mean it, and the MACs that it was solved for.

    origin: where the choices come from. 'random': drawn whatever is known. 'sampler'. 'changes': of the best few.
    """

    parameters: dict[str, Any]
    target: int
    candidate: Candidate[NetworkT]
    origin: str


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of the proposals of this run."""

    asked: int = 0
    misfits: int = 0
    repeats: int = 0
    fallbacks: int = 0  # networks that the sampler did not propose itself: it had only misfits and repeats


class Proposer(Generic[NetworkT]):
    """Proposes networks of a domain within a budget: the highest target.

    spread: targets are drawn from lowest_target to the budget, evenly on a log scale; else all are at the budget.
    images: how many an accuracy is measured on.
    """

    def __init__(
        self,
        domain: Domain[NetworkT],
        *,
        budget: int,
        lowest_target: int,
        spread: bool,
        sampler: str,
        seed: int,
        images: int,
    ) -> None:
        self.domain, self.budget, self.spread, self.seed, self.images = domain, budget, spread, seed, images
        self.lowest_target = min(lowest_target, budget)
        self.sampler = sampler_named(sampler)
        self.tally = Tally()
        chooses_target = spread and self.sampler.chooses_target
        self._mirror = Mirror(domain, targets=(self.lowest_target, budget) if chooses_target else None)

    def judge(self, observations: Sequence[Observation]) -> Judge:
        """Who scores these networks."""
        return Judge.of(observations, images=self.images)

    def propose(self, observations: Sequence[Observation], seen: AbstractSet[str]) -> Proposal[NetworkT] | None:
        """The next network, of a key that is not in `seen`; None where the domain seems to hold no other."""
        known = self._knowledge(observations)
        starts = self.sampler.starts(known)
        for stage, parameters, targets in self._asks(known):
            self.tally.asked += 1
            for target in targets:
                candidate = self.domain.solve(parameters, target)
                if candidate is None or not (candidate.fills or stage is Stage.ANYWHERE):
                    self.tally.misfits += 1
                elif candidate.key in seen:
                    self.tally.repeats += 1
                else:
                    self.tally.fallbacks += stage is not Stage.SAMPLER
                    origin = "random" if starts and stage is Stage.SAMPLER else _ORIGINS[stage]
                    return Proposal(parameters=parameters, target=target, candidate=candidate, origin=origin)
        return None

    def _knowledge(self, observations: Sequence[Observation]) -> Knowledge:
        judge = self.judge(observations)
        searched = [network for network in observations if not network.known]

        def mirror() -> Mirror:
            self._mirror.update(searched, judge)
            return self._mirror

        scored = [
            Scored(network=network, score=judge.score(network.accuracies[-1], network.cost, epoch=_reached(network)))
            for network in searched
            if network.accuracies
        ]
        return Knowledge(
            domain=self.domain,
            scored=scored,
            pending=[network for network in searched if network.pending],
            number=len(searched),
            target=self.target(len(searched)),
            targets=(self.lowest_target, self.budget),
            seed=self.seed,
            mirror=mirror,
        )

    def target(self, number: int) -> int:
        """MACs that searched network `number`, counted from 0, is solved for."""
        if not self.spread:
            return self.budget
        start = random.Random(f"{self.seed}/targets").random()
        return self._between((start + number * _GOLDEN) % 1.0)

    def samples(self, number: int) -> list[Candidate[NetworkT]]:
        """Networks of random structure within the budget, at most `number`; the same for the same seed."""
        structures = at_random(self._knowledge(()))
        tries = (self.domain.solve(next(structures), self.target(attempt)) for attempt in range(_ANYWHERE))
        return list(islice((found for found in tries if found is not None), number))

    def _asks(self, known: Knowledge) -> Iterator[tuple[Stage, dict[str, Any], Iterable[int]]]:
        """Choices, and the targets to try them at; those of the last stage hardly run dry."""
        for parameters in islice(self.sampler.asks(known), _SAMPLER):
            yield Stage.SAMPLER, parameters, (int(parameters.pop(TARGET, known.target)),)
        for parameters in islice(best_few(known), _CHANGES):
            yield Stage.CHANGES, parameters, (known.target,)
        structures, draws = at_random(known), known.draws("targets")
        for parameters in islice(structures, _RANDOM):
            yield Stage.RANDOM, parameters, (known.target,)
        for parameters in islice(structures, _ANYWHERE):
            yield Stage.ANYWHERE, parameters, self._others(draws)

    def _others(self, draws: random.Random) -> Iterator[int]:
        """Other targets: what does not fit one, or is known there, may be new at another."""
        if not self.spread:
            yield self.budget
            return
        for _ in range(_TARGETS_EACH):
            yield self._between(draws.random())

    def _between(self, share: float) -> int:
        """The budget at 0, the lowest target at 1, evenly on a log scale."""
        low, high = math.log(self.lowest_target), math.log(self.budget)
        return min(self.budget, max(self.lowest_target, round(math.exp(high - share * (high - low)))))


def _reached(network: Observation) -> int | None:
    """The epoch that it is compared at; None: the last."""
    return None if network.complete else len(network.accuracies)
