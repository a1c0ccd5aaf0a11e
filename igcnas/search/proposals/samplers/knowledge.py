"""What a sampler is told when it is asked."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from igcnas.search.proposals.domain import Domain, Observation
from igcnas.search.proposals.mirror import Mirror


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A searched network and its score, beside the reference at the epoch that it reached."""

    network: Observation
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """The searched networks so far with their scores, and the MAC target of the next, which lies in `targets`.

    pending: those in training, of which nothing is known yet. number: of the next network; with the seed it fixes
    every draw. mirror() is the same as an Optuna study, which is built up only for those who ask.
    """

    domain: Domain[Any]
    scored: Sequence[Scored]
    pending: Sequence[Observation]
    number: int
    target: int
    targets: tuple[int, int]
    seed: int
    mirror: Callable[[], Mirror]

    def draw_seed(self, *parts: int | str) -> int:
        """A seed of 32 bits from (seed, number, parts)."""
        digest = hashlib.sha256("/".join(map(str, (self.seed, self.number, *parts))).encode()).digest()
        return int.from_bytes(digest[:4], "big")

    def draws(self, *parts: int | str) -> random.Random:
        """Random numbers from (seed, number, parts)."""
        return random.Random(self.draw_seed(*parts))

    def best_first(self) -> list[Scored]:
        """Those that were trained to the end; of equal scores the earlier first."""
        return sorted((s for s in self.scored if s.network.complete), key=lambda scored: -scored.score)
