"""What the search did over time: the best accuracy so far, and the hypervolume of the front so far.

Networks count as they ended, pruned ones as well, each with its first training: repeats come later and belong to the
choice among finalists. The highest of more and more single trainings rises also where nothing gets better, so that this
curve flatters; the table of finalists does not.

Hypervolume: accuracy above guessing (100 / classes), integrated over octaves of cost up to twice the budget: a network
at the budget then counts for one octave. Where the front compares parameters or latency, up to twice the highest cost
of a known network, or of any where there is none.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from igcnas.figures import new_figure
from igcnas.figures.scale import from_scale, limits, ticks, to_scale
from igcnas.pareto import pareto_front
from igcnas.records import TrialRecord
from igcnas.report.content import Section, Table
from igcnas.report.drawing import Drawing
from igcnas.report.source import Source
from igcnas.report.words import counted, name_of
from igcnas.units import duration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_KINDS = (
    ("known", "#000000", "*", "known network"),
    ("random", "#777777", "o", "drawn at random"),
    ("proposed", "#0072B2", "o", "proposed"),
    ("searched", "#0072B2", "o", "searched"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """After one more network. networks: so far, pruned ones included. seconds: since the first training began, by the
    clock; None where the journal does not tell. kind: 'known', 'random', 'proposed', or 'searched' where its origin is
    not recorded. accuracy: of its first training; None for one that was pruned or is over the budget.

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


def history_of(source: Source) -> History:
    """In the order in which networks ended."""
    hypervolume = importlib.import_module("igcnas.hypervolume").hypervolume
    settings = source.settings
    reference = _reference_cost(source) if settings.spread else None
    guess = 100.0 / len(settings.data.classes)
    began = min((start for start, _ in source.times.values() if start is not None), default=None)
    moments: list[Moment] = []
    line: list[tuple[float, float]] = []
    best: float | None = None
    volume = 0.0
    for record in _ended(source):
        accuracy = None
        if record.state == "complete" and record.val_accuracy is not None and record.within(settings.budget_macs):
            accuracy = record.val_accuracy
            best = accuracy if best is None else max(best, accuracy)
            cost = source.cost(record)
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
        end = source.times[record.number][1]
        moments.append(
            Moment(
                networks=len(moments) + 1,
                number=record.number,
                seconds=None if end is None or began is None else (end - began).total_seconds(),
                kind=_kind(source, record),
                accuracy=accuracy,
                best=best,
                hypervolume=None if reference is None else volume,
            )
        )
    return History(moments=tuple(moments), reference_cost=reference, reference_accuracy=guess)


def _ended(source: Source) -> list[TrialRecord]:
    """First trainings that ended, in that order; where a journal has no times, by number."""
    firsts = [record for record in source.every if record.repeat == 0 and record.state in ("complete", "pruned")]
    ends = {record.number: source.times[record.number][1] for record in firsts}
    return sorted(
        firsts,
        key=lambda record: (end.timestamp() if (end := ends[record.number]) else math.inf, record.number),
    )


def _kind(source: Source, record: TrialRecord) -> str:
    if record.baseline is not None:
        return "known"
    if source.settings.sampler == "random" or record.origin == "random":
        return "random"
    return "proposed" if record.origin else "searched"


def _reference_cost(source: Source) -> float:
    if source.axis.limited:
        return 2 * source.settings.budget_macs / source.axis.size
    costs = [(one.record.baseline is not None, source.cost(one.record)) for one in source.networks]
    known = [cost for is_known, cost in costs if is_known and not math.isnan(cost)]
    return 2 * max(known or [cost for _, cost in costs if not math.isnan(cost)] or [1.0])


def history_section(source: Source, history: History, drawings: list[Drawing]) -> Section:
    """Words, the networks that raised the best accuracy, the picture."""
    names = {record.number: record for record in source.every}
    rises = [
        moment
        for before, moment in zip((None, *history.moments), history.moments, strict=False)
        if moment.best is not None and (before is None or before.best is None or moment.best > before.best)
    ]
    paragraphs = []
    gain, front = history.last_gain, history.last_front
    total = len(history.moments)
    if gain is not None:
        text = (
            f"The highest accuracy of a single training rose last at network {gain.networks} of {total} "
            f"({name_of(names[gain.number])}, {gain.best:.2f} %)"
        )
        if front is not None:
            text += f"; the front as a whole improved last at network {front.networks}"
        late = max(gain.networks, front.networks if front is not None else 0)
        if total - late < 0.2 * total:
            more = " It was still getting better near its end: more networks would probably help."
        else:
            more = f" In its last {counted(total - late, 'network')} it found nothing better."
        paragraphs.append(f"{text}.{more}")
    paragraphs.append(
        "The highest of more and more single trainings rises by luck alone, too, so this curve is no proof of progress; "
        "the comparison with random draws is the test of that."
    )
    if history.reference_cost is not None:
        paragraphs.append(
            f"Hypervolume: the accuracy of the front above guessing ({history.reference_accuracy:.3g} %), in points, "
            f"summed over octaves of cost up to {history.reference_cost:.3g} {source.axis.unit}. It grows when the "
            "front does at any cost."
        )
    rows = tuple(
        (
            str(moment.networks),
            "-" if moment.seconds is None else duration(moment.seconds),
            f"{moment.best:.2f}",
            "-" if moment.hypervolume is None else f"{moment.hypervolume:.1f}",
            name_of(names[moment.number]),
        )
        for moment in rises
    )
    table = Table(
        caption="When the highest accuracy rose",
        columns=("networks", "after", "best, %", "hypervolume", "by"),
        rows=rows,
        numeric=(True, True, True, True, False),
        note="By the clock, from the beginning of the first training; pauses between runs included.",
    )
    return Section(
        key="history",
        title="The search over time",
        paragraphs=tuple(paragraphs),
        tables=(table,) if rows else (),
        pictures=tuple(drawing.picture() for drawing in drawings),
    )


def history_drawings(source: Source, history: History) -> list[Drawing]:
    """Every network, the best so far, and the hypervolume."""
    if sum(moment.accuracy is not None for moment in history.moments) < 2:
        return []
    both = history.reference_cost is not None
    figure = new_figure(10.0 if both else 6.5, 3.6)
    panels = figure.subplots(1, 2 if both else 1, squeeze=False)[0]
    draw_best(history, panels[0], images=source.images)
    if both:
        draw_hypervolume(history, panels[1])
    last = history.moments[-1]
    return [
        Drawing(
            name="history",
            caption="Left: every network as it ended, and the highest accuracy so far. Right: hypervolume of the front."
            if both
            else "Every network as it ended, and the highest accuracy so far.",
            alt=f"Over {last.networks} networks the highest accuracy rises to {last.best:.2f} %."
            + (f" The hypervolume rises to {last.hypervolume:.1f}." if last.hypervolume is not None else ""),
            figure=figure,
        )
    ]


def draw_best(history: History, axes: Axes, *, images: int) -> None:
    """Points, and the staircase of the best."""
    shown = [moment for moment in history.moments if moment.accuracy is not None]
    for kind, colour, marker, label in _KINDS:
        some = [moment for moment in shown if moment.kind == kind]
        if some:
            axes.scatter(
                [moment.networks for moment in some],
                [moment.accuracy or 0.0 for moment in some],
                s=60 if marker == "*" else 14,
                c="white" if marker == "*" else colour,
                edgecolors=colour,
                lw=0.8 if marker == "*" else 0,
                marker=marker,
                alpha=0.9,
                label=label,
                zorder=3,
            )
    steps = [moment for moment in history.moments if moment.best is not None]
    axes.step(
        [moment.networks for moment in steps], [moment.best or 0.0 for moment in steps], where="post", c="black", lw=1.1
    )
    values = [moment.accuracy or 0.0 for moment in shown]
    axes.set_yscale("function", functions=(to_scale, from_scale))
    low, high = limits(min(values), max(values))
    axes.set_ylim(low, high)
    marks = ticks(low, high)
    axes.set_yticks(marks, [f"{mark:g}" for mark in marks])
    axes.set_ylabel(f"validation accuracy (%, {images:,} images)")
    axes.set_xlabel("networks trained or pruned so far")
    axes.legend(fontsize=8, loc="lower right")
    _tidy(axes)


def draw_hypervolume(history: History, axes: Axes) -> None:
    """The staircase, from nothing."""
    xs = [0, *(moment.networks for moment in history.moments)]
    ys = [0.0, *(moment.hypervolume or 0.0 for moment in history.moments)]
    axes.step(xs, ys, where="post", c="#0072B2", lw=1.4)
    axes.set_ylim(0, float(np.max(ys)) * 1.06 or 1.0)
    axes.set_ylabel("hypervolume (points of accuracy times octaves)")
    axes.set_xlabel("networks trained or pruned so far")
    _tidy(axes)


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, lw=0.3, c="#dddddd")
    axes.set_axisbelow(True)
