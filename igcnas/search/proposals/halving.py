"""Pruning by successive halving, as a rule without state: whoever asks twice gets the same answer.

The stopping form of asynchronous successive halving (Li et al., MLSys 2020): a training goes on beyond a rung only if
its score is among the best 1 / factor of all that reached the rung. All compare at the same epoch of the same
schedule. Optuna's pruner writes its rungs into the trial, which a network that is taken up after a kill would enter
twice, and cannot be used where a study has two objectives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from igcnas.errors import IgcnasError

# This share of what would be pruned is trained to the end all the same, to see how often pruning is wrong.
SPARED_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Halving:
    """min_epochs: the first rung. factor: one in so many goes on."""

    min_epochs: int
    factor: int = 3

    def __post_init__(self) -> None:
        if self.min_epochs < 1:
            raise IgcnasError(f"min_epochs must be at least 1, but is {self.min_epochs}")
        if self.factor < 2:
            raise IgcnasError(f"factor of halving must be at least 2, but is {self.factor}")

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """The epochs, counted from 1, after which a training of so many may end early."""
        rungs, rung = [], self.min_epochs
        while rung < epochs:
            rungs.append(rung)
            rung *= self.factor
        return tuple(rungs)

    def prunes(self, score: float, others: Sequence[float]) -> bool:
        """Whether a training of this score ends, when the others that reached the rung had theirs."""
        allowed = max(1, (len(others) + 1) // self.factor)
        return sum(other >= score for other in others) >= allowed


def is_spared(seed: int, key: str) -> bool:
    """Whether a network that would be pruned is finished all the same: drawn from (seed, network)."""
    digest = hashlib.sha256(f"spared/{seed}/{key}".encode()).digest()
    return int.from_bytes(digest[:4], "big") < SPARED_SHARE * 2**32
