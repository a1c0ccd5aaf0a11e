"""What the search has added to drawing networks at random, judged at equal cost on the networks of one study.

A network's score is log(errors of the baselines at its cost) minus log(its errors), as samplers see it
(`proposals.Judge`): so networks of all costs are compared. One that was pruned counts with the score at the epoch that
it reached, beside the baselines at the same epoch: left out, the survivors would flatter both groups. Of a network
that was trained several times the first training counts, as for all others.

Drawn at random are the networks whose record says so; the others were proposed from what was known. What the best of as
many random draws would have been follows from the mean and the spread of the random ones, taken as normal; its interval
is of resampled random networks (`statistics.bootstrap_interval`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from igcnas.search.records import TrialRecord
from igcnas.search.study import Study
from igcnas.statistics.intervals import (
    Interval,
    bootstrap_interval,
    deviation,
    expected_maximum,
    mean,
    t_interval,
    welch,
    wilson_interval,
)

RANDOM = "random"
LEAST = 3  # random networks, and others, for a comparison that means anything


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Scores of some networks. low, high: 95 % t interval of the mean."""

    scores: tuple[float, ...]
    mean: float
    sd: float
    low: float
    high: float
    best: float
    best_number: int

    @property
    def n(self) -> int:
        """Number of networks."""
        return len(self.scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomComparison:
    """Networks that were proposed from what was known against those drawn at random; scores in logs of errors.

    difference: of the mean scores, with its Welch interval and p. p_ranks: of the Mann-Whitney test. superiority: the
    share of pairs in which the later network is better. above: later networks better than the best random one, with
    Wilson's interval of their share. expected_best: of as many random draws as there are later networks.
    """

    random: Group
    later: Group
    difference: float
    low: float
    high: float
    p: float
    p_ranks: float
    superiority: float
    above: int
    above_interval: Interval
    expected_best: float
    expected_best_interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomSearch:
    """What is known of random structures in a study.

    unknown: searched networks whose origin no record tells. random: None where none is known. comparison: None where
    there are fewer than LEAST of either kind. pruned: networks that count with an earlier epoch.
    """

    random: Group | None
    comparison: RandomComparison | None
    unknown: int
    later: int
    pruned: int


def compare_random(study: Study) -> RandomSearch:
    """Of the searched networks of a study."""
    scored = score_searched(study)
    origins = {record.number: _origin(study, record) for record, _ in scored}
    random = [(record.number, score) for record, score in scored if origins[record.number] == RANDOM]
    later = [(record.number, score) for record, score in scored if origins[record.number] not in (RANDOM, "")]
    enough = min(len(random), len(later)) >= LEAST
    return RandomSearch(
        random=group(random) if random else None,
        comparison=against(random, later) if enough else None,
        unknown=sum(origin == "" for origin in origins.values()),
        later=len(later),
        pruned=sum(record.state == "pruned" for record, _ in scored),
    )


def score_searched(study: Study) -> list[tuple[TrialRecord, float]]:
    """Every searched network that has an accuracy, with its score."""
    from igcnas.search.observing import observed
    from igcnas.search.proposals import Judge

    judge = Judge.of(observed(study.records, study.parameters, study.objective), images=study.settings.effective_images)
    found = []
    for record in study.records:
        if record.searched and record.state in ("complete", "pruned") and record.accuracies:
            cost = study.objective.judged_cost(record)
            if not math.isnan(cost):
                reached = None if record.state == "complete" else len(record.accuracies)
                found.append((record, judge.score(record.accuracies[-1], cost, epoch=reached)))
    return found


def _origin(study: Study, record: TrialRecord) -> str:
    """What the record tells; a study with the random sampler needs no record."""
    return RANDOM if study.settings.sampler == RANDOM else record.origin


def group(scored: Sequence[tuple[int, float]]) -> Group:
    """Of (number of the network, its score)."""
    scores = [score for _, score in scored]
    best_number, best = max(scored, key=lambda one: (one[1], -one[0]))
    low, high = t_interval(scores)
    return Group(
        scores=tuple(scores),
        mean=mean(scores),
        sd=deviation(scores),
        low=low,
        high=high,
        best=best,
        best_number=best_number,
    )


def against(random: Sequence[tuple[int, float]], later: Sequence[tuple[int, float]]) -> RandomComparison:
    """Later networks against random ones; two or more of each, as (number, score)."""
    import numpy as np
    from scipy.stats import mannwhitneyu

    drawn, proposed = group(random), group(later)
    test = welch(proposed.scores, drawn.scores)
    ranks = mannwhitneyu(proposed.scores, drawn.scores, alternative="two-sided")
    p_ranks = float(ranks.pvalue)
    above = sum(score > drawn.best for score in proposed.scores)
    values = np.array(drawn.scores)
    deviations = expected_maximum(proposed.n)
    return RandomComparison(
        random=drawn,
        later=proposed,
        difference=test.difference,
        low=test.low,
        high=test.high,
        p=test.p,
        p_ranks=1.0 if math.isnan(p_ranks) else p_ranks,  # all scores are equal
        superiority=float(ranks.statistic) / (proposed.n * drawn.n),
        above=above,
        above_interval=wilson_interval(above, proposed.n),
        expected_best=drawn.mean + deviations * drawn.sd,
        expected_best_interval=bootstrap_interval(
            lambda places: float(values[places].mean() + deviations * values[places].std(ddof=1)), drawn.n
        ),
    )
