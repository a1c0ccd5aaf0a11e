"""What a search had found when, as hypervolume over networks, seconds of training, and time on the clock.

Convention: a network counts from the moment at which its first training ended, with its mean over all the seeds that it
has in the end. So the curve never falls, and its end is the front that the study shows. Before the repeats the search
itself knew the first seeds only.

seconds are of training, added up over all that ended by then: complete, pruned and repeated ones; what a failed one
took is not known. busy is the time on the clock in which at least one network was in training: each was, for its
seconds, until it ended. Breaks between runs are not in it; one that was interrupted counts as if it had not
been, at its end. With several workers it is less than seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from igcnas.network.budget import Budget
from igcnas.search.objective import Objective
from igcnas.search.records import networks
from igcnas.search.study import Study
from igcnas.statistics.pareto import hypervolume


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What every search is measured by. Costs are in units of the objective; networks over the budget do not count."""

    objective: Objective
    budget: Budget
    reference_cost: float
    reference_accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """After one more training: networks ended (pruned ones too), trainings, seconds, busy seconds, hypervolume."""

    networks: int
    trainings: int
    seconds: float
    busy: float
    hypervolume: float


def progress(search: Study, scale: Scale) -> list[Step]:
    """A step for each training that ended, in that order."""
    means = {n.record.number: n.mean for n in networks(search.records)}
    costs: list[float] = []
    accuracies: list[float] = []
    count, seconds, volume = 0, 0.0, 0.0
    spans: list[tuple[float, float]] = []
    steps = []
    for trainings, record in enumerate(search.in_order, start=1):
        took = record.seconds or 0.0
        seconds += took
        end = search.ended[record.number]
        spans = _merged([*spans, (end - took, end)])
        count += record.repeat == 0 and record.state in ("complete", "pruned")
        cost = scale.objective.cost(record)
        mean = means.get(record.number)
        if mean is not None and record.within(scale.budget) and cost > 0 and not _beaten(cost, mean, costs, accuracies):
            costs.append(cost)
            accuracies.append(mean)
            volume = volume_of(costs, accuracies, scale)
        busy = sum(to - since for since, to in spans)
        steps.append(Step(networks=count, trainings=trainings, seconds=seconds, busy=busy, hypervolume=volume))
    return steps


def volume_of(costs: Sequence[float], accuracies: Sequence[float], scale: Scale) -> float:
    """Points of accuracy above the reference, times octaves of cost below it."""
    return hypervolume(
        costs, accuracies, reference_macs=scale.reference_cost, reference_accuracy=scale.reference_accuracy
    )


def after(steps: Sequence[Step], networks: int) -> float:
    """Hypervolume once so many networks had ended."""
    return max((step.hypervolume for step in steps if step.networks <= networks), default=0.0)


def _beaten(cost: float, accuracy: float, costs: Sequence[float], accuracies: Sequence[float]) -> bool:
    return any(c <= cost and a >= accuracy for c, a in zip(costs, accuracies, strict=True))


def _merged(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Spans of time, joined where they overlap."""
    found: list[tuple[float, float]] = []
    for since, to in sorted(spans):
        if found and since <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], to))
        else:
            found.append((since, to))
    return found
