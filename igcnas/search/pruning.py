"""Which training ends early: the rule of successive halving, applied to the records of a study.

A decision depends on the networks of lower numbers that had ended when this one was proposed, and on the curve alone:
not on what has ended since, in other workers. So a training that is taken up after a kill,
which tells its curve again, hears the same; and what was spared can be read off a curve afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from igcnas.search.observing import known_records
from igcnas.search.proposals import Halving, Judge, is_spared
from igcnas.search.records import TrialRecord
from igcnas.search.settings import StudySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When one training ends. others: by rung, the scores there of the networks before it. Without rungs it never does.

    spared: it goes on all the same, to see whether pruning is right.
    """

    halving: Halving
    judge: Judge
    cost: float
    others: Mapping[int, Sequence[float]]
    spared: bool

    def ends(self, epoch: int, accuracy: float) -> bool:
        """Whether the training ends after this epoch, counted from 1, with this accuracy in percent."""
        return not self.spared and self._falls_behind(epoch, accuracy)

    def spared_at(self, accuracies: Sequence[float]) -> int | None:
        """The epoch after which a spared training with this curve would have ended; None if at none."""
        if not self.spared:
            return None
        behind = (epoch for epoch, accuracy in enumerate(accuracies, start=1) if self._falls_behind(epoch, accuracy))
        return next(behind, None)

    def _falls_behind(self, epoch: int, accuracy: float) -> bool:
        others = self.others.get(epoch)
        return others is not None and self.halving.prunes(self.judge.score(accuracy, self.cost, epoch=epoch), others)


def rule_for(record: TrialRecord, before: Sequence[TrialRecord], judge: Judge, settings: StudySettings) -> Rule:
    """The rule for this training. Baselines and repeats are never pruned.

    before: every record; those of higher numbers, and those that were in training when this one was proposed, do not
    count. Costs are the planned ones, which are known at any time.
    """
    prunes = settings.pruner == "halving" and record.searched
    halving = Halving(min_epochs=max(1, settings.min_epochs))
    peers = [r for r in known_records(list(before), record) if r.searched and r.state in ("complete", "pruned")]
    others = {
        epoch: [
            judge.score(peer.accuracies[epoch - 1], settings.compares.planned_cost(peer), epoch=epoch)
            for peer in peers
            if len(peer.curve) >= epoch
        ]
        for epoch in (halving.rungs(record.epochs) if prunes else ())
    }
    spared = is_spared(settings.seed, record.canonical_id)
    # A time is known only after the training, and nothing is pruned by it.
    cost = settings.compares.planned_cost(record) if prunes else math.nan
    return Rule(halving=halving, judge=judge, cost=cost, others=others, spared=spared)
