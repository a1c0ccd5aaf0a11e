"""What matters as a picture: a bar for each choice, beside it a point for each of its values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from igcnas.drawing.figures import error_bars, grid, new_figure, save
from igcnas.drawing.palette import BLUE, GREEN, GREY, QUIET, VERMILION, blended
from igcnas.drawing.style import own_style
from igcnas.results.importance.analysis import Choice, Effect, Report
from igcnas.units import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BAR, _WEAK_BAR, _BETTER, _WORSE, _OPEN = BLUE, blended(BLUE, "#ffffff", 0.66), GREEN, VERMILION, GREY
_TICKS = (75, 50, 33, 20, 10, 5, 0, -5, -10, -25, -50, -100, -200)
_GAP = 0.6


@dataclass(frozen=True, slots=True)
class Row:
    """A value at a height of the picture, or the title of a block type where choice is None."""

    y: float
    title: str = ""
    choice: Choice | None = None
    effect: Effect | None = None


def compute_rows(report: Report) -> list[Row]:
    """Every value from top to bottom; y grows downwards."""
    rows: list[Row] = []
    y = 0.0
    for scope, choices in groupby(report.choices, key=lambda choice: choice.scope):
        several = list(choices)
        rows.append(Row(y, title=_title(scope, several[0].n)))
        y += 1.0
        for choice in several:
            for effect in choice.effects:
                rows.append(Row(y, choice=choice, effect=effect))
                y += 1.0
            y += _GAP
        y += _GAP
    return rows


def _title(scope: str, networks: int) -> str:
    return (
        f"all block types, {counted(networks, 'network')}"
        if not scope
        else f"within {scope}, {counted(networks, 'network')}"
    )


def position(percent: float) -> float:
    """Place of so many percent fewer errors: equal factors take equal room."""
    return -math.log(max(1e-3, 1.0 - percent / 100.0))


@own_style()
def importance_figure(report: Report, *, title: str) -> Figure:
    """The figure of a report."""
    rows = compute_rows(report)
    height = 2.2 + 0.2 * (rows[-1].y + 1)
    figure = new_figure(11.5, height, constrained=False)
    left, right = figure.subplots(1, 2, width_ratios=(2, 3))
    figure.subplots_adjust(left=0.25, right=0.965, wspace=0.5, top=1 - 0.75 / height, bottom=1.3 / height)
    draw_importances(left, rows)
    draw_effects(right, rows)
    for axes in (left, right):
        axes.set_ylim(rows[-1].y + 1, -0.8)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.set_axisbelow(True)
    figure.suptitle(title, fontsize=11, x=0.02, ha="left", y=1 - 0.12 / height, va="top")
    figure.text(0.02, 0.1 / height, _note(report), fontsize=7.5, color=QUIET, va="bottom")
    return figure


def save_importance(path: Path, report: Report, *, title: str) -> list[Path]:
    """Write the figure as PNG, and as SVG beside it; the paths of both."""
    return save(importance_figure(report, title=title), path)


def _note(report: Report) -> str:
    words = (
        "Lines: 95 % intervals over resampled networks. Orange mark: what shuffled results reach one time in 20.\n"
        "Pale: not shown to matter: below that mark, or fewer than two values with 3 networks. Shares of one title.\n"
        "Hollow: better and worse are both within the interval, or it is unknown (fewer than 3 networks)."
    )
    if report.too_few:
        few = ", ".join(f"{scope} ({number})" for scope, number in report.too_few.items())
        words += f"\nToo few networks to look inside: {few}."
    return words


def draw_importances(axes: Axes, rows: Sequence[Row]) -> None:
    """A bar for each choice: its share of the importance, with interval, and a mark where chance alone would reach."""
    ticks, names = [], []
    for choice, ys in _by_choice(rows):
        y = sum(ys) / len(ys)
        ticks.append(y)
        names.append(choice.label)
        if _alone(choice, rows):
            axes.annotate("the only choice", (0.01, y), va="center", fontsize=7.5, color=QUIET)
            continue
        axes.barh(y, choice.share, height=min(len(ys), 2) * 0.62, color=_BAR if choice.shown else _WEAK_BAR)
        error_bars(axes, y, choice.low, choice.high, across=True, width=1, cap=0)
        if choice.chance <= 1.0:
            axes.plot([choice.chance, choice.chance], [y - 0.75, y + 0.75], color=VERMILION, lw=1.6)
        else:
            axes.annotate("chance: beyond 100 %", (0.99, y - 0.95), ha="right", fontsize=7, color=VERMILION)
    axes.set_yticks(ticks, names, fontsize=8)
    for row in rows:
        if row.title:
            axes.annotate(
                row.title, (-0.62, row.y), xycoords=("axes fraction", "data"), fontsize=9, weight="bold", va="center"
            )
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"], fontsize=8)
    grid(axes, axis="x")
    axes.set_xlabel("share of the importance", fontsize=8.5)
    axes.set_title("How much does the choice matter?", fontsize=9.5, loc="left")


def _alone(choice: Choice, rows: Sequence[Row]) -> bool:
    return {row.choice.name for row in rows if row.choice and row.choice.scope == choice.scope} == {choice.name}


def _by_choice(rows: Sequence[Row]) -> Iterator[tuple[Choice, list[float]]]:
    for choice, several in groupby((row for row in rows if row.choice), key=lambda row: row.choice):
        assert choice is not None
        yield choice, [row.y for row in several]


def draw_effects(axes: Axes, rows: Sequence[Row]) -> None:
    """A point for each value: errors against those of the average network of the same MACs, with interval."""
    ticks, names = [], []
    extent = 0.12
    for row in rows:
        if row.effect is None:
            continue
        effect = row.effect
        place = position(effect.fewer_percent)
        low, high = (place, place) if math.isnan(effect.low) else (position(effect.low), position(effect.high))
        clear = low > 0 or high < 0 if not math.isnan(effect.low) else False
        colour = (_BETTER if place > 0 else _WORSE) if clear else _OPEN
        error_bars(axes, row.y, low, high, across=True, colour=colour, width=1.2, cap=0, order=2)
        axes.plot(place, row.y, "o", ms=5, color=colour, mfc=colour if clear else "white", zorder=3)
        ticks.append(row.y)
        names.append(f"{effect.value}  (n = {effect.n})")
        extent = max(extent, abs(place) + 0.05, *(min(abs(bound), 1.3) for bound in (low, high)))
    axes.axvline(0, color="black", lw=0.8, zorder=0)
    axes.set_xlim(-extent * 1.08, extent * 1.08)
    axes.set_yticks(ticks, names, fontsize=8)
    shown = _ticks(extent * 1.08)
    axes.set_xticks([position(tick) for tick in shown], [_tick(tick) for tick in shown], fontsize=8)
    grid(axes, axis="x")
    axes.set_xlabel("errors against the average network of the same MACs, other choices equal", fontsize=8.5)
    axes.set_title("Which value is better?   (right: fewer errors)", fontsize=9.5, loc="left")


def _ticks(extent: float) -> list[int]:
    """Round percents with room for their words: a sixth of the axis apart, the average among them."""
    chosen: list[int] = []
    for tick in sorted(_TICKS, key=lambda tick: abs(position(tick))):
        place = position(tick)
        if abs(place) <= extent and all(abs(place - position(other)) >= extent / 2.6 for other in chosen):
            chosen.append(tick)
    return chosen


def _tick(percent: int) -> str:
    if percent == 0:
        return "average"
    return f"{percent} % fewer" if percent > 0 else f"{-percent} % more"
