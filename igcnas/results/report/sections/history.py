"""What the search did over time, in words and as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from igcnas.drawing.figures import grid, new_figure
from igcnas.drawing.palette import BLUE, GREY
from igcnas.drawing.style import own_style
from igcnas.results.figures.scale import accuracy_axis
from igcnas.results.report.content import Section
from igcnas.results.report.figure import Drawing
from igcnas.results.report.numbers.history import History
from igcnas.results.report.words import counted, name_of
from igcnas.results.table import Column, Table
from igcnas.search.study import Study
from igcnas.units import duration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_KINDS = (
    ("baseline", "#000000", "*", "baseline"),
    ("random", GREY, "o", "drawn at random"),
    ("proposed", BLUE, "o", "proposed"),
    ("searched", BLUE, "o", "searched"),
)


def history_section(study: Study, history: History, drawings: list[Drawing]) -> Section:
    """Words, the networks that raised the best accuracy, the picture."""
    names = {record.number: record for record in study.records}
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
            f"The highest accuracy of a single training rose last with the {_th(gain.networks)} of "
            f"{counted(total, 'network')} "
            f"({name_of(names[gain.number])}, {gain.best:.2f} %)"
        )
        if front is not None:
            text += f"; the front as a whole improved last with the {_th(front.networks)}"
        late = max(gain.networks, front.networks if front is not None else 0)
        if total - late < 0.2 * total:
            more = " It was still getting better near its end: more networks would probably help."
        else:
            more = f" In its last {counted(total - late, 'network')} it found nothing better."
        paragraphs.append(f"{text}.{more}")
    paragraphs.append(
        "The highest of more and more single trainings rises by luck alone, too, so this curve is no proof of "
        "progress; the comparison with random draws is the test of that."
    )
    if history.reference_cost is not None:
        paragraphs.append(
            f"Hypervolume: the accuracy of the front above guessing ({history.reference_accuracy:.3g} %), in points, "
            f"summed over octaves of cost up to {history.reference_cost:.3g} {study.axis.unit}. It grows when the "
            "front does at any cost."
        )
    table = Table.of(
        (
            Column.numbers("networks", lambda moment: moment.networks),
            Column.numbers("after", lambda moment: moment.seconds, duration),
            Column.numbers("best", lambda moment: moment.best, ".2f", unit="%"),
            Column.numbers("hypervolume", lambda moment: moment.hypervolume, ".1f"),
            Column.words("by", lambda moment: name_of(names[moment.number])),
        ),
        rises,
        caption="When the highest accuracy rose",
        note="By the clock, from the beginning of the first training; pauses between runs included.",
    )
    return Section(
        key="history",
        title="The search over time",
        paragraphs=tuple(paragraphs),
        tables=(table,) if rises else (),
        pictures=tuple(drawing.picture() for drawing in drawings),
    )


def _th(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th."""
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{number:,}{'th' if number % 100 in (11, 12, 13) else endings.get(number % 10, 'th')}"


@own_style()
def history_drawings(study: Study, history: History) -> list[Drawing]:
    """Every network, the best so far, and the hypervolume."""
    if sum(moment.accuracy is not None for moment in history.moments) < 2:
        return []
    both = history.reference_cost is not None
    figure = new_figure(10.0 if both else 6.5, 3.6)
    panels = figure.subplots(1, 2 if both else 1, squeeze=False)[0]
    draw_best(history, panels[0], images=study.images, measure=study.measure)
    if both:
        draw_hypervolume(history, panels[1])
    figure.legend(loc="outside upper left", ncols=5, fontsize=8, frameon=False)
    last = history.moments[-1]
    return [
        Drawing(
            name="history",
            caption="Left: every network that was trained to the end, and the highest accuracy so far. Right: "
            "hypervolume of the front."
            if both
            else "Every network that was trained to the end, and the highest accuracy so far.",
            alt=f"Over {counted(last.networks, 'network')} the highest accuracy rises to {last.best:.2f} %."
            + (f" The hypervolume rises to {last.hypervolume:.1f}." if last.hypervolume is not None else ""),
            figure=figure,
        )
    ]


def draw_best(history: History, axes: Axes, *, images: int, measure: str = "accuracy") -> None:
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
        [moment.networks for moment in steps],
        [moment.best or 0.0 for moment in steps],
        where="post",
        c="black",
        lw=1.1,
        label="highest so far",
    )
    accuracy_axis(axes, [moment.accuracy or 0.0 for moment in shown], apart=0.07)
    axes.set_ylabel(f"validation {measure} (%, {counted(images, 'image')})")
    axes.set_xlabel("networks trained or pruned so far")
    _tidy(axes)


def draw_hypervolume(history: History, axes: Axes) -> None:
    """The staircase, from nothing."""
    xs = [0, *(moment.networks for moment in history.moments)]
    ys = [0.0, *(moment.hypervolume or 0.0 for moment in history.moments)]
    axes.step(xs, ys, where="post", c=BLUE, lw=1.4)
    axes.set_ylim(0, max(ys) * 1.06 or 1.0)
    axes.set_ylabel("hypervolume (points times octaves)")
    axes.set_xlabel("networks trained or pruned so far")
    _tidy(axes)


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    grid(axes)
