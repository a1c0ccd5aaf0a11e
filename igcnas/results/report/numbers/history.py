"""What the search did over time: the best accuracy so far, and the hypervolume of the front so far.

Networks count as they ended, pruned ones as well, each with its first training: repeats come later and belong to the
choice among finalists. The highest of more and more single trainings rises also where nothing gets better, so that this
curve flatters; the table of finalists does not.

Hypervolume: accuracy above guessing (100 / classes), integrated over octaves of cost up to twice the budget: a network
at the budget then counts for one octave. Where the front compares parameters or latency, up to twice the highest cost
of a baseline, or of any where there is none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from igcnas.search.records import TrialRecord
from igcnas.search.study import Study
from igcnas.statistics.pareto import hypervolume, pareto_front


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """After one more network. networks: so far, pruned ones included. seconds: since the first training began, by the
    clock; None where the journal does not tell. kind: 'baseline', 'random', 'proposed', or 'searched' where its origin
    is not recorded. accuracy: of its first training; None for one that was pruned or is over the budget.

    best: the highest accuracy so far within the budget, None before any. hypervolume: of the front so far; None where
    all networks are at the budget.
    """

    networks: int
    number: int
    seconds: float | None
    kind: str
    accuracy: float | None
    best: float | None
    hypervolume: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """reference_cost, reference_accuracy: the corner that the hypervolume is measured from; cost in units of the axis.

    last_gain: the network at which the best accuracy rose last; last_front: at which the hypervolume did.
    """

    moments: tuple[Moment, ...]
    reference_cost: float | None
    reference_accuracy: float

    @property
    def last_gain(self) -> Moment | None:
        """When the best accuracy rose last."""
        return _last_rise(self.moments, lambda moment: moment.best)

    @property
    def last_front(self) -> Moment | None:
        """When the hypervolume rose last."""
        return _last_rise(self.moments, lambda moment: moment.hypervolume)


def _last_rise(moments: tuple[Moment, ...], value: Callable[[Moment], float | None]) -> Moment | None:
    before, found = -math.inf, None
    for moment in moments:
        now = value(moment)
        if now is not None and now > before:
            before, found = now, moment
    return found


def history_of(study: Study) -> History:
    """In the order in which networks ended."""
    settings = study.settings
    reference = _reference_cost(study) if settings.compares.spread else None
    guess = 100.0 / len(settings.data.classes)
    began = min((start for start, _ in study.times.values() if start is not None), default=None)
    moments: list[Moment] = []
    line: list[tuple[float, float]] = []
    best: float | None = None
    volume = 0.0
    for record in _ended(study):
        accuracy = None
        if record.state == "complete" and record.val_accuracy is not None and record.within(study.budget):
            accuracy = record.val_accuracy
            best = accuracy if best is None else max(best, accuracy)
            cost = study.cost(record)
            if reference is not None and not math.isnan(cost):
                every = [*line, (cost, accuracy)]
                kept = pareto_front([c for c, _ in every], [a for _, a in every])
                if len(every) - 1 in kept:
                    line = [every[place] for place in kept]
                    volume = hypervolume(
                        [c for c, _ in line],
                        [a for _, a in line],
                        reference_macs=reference,
                        reference_accuracy=guess,
                    )
        end = study.times[record.number][1]
        moments.append(
            Moment(
                networks=len(moments) + 1,
                number=record.number,
                seconds=None if end is None or began is None else (end - began).total_seconds(),
                kind=_kind(study, record),
                accuracy=accuracy,
                best=best,
                hypervolume=None if reference is None else volume,
            )
        )
    return History(moments=tuple(moments), reference_cost=reference, reference_accuracy=guess)


def _ended(study: Study) -> list[TrialRecord]:
    """First trainings that ended, in that order; where a journal has no times, by number."""
    firsts = [record for record in study.records if record.repeat == 0 and record.state in ("complete", "pruned")]
    ends = {record.number: study.times[record.number][1] for record in firsts}
    return sorted(
        firsts,
        key=lambda record: (end.timestamp() if (end := ends[record.number]) else math.inf, record.number),
    )


def _kind(study: Study, record: TrialRecord) -> str:
    if record.baseline is not None:
        return "baseline"
    if study.settings.sampler == "random" or record.origin == "random":
        return "random"
    return "proposed" if record.origin else "searched"


def _reference_cost(study: Study) -> float:
    if (most := study.budget.get(study.axis.limit)) is not None:
        return 2 * most / study.axis.size
    costs = [(one.record.baseline is not None, study.cost(one.record)) for one in study.networks]
    known = [cost for is_known, cost in costs if is_known and not math.isnan(cost)]
    return 2 * max(known or [cost for _, cost in costs if not math.isnan(cost)] or [1.0])
