"""The front of a report as numbers: where everything stands, in percent of the plot, from its left and its top.

Percent, not pixels: the plot takes the width it is given, while text and marks keep their size on a phone.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from igcnas.results.figures.look import looks, told_apart
from igcnas.results.report.content import NetworkFacts, Report
from igcnas.results.report.page.names import Name, place_names
from igcnas.results.report.page.scales import AccuracyScale, LogScale, Tick

# matplotlib's letters of markers, and what the page calls the drawings.
_SHAPES = {"o": "circle", "s": "square", "^": "up", "v": "down", "P": "plus", "X": "times", "D": "diamond"}
_SHAPES |= {"<": "left", ">": "right", "p": "pentagon", "h": "hexagon", "d": "thin"}
_BASELINE, _PRUNED = "baseline", "pruned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A network. bar: top and bottom of its error bar. name, text: of a baseline, where its name stands, and what."""

    network: NetworkFacts
    x: float
    y: float
    bar: tuple[float, float] | None = None
    name: Name | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What one entry of the legend shows and hides: a block type, the baselines, or the pruned ones."""

    key: str
    name: str
    colour: str
    shape: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The front. groups: in the order of drawing. line: corners of the front, as a path in a square of 1000.

    budget: its x; None where there is none. crowded: so many points that marks have to be paler.
    """

    groups: tuple[Group, ...]
    line: str
    budget: float | None
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    crowded: bool

    @property
    def legend(self) -> list[Group]:
        """Block types, then known and pruned networks."""
        last = (_BASELINE, _PRUNED)
        return sorted(self.groups, key=lambda group: last.index(group.key) if group.key in last else -1)

    @property
    def points(self) -> list[Point]:
        """Of all groups."""
        return [point for group in self.groups for point in group.points]


def compute_chart(report: Report) -> Chart | None:
    """Where everything of a report's front stands; None where no network has a cost and an accuracy."""
    shown = [n for n in report.networks if n.cost > 0 and math.isfinite(n.cost) and math.isfinite(n.accuracy)]
    if not shown:
        return None
    budget = report.axis.budget
    costs = LogScale.around([*(n.cost for n in shown), *([] if budget is None else [budget])])
    ends = [end for n in shown if n.error is not None for end in _ends(n.accuracy, n.error)]
    accuracies = AccuracyScale.around([*(n.accuracy for n in shown), *ends])

    def x(cost: float) -> float:
        return 100 * costs.share(cost)

    def y(accuracy: float) -> float:
        return 100 - 100 * accuracies.share(accuracy)

    points = []
    for network in shown:
        error = network.error
        low, high = _ends(network.accuracy, error or 0.0)
        bar = None if error is None else (y(high), y(low))
        points.append(Point(network=network, x=x(network.cost), y=y(network.accuracy), bar=bar))
    end = None if budget is None else x(budget)
    return Chart(
        groups=_groups(points, end),
        line=_line([point for point in points if point.network.on_front], end),
        budget=end,
        x_ticks=tuple(costs.ticks()),
        y_ticks=tuple(accuracies.ticks()),
        crowded=len(points) > 150,
    )


def _ends(accuracy: float, error: float) -> tuple[float, float]:
    """Of an error bar; no accuracy is below 0 or above 100 %."""
    return max(0.0, accuracy - error), min(100.0, accuracy + error)


def _groups(points: Sequence[Point], budget: float | None) -> tuple[Group, ...]:
    """In drawing order: pruned ones below, known ones above."""
    pruned = [point for point in points if point.network.state == "pruned"]
    known = [p for p in points if p.network.state != "pruned" and p.network.kind == "baseline"]
    searched = [p for p in points if p.network.state != "pruned" and p.network.kind != "baseline"]
    groups = [Group(key=_PRUNED, name="pruned, at its last accuracy", colour="", shape="cross", points=tuple(pruned))]
    types = sorted({point.network.block for point in searched})
    for number, (name, (colour, marker)) in enumerate(looks(types).items()):
        own = tuple(point for point in searched if point.network.block == name)
        groups.append(Group(key=f"type-{number}", name=name, colour=colour, shape=_SHAPES[marker], points=own))
    groups.append(
        Group(
            key=_BASELINE,
            name="baseline, same training",
            colour="",
            shape="star",
            points=_named(known, points, budget),
        )
    )
    return tuple(group for group in groups if group.points)


def _named(known: Sequence[Point], every: Sequence[Point], budget: float | None) -> tuple[Point, ...]:
    """Baselines with places for their names."""
    texts = told_apart([p.network.name for p in known], [p.network.macs for p in known])
    named = [(text, p.x, p.y) for text, p in zip(texts, known, strict=True)]
    names = place_names(named, [(p.x, p.y) for p in every], budget=budget)
    return tuple(
        dataclasses.replace(point, name=name, text=text) for point, name, text in zip(known, names, texts, strict=True)
    )


def _line(front: Sequence[Point], end: float | None) -> str:
    """Steps from the cheapest network of the front to the most accurate, and on to the budget."""
    corners: list[str] = []
    for point in sorted(front, key=lambda p: p.x):
        corners.append(f"{'H' if corners else 'M'}{10 * point.x:.0f}{'V' if corners else ' '}{10 * point.y:.0f}")
    if corners and end is not None:
        corners.append(f"H{10 * end:.0f}")
    return "".join(corners)
