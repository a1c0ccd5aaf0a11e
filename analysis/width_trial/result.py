"""All numbers of a trial, from its outcomes: arrays in, frozen data out.

Convention: accuracies in percent; ratios are L / (M S). Only seeds that every network has finished count, so that all
comparisons are within seeds: same images, same order. A mean has two intervals (95 %): Student's over seeds, and the
paired one, of its distance from the mean of all networks of the same seed (Cousineau 2005 with Morey's k / (k - 1)),
which is the one to compare networks by. A network may be the best one unless some other IGC network is better by a
one-sided paired test, corrected by Holm for all others: that set holds the truly best one in 95 % of trials.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igcnas.errors import IgcnasError
from igcnas.results.audit.agreement import identity, rhos, taus
from igcnas.statistics.intervals import bootstrap_interval, deviation, holm, mean, t_interval

from ..width.lattice import FIG3, PAPER_KERNEL_AREA
from . import verdict
from .networks import Entrant
from .quadratic import Quadratic, fit, fit_points, log_errors
from .settings import TrialSettings
from .training import Outcome

Floats = NDArray[np.float64]
Bounds = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One network. against_dense: mean difference to the regular network, its interval, Holm's p; None without one.

    best_p: corrected p of 'no other IGC network is better'; None of the regular one. seconds: median of a training.
    """

    entrant: Entrant
    rate: float
    mean: float
    sd: float
    interval: Bounds
    paired: Bounds
    against_dense: tuple[float, float, float, float] | None
    best_p: float | None
    seconds: float

    @property
    def may_be_best(self) -> bool:
        """Among the IGC networks."""
        return self.best_p is not None and self.best_p >= verdict.LEVEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A quadratic and what it says."""

    curve: Quadratic
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Everything; rows as the networks are: IGC by rising ratio, the regular one last.

    others: the quadratic with intervals for other images of the same kind; None where splits are given. rho, tau: of
    mean accuracy and width over the IGC networks, with interval over seeds. paper: the quadratic through the points of
    Fig. 3, for each of its budgets.
    """

    settings: TrialSettings
    rows: tuple[Row, ...]
    left_out: tuple[str, ...]
    n: int
    asked: tuple[int, ...]
    test_images: int
    accuracy: Judged
    others: Judged | None
    log_error: Judged
    by_ratios: str
    verdict: str
    best: Row
    rho: tuple[float, float, float]
    tau: tuple[float, float, float]
    paper: dict[int, Judged]
    failed: tuple[str, ...]
    devices: tuple[str, ...]

    @property
    def igc(self) -> tuple[Row, ...]:
        """Rows that have a ratio."""
        return tuple(row for row in self.rows if row.entrant.kind == "igc")

    @property
    def dense(self) -> Row | None:
        """The row of the regular convolution."""
        return next((row for row in self.rows if row.entrant.kind == "dense"), None)


def analyse(
    settings: TrialSettings,
    networks: Sequence[Entrant],
    left_out: Sequence[str],
    outcomes: Sequence[Outcome],
    asked: Sequence[int],
    *,
    resamples: int = 2000,
) -> Result:
    """The result of the outcomes; IgcnasError where no two seeds are complete. resamples: of the bootstrap."""
    found = {(outcome.network, outcome.repeat): outcome for outcome in outcomes if outcome.failed is None}
    repeats = sorted({repeat for _, repeat in found})
    complete = [repeat for repeat in repeats if all((one.name, repeat) in found for one in networks)]
    failed = tuple(f"{o.network}, seed {o.repeat}: {o.failed}" for o in outcomes if o.failed is not None)
    if len(complete) < 2:
        reason = f" ({failed[0]})" if failed else ""
        raise IgcnasError(f"{len(complete)} seeds are complete, and 2 are needed{reason}; ask for more with --seeds N")
    table = [[found[one.name, repeat] for one in networks] for repeat in complete]
    images = table[0][0].images
    right = np.array([[outcome.right for outcome in line] for line in table], dtype=float)
    percent = 100 * right / images
    igc = [place for place, one in enumerate(networks) if one.kind == "igc"]
    x = [math.log2(networks[place].ratio) for place in igc]
    own = percent[:, igc]
    rows = _rows(networks, table, percent, igc, resolution=100 / images)
    curve = fit(x, own, resamples=resamples)
    inflation = 1 + len(complete) * settings.test_fraction / (1 - settings.test_fraction)
    near = settings.near
    best_ones = [row.entrant.ratio for row in rows if row.may_be_best]
    by_quadratic, by_ratios = verdict.by_quadratic(curve, near), verdict.by_ratios(best_ones, near)
    widths = [networks[place].width for place in igc]
    return Result(
        settings=settings,
        rows=rows,
        left_out=tuple(left_out),
        n=len(complete),
        asked=tuple(asked),
        test_images=images,
        accuracy=Judged(curve=curve, verdict=by_quadratic),
        others=_judged(fit(x, own, inflation=inflation, resamples=0), near) if settings.splits == "repeated" else None,
        log_error=_judged(fit(x, log_errors(images - right[:, igc], images), resamples=0), near),
        by_ratios=by_ratios,
        verdict=verdict.together(by_quadratic, by_ratios, curve.lack_of_fit),
        best=max((rows[place] for place in igc), key=lambda row: row.mean),
        rho=_agreement(rhos, widths, own, resamples),
        tau=_agreement(taus, widths, own, resamples),
        paper=paper(near),
        failed=failed,
        devices=tuple(sorted({outcome.device for line in table for outcome in line})),
    )


def paper(near: float) -> dict[int, Judged]:
    """The same quadratic through the paper's own points of Fig. 3, each a mean of 5 runs."""
    return {
        budget: _judged(
            fit_points(
                [math.log2(L / (M * PAPER_KERNEL_AREA)) for L, M, _ in points], [percent for _, _, percent in points]
            ),
            near,
        )
        for budget, points in FIG3.items()
    }


def _judged(curve: Quadratic, near: float) -> Judged:
    return Judged(curve=curve, verdict=verdict.by_quadratic(curve, near))


def _rows(
    networks: Sequence[Entrant],
    table: Sequence[Sequence[Outcome]],
    percent: Floats,
    igc: Sequence[int],
    *,
    resolution: float,
) -> tuple[Row, ...]:
    k = len(networks)
    centred = percent - percent.mean(1, keepdims=True)
    dense = next((place for place, one in enumerate(networks) if one.kind == "dense"), None)
    against: dict[int, tuple[float, float, float, float]] = {}
    if dense is not None:
        tests = [_paired(percent[:, place] - percent[:, dense], resolution) for place in igc]
        for place, test, p in zip(igc, tests, holm([test[3] for test in tests]), strict=True):
            against[place] = (*test[:3], p)
    rows = []
    for place, one in enumerate(networks):
        values = percent[:, place].tolist()
        low, high = t_interval(centred[:, place].tolist(), resolution=resolution)
        middle, factor = mean(values), math.sqrt(k / (k - 1))
        half = (high - low) / 2 * factor
        rows.append(
            Row(
                entrant=one,
                rate=table[0][place].rate,
                mean=middle,
                sd=deviation(values),
                interval=t_interval(values, resolution=resolution),
                paired=(middle - half, middle + half),
                against_dense=against.get(place),
                best_p=best_p(percent, place, igc, resolution=resolution) if place in igc else None,
                seconds=float(np.median([line[place].seconds for line in table])),
            )
        )
    return tuple(rows)


def _paired(differences: Floats, resolution: float) -> tuple[float, float, float, float]:
    """Mean, interval and two-sided p of paired differences."""
    from scipy.special import stdtr

    low, high = t_interval(differences.tolist(), resolution=resolution)
    centre = float(differences.mean())
    if not math.isfinite(low):
        return centre, low, high, 1.0
    n = len(differences)
    error = math.sqrt(max(float(differences.var(ddof=1)), resolution**2 / 12) / n)
    return centre, low, high, min(1.0, 2 * float(stdtr(n - 1, -abs(centre) / error)))


def best_p(percent: Floats, place: int, igc: Sequence[int], *, resolution: float) -> float:
    """The least corrected one-sided p of 'another one of `igc` is better than that in this place'.

    percent (n, k): seeds and networks. Below 0.05 for the truly best one in 5 % of trials at most.
    """
    ps = []
    for other in igc:
        if other != place:
            centre, _, _, p = _paired(percent[:, other] - percent[:, place], resolution)
            ps.append(p / 2 if centre > 0 else 1 - p / 2)
    return min(holm(ps))


def _agreement(
    measure: Callable[[Sequence[int], Floats, NDArray[np.int64]], Floats],
    widths: Sequence[int],
    percent: Floats,
    resamples: int,
) -> tuple[float, float, float]:
    """Of widths and mean accuracies, with its interval over seeds."""

    def agreement(drawn: NDArray[np.intp]) -> float:
        return float(measure(widths, percent[drawn].mean(0), identity(len(widths)))[0])

    n = len(percent)
    return (agreement(np.arange(n)), *bootstrap_interval(agreement, n, resamples=resamples))
