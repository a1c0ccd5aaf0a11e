"""MACs beside time: how well the one ranks networks by the other, over a space and within each family of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from igcnas.errors import IgcnasError
from igcnas.export.latency.measuring import Latency
from igcnas.export.latency.setting import Setting
from igcnas.network.cost import count_plan
from igcnas.results.audit.agreement import Interval, identity, interval, resamples, rhos, taus
from igcnas.results.table import Column, Table, span
from igcnas.results.times.drawing import space_networks
from igcnas.results.times.sampling import times
from igcnas.search.space import SearchSpace

ALL = "all"
LEAST = 3  # networks that can be ranked
MOST = 2e7  # MACs for 32x32 pixels; as many a pixel for other sizes
_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One network."""

    family: str
    id: str
    label: str
    macs: int
    latency: Latency

    @property
    def gflops(self) -> float:
        """Two operations a multiply-accumulate."""
        return 2e-6 * self.macs / self.latency.median_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Of the networks of a family, or of all: rank correlations of MACs and time, with 95 % intervals."""

    family: str
    networks: int
    rho: Interval
    tau: Interval
    gflops: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MacsAgainstTime:
    """space: its name. words: how it was timed. agreements: of all, then of each family."""

    space: str
    words: str
    points: tuple[Point, ...]
    agreements: tuple[Agreement, ...]


def compare_macs(
    space: SearchSpace, setting: Setting, *, networks: int, shape: tuple[int, int, int]
) -> MacsAgainstTime:
    """Time so many networks of a space, drawn at random at budgets that are spread."""
    setting.require()
    if networks < LEAST:
        raise IgcnasError(f"--networks {networks} cannot be ranked; give {LEAST} or more")
    most = MOST * shape[1] * shape[2] / 32**2
    points, words = [], ""
    for one in times(space_networks(space, shape, most, networks), setting):
        architecture = one.drawn.architecture
        words = one.timing.words()
        point = Point(
            family=one.drawn.family,
            id=architecture.id,
            label=architecture.label(),
            macs=count_plan(one.network).macs,
            latency=one.timing.latency,
        )
        points.append(point)
    families = dict.fromkeys(point.family for point in points)
    groups = {ALL: points, **{name: [point for point in points if point.family == name] for name in families}}
    if len(families) == 1:
        del groups[next(iter(families))]
    return MacsAgainstTime(
        space=space.name,
        words=words,
        points=tuple(points),
        agreements=tuple(_agreement(name, some) for name, some in groups.items()),
    )


def _agreement(family: str, points: Sequence[Point]) -> Agreement:
    macs, milliseconds = [point.macs for point in points], [point.latency.median_ms for point in points]
    drawn = resamples([0] * len(points), seed=_SEED)
    found = {}
    for name, measure in (("rho", rhos), ("tau", taus)):
        value = float(measure(macs, milliseconds, identity(len(points)))[0])
        found[name] = interval(value, measure(macs, milliseconds, drawn))
    rates = sorted(point.gflops for point in points)
    return Agreement(family=family, networks=len(points), gflops=rates[len(rates) // 2], **found)


def summary(found: MacsAgainstTime) -> Table:
    """A row for all networks, and for each family."""
    said = span(".2f")
    columns = (
        Column.words("networks of", lambda one: one.family),
        Column.numbers("n", lambda one: one.networks),
        Column.numbers("Spearman's rho", lambda one: one.rho.value, ".2f"),
        Column.words("95 % interval", lambda one: (one.rho.low, one.rho.high), said),
        Column.numbers("Kendall's tau", lambda one: one.tau.value, ".2f"),
        Column.words("95 % interval of tau", lambda one: (one.tau.low, one.tau.high), said),
        Column.numbers("median GFLOP/s", lambda one: one.gflops, ".3g"),
    )
    return Table.of(columns, found.agreements)


def every_network(found: MacsAgainstTime) -> Table:
    """A row for each network."""
    columns = (
        Column.words("family", lambda one: one.family),
        Column.words("id", lambda one: one.id),
        Column.words("network", lambda one: one.label),
        Column.numbers("macs", lambda one: one.macs),
        Column.numbers("median_ms", lambda one: one.latency.median_ms),
        Column.numbers("iqr_ms", lambda one: one.latency.iqr_ms),
        Column.numbers("quiet", lambda one: one.latency.quiet),
    )
    return Table.of(columns, found.points)
