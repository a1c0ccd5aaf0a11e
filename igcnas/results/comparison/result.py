"""The numbers of a comparison: one row a search, one a method, the differences, and the curves of the picture.

All searches are measured by one scale. Networks over the smallest budget are left out. Hypervolume: accuracy above the
reference accuracy, integrated over octaves of cost below the reference cost, which is twice the largest that counts,
so that the best network within the budget weighs one octave. The reference accuracy is one that every search reaches
with a quarter of the largest cost, rounded down to a multiple of five, unless it is given: networks below it add
nothing, so that those of a few thousand MACs, which nobody would take, do not decide.

Fronts are of means over seeds, and the highest of many means is lucky: hypervolume and the accuracies at marks are
what a search believes, above what its networks are worth. The best network is the one of the highest expected accuracy
(`igcnas.statistics.racing`), which leaves out what was luck on average; that expectation is what is tested.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from igcnas import units
from igcnas.errors import StudyError
from igcnas.results.comparison.differences import Difference, differences
from igcnas.results.comparison.methods import Method
from igcnas.results.comparison.progress import Scale, Step, after, progress, volume_of
from igcnas.results.comparison.search import common_budget, costs_and_means, first
from igcnas.results.figures.front import front_line
from igcnas.search.objective import Objective
from igcnas.search.records import Network, TrialRecord, champions, counted, networks
from igcnas.search.repeating import Standing, standing
from igcnas.search.study import Study, study_noise
from igcnas.statistics import intervals as statistics
from igcnas.statistics.noise import Noise

_ROUND = 5.0
_OCTAVES = (8, 4, 2, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The network that leads a search: mean, sd and n of its accuracies, and what is expected of it."""

    number: int
    name: str
    cost: float
    mean: float
    sd: float | None
    n: int
    expected: float
    uncertainty: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One search. at_marks: the highest mean at or under each mark; None where nothing is so cheap.

    hypervolume, best: of all that it holds. common_*: of its first networks, as many as every search has.
    """

    study: str
    method: str
    seed: int
    networks: int
    trainings: int
    failed: int
    running: int
    seconds: float
    busy: float
    best: Best
    at_marks: tuple[float | None, ...]
    hypervolume: float
    common_hypervolume: float
    common_best: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Two:
    """The best networks of two single searches: the difference of their means, each with the noise of its search.

    seeds: degrees of freedom of the spread of a seed in each; 0 where it is not known.
    """

    first: str
    second: str
    difference: statistics.Difference
    n: tuple[int, int]
    seeds: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What is drawn of a search: its front with half a bar at each point, and its progress."""

    study: str
    method: str
    costs: tuple[float, ...]
    means: tuple[float, ...]
    errors: tuple[float, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Searches that judge networks alike. methods: names, with how many searches each has, in order."""

    methods: Mapping[str, int]
    data: str
    epochs: int
    validation_images: int
    scale: Scale
    marks: tuple[float, ...]
    common_networks: int
    rows: tuple[Row, ...]
    differences: tuple[Difference, ...]
    bests: tuple[Two, ...]
    curves: tuple[Curve, ...]
    notes: tuple[str, ...]
    measure: str = "accuracy"


def compare(methods: Sequence[Method], *, reference_accuracy: float | None = None) -> Comparison:
    """Every number of the comparison. The methods must judge networks alike (`panels`).

    StudyError where a search holds no network that counts.
    """
    searches = [search for method in methods for search in method.searches]
    settings = searches[0].settings
    scale = _scale(searches, reference_accuracy)
    common = min(counted(search.records) for search in searches)
    marks = _marks(scale)
    steps = {search.name: progress(search, scale) for search in searches}
    leaders = {search.name: _leader(search, list(search.records), scale) for search in searches}
    rows = tuple(
        _row(search, method.name, scale, marks, steps[search.name], leaders[search.name], common)
        for method in methods
        for search in method.searches
    )
    values = {
        "hypervolume": {row.study: row.common_hypervolume for row in rows},
        "best": {row.study: row.common_best for row in rows},
    }
    return Comparison(
        methods={method.name: len(method.searches) for method in methods},
        data=settings.data.name,
        epochs=settings.training.epochs,
        validation_images=settings.data.validation_images,
        scale=scale,
        marks=marks,
        common_networks=common,
        rows=rows,
        differences=tuple(differences(methods, values)),
        bests=tuple(
            _two(first, second, leaders)
            for first, second in combinations(methods, 2)
            if len(first.searches) == len(second.searches) == 1
        ),
        curves=tuple(
            _curve(search, method.name, scale, steps[search.name]) for method in methods for search in method.searches
        ),
        notes=(*_notes(searches, common), *_same_seeds(methods)),
        measure=searches[0].measure,
    )


def _scale(searches: Sequence[Study], reference_accuracy: float | None) -> Scale:
    budget = common_budget(searches)
    objective = searches[0].settings.compares
    fronts = [champions(search.records, budget, objective) for search in searches]
    for search, front in zip(searches, fronts, strict=True):
        if not front:
            raise StudyError(
                f"study {search.name!r} holds no trained network within {budget.words()}, the smallest budget "
                "of all; leave it out, or search further"
            )
    limit = budget.get(objective.axis.limit)
    largest = max(objective.cost(n.record) for front in fronts for n in front) if limit is None else float(limit)
    if reference_accuracy is None:
        reference_accuracy = _reached_by_all(fronts, largest, objective)
    return Scale(
        objective=objective,
        budget=budget,
        reference_cost=2 * largest,
        reference_accuracy=reference_accuracy,
    )


def _reached_by_all(fronts: Sequence[Sequence[Network]], largest: float, objective: Objective) -> float:
    """What every search reaches with a quarter of the largest cost, or from where each has a network."""
    for octaves in (4, 2):
        within = [[n.mean for n in front if objective.cost(n.record) <= largest / octaves] for front in fronts]
        if all(within):
            break
    else:
        within = [[n.mean for n in front] for front in fronts]
    return _ROUND * math.floor(min(map(max, within)) / _ROUND)


def _marks(scale: Scale) -> tuple[float, ...]:
    """Costs at which accuracies are told: an eighth, a quarter and a half of the largest that counts, and it."""
    octaves = (1,) if not scale.objective.spread else _OCTAVES
    return tuple(scale.reference_cost / 2 / octave for octave in octaves)


def _leader(search: Study, every: list[TrialRecord], scale: Scale) -> Standing:
    images = search.settings.effective_images
    found = standing(every, budget=scale.budget, images=images)
    if found is None:
        raise StudyError(
            f"of the first networks of study {search.name!r} none was trained to the end within "
            f"{scale.budget.words()}; leave it out, or search further"
        )
    return found


def _row(
    search: Study,
    method: str,
    scale: Scale,
    marks: Sequence[float],
    steps: Sequence[Step],
    leader: Standing,
    common: int,
) -> Row:
    costs, means = costs_and_means(list(search.records), budget=scale.budget, objective=scale.objective)
    last = steps[-1]
    at_marks = [max((m for c, m in zip(costs, means, strict=True) if c <= mark), default=None) for mark in marks]
    return Row(
        study=search.name,
        method=method,
        seed=search.seed,
        networks=last.networks,
        trainings=last.trainings,
        failed=sum(record.state == "failed" for record in search.records),
        running=search.running,
        seconds=last.seconds,
        busy=last.busy,
        best=_best(leader, scale.objective),
        at_marks=tuple(at_marks),
        hypervolume=volume_of(costs, means, scale),
        common_hypervolume=after(steps, common),
        common_best=_leader(search, first(search, common), scale).race.first.expected,
    )


def _best(leader: Standing, objective: Objective) -> Best:
    network, race = leader.first, leader.race.first
    record = network.record
    return Best(
        number=record.number,
        name=record.baseline or record.architecture.label(),
        cost=objective.cost(record),
        mean=network.mean,
        sd=network.sd,
        n=network.n,
        expected=race.expected,
        uncertainty=race.uncertainty,
    )


def _two(first: Method, second: Method, leaders: Mapping[str, Standing]) -> Two:
    one, other = leaders[first.searches[0].name].first, leaders[second.searches[0].name].first
    mine, theirs = _noise(first.searches[0]), _noise(second.searches[0])
    return Two(
        first=first.name,
        second=second.name,
        difference=mine.difference(one.accuracies, other.accuracies, theirs),
        n=(one.n, other.n),
        seeds=(mine.degrees, theirs.degrees),
    )


def _curve(search: Study, method: str, scale: Scale, steps: Sequence[Step]) -> Curve:
    line = front_line(search.records, budget=scale.budget, objective=scale.objective, noise=_noise(search))
    costs, means, errors = zip(*line, strict=True)
    return Curve(study=search.name, method=method, costs=costs, means=means, errors=errors, steps=tuple(steps))


def _noise(search: Study) -> Noise:
    """What the accuracies of a search may be off, from all its repeats."""
    return study_noise(networks(search.records), search.settings)


def _same_seeds(methods: Sequence[Method]) -> list[str]:
    """Searches by one method that are not independent of each other."""
    twice = [m.name for m in methods if len({search.seed for search in m.searches}) < len(m.searches)]
    if not twice:
        return []
    return [
        f"Several searches by {', '.join(twice)} have the same seed: they share validation images and what equal "
        "networks reached, so that they differ less than searches with other seeds would."
    ]


def _notes(searches: Sequence[Study], common: int) -> list[str]:
    """What a reader must know of how these studies were made."""
    notes = []
    budgets = list(dict.fromkeys(search.budget.words() for search in searches))
    if len(budgets) > 1:
        notes.append(f"Budgets differ ({', '.join(budgets)}): networks over the smallest are left out.")
    lengths = {counted(search.records) for search in searches}
    if len(lengths) > 1:
        notes.append(f"Searches differ in length: tests are of the first {units.counted(common, 'network')} of each.")
    engines = sorted({search.settings.training.engine for search in searches})
    if len(engines) > 1:
        notes.append(f"Trained by several engines, which round differently: {', '.join(engines)}.")
    devices = sorted({r.device for search in searches for r in search.records if r.device})
    if len(devices) > 1:
        notes.append(f"Trained on several devices ({', '.join(devices)}): their seconds cannot be compared.")
    running = [search.name for search in searches if search.running]
    if running:
        notes.append(f"Not at an end: {', '.join(running)}; what they hold so far is compared.")
    failed = [search.name for search in searches if any(r.state == "failed" for r in search.records)]
    if failed:
        notes.append(f"The seconds of failed trainings are not known and not counted: {', '.join(failed)}.")
    return notes
