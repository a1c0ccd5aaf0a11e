"""What the test results of a retraining say: means, intervals, differences with corrected tests, equivalence.

Conventions. Values are test accuracies in percent, one a training; the unit is the training, so that an interval is of
the mean over seeds, on these test images. Differences are by Welch's test. Two families of tests, each corrected by
Holm: every searched network against the best published one, and every other network against the first, which is the
network that the search put first (before the test split was read). The best published network is the one of the
highest mean test accuracy: choosing it so favours it, never the search. Where a test shows no difference, two one-sided
tests, again corrected, ask whether the networks are equivalent within the margin; else it is undecided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from igcnas.results.retraining.plan import Finalist, RetrainSettings
from igcnas.search.records import standard_error
from igcnas.statistics.intervals import deviation, holm, mean, t_interval, tost, welch
from igcnas.statistics.noise import balanced_standard_error

LEVEL = 0.05
VERDICTS = ("better", "worse", "equivalent", "undecided")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One training. macs and params are of the lowered network, and other limits of the budget by their names.

    failed: why there is no accuracy, else None. test_classes: images and right answers of each class, where the study
    compares by balanced accuracy.
    """

    network: str
    repeat: int
    test_right: int
    test_images: int
    macs: int
    params: int
    train_loss: float | None
    seconds: float
    device: str
    failed: str | None
    measured_limits: Mapping[str, int] = field(default_factory=dict)
    test_classes: tuple[tuple[int, int], ...] = ()

    @property
    def test_accuracy(self) -> float:
        """In percent; where the classes were counted, the balanced accuracy."""
        if self.test_classes:
            shares = [right / images for images, right in self.test_classes if images]
            return 100.0 * sum(shares) / len(shares)
        return 100.0 * self.test_right / self.test_images

    @property
    def binomial_error(self) -> float:
        """Binomial standard error of it, in points."""
        if self.test_classes:
            images, right = zip(*self.test_classes, strict=True)
            return balanced_standard_error(images, right)
        return standard_error(self.test_accuracy, self.test_images)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A network minus a reference: difference of means with its 95 % interval; p of Welch, corrected by Holm.

    equivalence: corrected p of 'they differ by the margin or more'. verdict: one of VERDICTS.
    """

    network: str
    reference: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    equivalence: float
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One network: its accuracies by seed, their mean, sd (None with one) and 95 % interval (None with one).

    macs and params are means over the trainings: learned groupings differ from seed to seed. over_budget: trainings
    whose network costs more than the budget. failed: trainings without an accuracy.
    """

    finalist: Finalist
    accuracies: tuple[float, ...]
    mean: float
    sd: float | None
    interval: tuple[float, float] | None
    macs: float
    params: float
    seconds: float
    over_budget: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainResults:
    """Rows by mean accuracy, the highest first. binomial_error: standard error of the test split at the highest mean.

    against_published and against_first: the two families of tests; the first is empty where no published network fits.
    """

    rows: tuple[Row, ...]
    first: str
    best_published: str | None
    against_published: tuple[Comparison, ...]
    against_first: tuple[Comparison, ...]
    margin: float
    test_images: int
    test_readings: int
    binomial_error: float
    devices: tuple[str, ...]
    reasons: tuple[str, ...]


def tabulate(settings: RetrainSettings, results: Sequence[Result]) -> RetrainResults | None:
    """The table of all results; None where no training has an accuracy."""
    good = [result for result in results if result.failed is None]
    if not good:
        return None
    images = good[0].test_images
    resolution = 100.0 / images
    rows = {}
    for finalist in settings.finalists:
        own = [result for result in good if result.network == finalist.name]
        failed = sum(result.network == finalist.name and result.failed is not None for result in results)
        if own:
            over = sum(not settings.budget.allows(_used(result, settings)) for result in own)
            rows[finalist.name] = _row(finalist, own, over, failed, resolution)
    searched = [row for row in rows.values() if not row.finalist.published]
    published = [row for row in rows.values() if row.finalist.published]
    first = (searched or published)[0]
    best = max(published, key=lambda row: row.mean, default=None)
    ordered = sorted(rows.values(), key=lambda row: -row.mean)
    return RetrainResults(
        rows=tuple(ordered),
        first=first.finalist.name,
        best_published=None if best is None else best.finalist.name,
        against_published=_family(searched, best, settings.margin, resolution),
        against_first=_family([row for row in rows.values() if row is not first], first, settings.margin, resolution),
        margin=settings.margin,
        test_images=images,
        test_readings=len(good),
        binomial_error=_error(ordered[0], good),
        devices=tuple(sorted({result.device for result in good})),
        reasons=tuple(f"{r.network}, seed {r.repeat}: {r.failed}" for r in results if r.failed is not None),
    )


def _error(row: Row, results: Sequence[Result]) -> float:
    """Binomial standard error at the mean of a row; of a balanced accuracy at its first training."""
    first = next(result for result in results if result.network == row.finalist.name)
    return first.binomial_error if first.test_classes else standard_error(row.mean, first.test_images)


def _row(finalist: Finalist, results: Sequence[Result], over_budget: int, failed: int, resolution: float) -> Row:
    accuracies = [result.test_accuracy for result in results]
    several = len(accuracies) > 1
    return Row(
        finalist=finalist,
        accuracies=tuple(accuracies),
        mean=mean(accuracies),
        sd=deviation(accuracies) if several else None,
        interval=t_interval(accuracies, resolution=resolution) if several else None,
        macs=mean([result.macs for result in results]),
        params=mean([result.params for result in results]),
        seconds=mean([result.seconds for result in results]),
        over_budget=over_budget,
        failed=failed,
    )


def _family(rows: Sequence[Row], reference: Row | None, margin: float, resolution: float) -> tuple[Comparison, ...]:
    """Each row against the reference, corrected for all of them."""
    if reference is None:
        return ()
    pairs = [(row.accuracies, reference.accuracies) for row in rows]
    tests = [welch(own, other, resolution=resolution) for own, other in pairs]
    corrected = holm([test.p for test in tests])
    equivalences = holm([tost(own, other, margin=margin, resolution=resolution) for own, other in pairs])
    return tuple(
        Comparison(
            network=row.finalist.name,
            reference=reference.finalist.name,
            difference=test.difference,
            low=test.low,
            high=test.high,
            p=test.p,
            p_holm=p,
            equivalence=equivalence,
            verdict=_verdict(test.difference, p, equivalence),
        )
        for row, test, p, equivalence in zip(rows, tests, corrected, equivalences, strict=True)
    )


def _verdict(difference: float, p: float, equivalence: float) -> str:
    if p < LEVEL:
        return "better" if difference > 0 else "worse"
    return "equivalent" if equivalence < LEVEL else "undecided"


def _used(result: Result, settings: RetrainSettings) -> dict[str, int]:
    """What the trained network uses of each limit; what no retraining recorded yet, before that was done, is kept."""
    counted = {"macs": result.macs, "params": result.params, **result.measured_limits}
    return {name: counted.get(name, 0) for name in settings.budget.limits}
