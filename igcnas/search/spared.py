"""How often pruning was wrong: a share of what would have been pruned is trained to the end and compared."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import optuna

from igcnas.search.observing import compared_cost, observations
from igcnas.search.proposals import Judge
from igcnas.search.records import TrialRecord, front, records, trained
from igcnas.search.study import StudySettings
from igcnas.statistics.intervals import wilson_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class SparedAudit:
    """Of `spared` networks that would have been pruned, how many ended well; intervals are Wilson's at 95 %, shares.

    above_median: better, by errors against the reference at its cost, than the median of the networks that no rung
    stopped. on_front: on the front of the study. Intervals are None where nothing was spared.
    """

    pruned: int
    spared: int
    above_median: int
    on_front: int
    above_median_interval: tuple[float, float] | None
    on_front_interval: tuple[float, float] | None


def audit_spared(study: optuna.Study, settings: StudySettings) -> SparedAudit | None:
    """The audit of a study; None of one that does not prune."""
    if settings.pruner == "none":
        return None
    every = records(study)
    judge = Judge.of(observations(study, settings.objective), images=settings.data.validation_images)
    return _audit(every, judge, settings)


def _audit(every: Sequence[TrialRecord], judge: Judge, settings: StudySettings) -> SparedAudit:
    scores = {
        record.number: judge.score(record.accuracies[-1], compared_cost(record, settings.objective))
        for record in trained(every)
        if record.searched
    }
    spared = [record.number for record in trained(every) if record.spared_at is not None]
    kept = [score for number, score in scores.items() if number not in spared]
    median = statistics.median(kept) if kept else float("inf")
    champions = {record.number for record in front(every, settings.budget_macs, settings.objective)}
    above = sum(scores[number] > median for number in spared)
    on_front = sum(number in champions for number in spared)
    return SparedAudit(
        pruned=sum(record.state == "pruned" for record in every),
        spared=len(spared),
        above_median=above,
        on_front=on_front,
        above_median_interval=wilson_interval(above, len(spared)) if spared else None,
        on_front_interval=wilson_interval(on_front, len(spared)) if spared else None,
    )
