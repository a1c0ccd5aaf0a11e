"""All measures of an audit: of each ranking against the mean of the long trainings, over all and at matched cost.

The ceiling is what seed noise lets a perfect short training reach: tau between one long seed and the mean of the
others, averaged over the seeds. `matched` holds the short training against the same means of all seeds but one, so that
the two differ in the length of the training alone; `short` against the mean of all seeds may be above the ceiling.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from igcnas.results.audit.agreement import Interval, Values, identity, interval, recall, regret, resamples, rhos, taus
from igcnas.results.audit.rows import BASELINES, Row

SHORT = "short"
RANKINGS = (SHORT, *BASELINES)
TOP = (1, 3, 5)
ALL, TOP_THIRD, WITHIN = "all networks", "best third by short training", "within bands"
_REPEATED = 5  # networks with further short trainings, for the agreement of these to say something


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Some of the networks, and how each ranking orders them. spread: standard deviation of their long means.

    taus, rhos, regrets by ranking; recalls by ranking and k. ceiling and matched are None for one seed.
    """

    name: str
    n: int
    spread: float
    taus: Mapping[str, Interval]
    rhos: Mapping[str, Interval]
    ceiling: Interval | None
    matched: Interval | None
    behind_ceiling: Interval | None  # matched minus ceiling, paired
    over_macs: Interval  # tau of short minus tau of MACs, paired
    recalls: Mapping[str, Mapping[int, float]]
    regrets: Mapping[str, float]
    chance_regret: float  # of picking any network


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditResult:
    """Everything that table and figure show."""

    rows: tuple[Row, ...]
    limits: tuple[tuple[int, int], ...]
    scopes: Mapping[str, Scope]
    bands: tuple[Scope, ...]
    seeds: int
    seed_sd: float  # median over the networks
    short_ceiling: Interval | None  # between short trainings
    short_ceiling_n: int


def compute(rows: Sequence[Row], limits: Sequence[tuple[int, int]], *, seed: int) -> AuditResult:
    """Measure; the seed is that of the resamples. Needs at least two networks with equally many long trainings."""
    bands = np.array([row.band for row in rows])
    third = sorted(rows, key=lambda row: (-row.short, row.number))[: math.ceil(len(rows) / 3)]
    within = [scope(f"band {band + 1}", [r for r in rows if r.band == band], seed=seed) for band in np.unique(bands)]
    repeated = [row for row in rows if row.repeats]
    sds = [row.sd for row in rows]
    return AuditResult(
        rows=tuple(rows),
        limits=tuple(limits),
        scopes={
            ALL: scope(ALL, rows, seed=seed, strata=bands),
            WITHIN: scope(WITHIN, rows, seed=seed, strata=bands, within=True),
            TOP_THIRD: scope(TOP_THIRD, third, seed=seed),
        },
        bands=tuple(within),
        seeds=len(rows[0].long),
        seed_sd=float(np.median(sds)),
        short_ceiling=_short_ceiling(repeated, seed) if len(repeated) >= _REPEATED else None,
        short_ceiling_n=len(repeated),
    )


def scope(name: str, rows: Sequence[Row], *, seed: int, strata: Values | None = None, within: bool = False) -> Scope:
    """Every measure over these networks. `strata` keep their numbers in resamples; within: compare inside them."""
    labels = np.zeros(len(rows)) if strata is None else strata
    both = (identity(len(rows)), resamples(labels, seed=seed))
    bands = labels if within else None
    means = np.array([row.mean for row in rows])
    values = {SHORT: np.array([row.short for row in rows])}
    values |= {key: np.array([row.scores[key] for row in rows]) for key in BASELINES if key in rows[0].scores}
    tau = {key: [taus(given, means, drawn, bands) for drawn in both] for key, given in values.items()}
    rho = {key: [rhos(given, means, drawn, bands) for drawn in both] for key, given in values.items()}
    ceiling = matched = behind = None
    if len(rows[0].long) > 1:
        noise = [ceilings(rows, drawn, bands) for drawn in both]
        same = [against_others(values[SHORT], rows, drawn, bands) for drawn in both]
        ceiling, matched = _interval(noise), _interval(same)
        behind = _interval([one - other for one, other in zip(same, noise, strict=True)])
    ks = [k for k in TOP if k < len(rows)] if not within else []
    return Scope(
        name=name,
        n=len(rows),
        spread=_spread(means, labels if within else np.zeros(len(rows))),
        taus={key: _interval(found) for key, found in tau.items()},
        rhos={key: _interval(found) for key, found in rho.items()},
        ceiling=ceiling,
        matched=matched,
        behind_ceiling=behind,
        over_macs=_interval([one - other for one, other in zip(tau[SHORT], tau["macs"], strict=True)]),
        recalls={key: {k: recall(given, means, k) for k in ks} for key, given in values.items()},
        chance_regret=float(means.max() - means.mean()),
        regrets={} if within else {key: regret(given, means) for key, given in values.items()},
    )


def ceilings(rows: Sequence[Row], drawn: np.ndarray, bands: Values | None) -> Values:
    """Tau between each long seed and the mean of the others, averaged over the seeds: (R,)."""
    long = np.array([row.long for row in rows])
    return _mean([taus(long[:, i], others, drawn, bands) for i, others in enumerate(_others(long))])


def against_others(given: Values, rows: Sequence[Row], drawn: np.ndarray, bands: Values | None) -> Values:
    """Tau between a ranking and the mean of all long seeds but one, averaged over which one: (R,)."""
    long = np.array([row.long for row in rows])
    return _mean([taus(given, others, drawn, bands) for others in _others(long)])


def _others(long: Values) -> list[Values]:
    return [np.delete(long, i, axis=1).mean(1) for i in range(long.shape[1])]


def _mean(found: Sequence[Values]) -> Values:
    """NaN where any is: a resample that one of them cannot rank compares nothing."""
    mean: Values = np.mean(found, axis=0)
    return mean


def _interval(found: Sequence[Values]) -> Interval:
    point, over_resamples = found
    return interval(float(point[0]), over_resamples)


def _spread(means: Values, labels: Values) -> float:
    """Standard deviation about the mean of each label, with as many degrees of freedom fewer."""
    groups = [means[labels == label] for label in np.unique(labels)]
    freedom = len(means) - len(groups)
    if freedom < 1:
        return math.nan
    return math.sqrt(sum(((group - group.mean()) ** 2).sum() for group in groups) / freedom)


def _short_ceiling(rows: Sequence[Row], seed: int) -> Interval:
    first = np.array([row.short for row in rows])
    others = np.array([np.mean(row.repeats) for row in rows])
    labels = np.zeros(len(rows))
    return _interval([taus(first, others, drawn) for drawn in (identity(len(rows)), resamples(labels, seed=seed))])
