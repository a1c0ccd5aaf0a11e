"""How often pruning was wrong: a share of what would have been pruned is trained to the end and compared."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from igcnas.search.observing import observed
from igcnas.search.proposals import Judge
from igcnas.search.records import trained
from igcnas.search.study import Study
from igcnas.statistics.intervals import wilson_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class SparedCount:
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


def count_spared(study: Study) -> SparedCount | None:
    """The audit of a study; None of one that does not prune."""
    if study.settings.pruner == "none":
        return None
    every = study.records
    judge = Judge.of(observed(every, study.parameters, study.objective), images=study.settings.effective_images)
    scores = {
        record.number: judge.score(record.accuracies[-1], study.objective.judged_cost(record))
        for record in trained(every)
        if record.searched
    }
    spared = [record.number for record in trained(every) if record.spared_at is not None]
    kept = [score for number, score in scores.items() if number not in spared]
    median = statistics.median(kept) if kept else float("inf")
    champions = {network.record.number for network in study.front}
    above = sum(scores[number] > median for number in spared)
    on_front = sum(number in champions for number in spared)
    return SparedCount(
        pruned=sum(record.state == "pruned" for record in every),
        spared=len(spared),
        above_median=above,
        on_front=on_front,
        above_median_interval=wilson_interval(above, len(spared)) if spared else None,
        on_front_interval=wilson_interval(on_front, len(spared)) if spared else None,
    )
