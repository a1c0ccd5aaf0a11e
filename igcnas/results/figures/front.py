"""The front of a study as a picture. compute_front: records to numbers, for tests; draw_front: numbers to axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from igcnas import units
from igcnas.drawing.figures import error_bars, grid, new_figure, save
from igcnas.drawing.palette import GREY, QUIET
from igcnas.drawing.style import own_style
from igcnas.network.budget import Budget
from igcnas.network.grouping import Grouping
from igcnas.results.figures.look import looks, told_apart
from igcnas.results.figures.scale import accuracy_axis
from igcnas.search.objective import FRONT, Objective
from igcnas.search.records import TrialRecord, champions, counted, networks, repeats
from igcnas.search.settings import StudySettings
from igcnas.search.study import study_noise
from igcnas.search.timing import cost_title
from igcnas.statistics.noise import Noise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BESIDE_BUDGET: dict[str, Any] = {
    "xytext": (-3, -4),
    "textcoords": "offset points",
    "rotation": 90,
    "ha": "right",
    "va": "top",
    "color": QUIET,
    "fontsize": 8,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontFigure:
    """Points are (cost, accuracy), the mean over seeds, cost in the units of the axis.

    front_errors: half a bar at each point of the front: its standard error by `noise`, the binomial error together with
    the pooled spread of a seed, where any network was repeated. pruned: at the accuracy with which they were ended.
    """

    searched: dict[str, list[tuple[float, float]]]
    baselines: list[tuple[str, float, float]]
    pruned: list[tuple[float, float]]
    front: list[tuple[float, float]]
    front_errors: list[float]
    noise: Noise
    objective: Objective
    budget: float | None
    validation_images: int
    measure: str = "accuracy"


def compute_front(
    every: Sequence[TrialRecord],
    *,
    budget: Budget,
    validation_images: int,
    objective: Objective = FRONT,
    noise: Noise | None = None,
    measure: str = "accuracy",
) -> FrontFigure:
    """What the figure shows of a study's records. noise: None for that of plain accuracies on the images."""
    axis = objective.axis
    searched: dict[str, list[tuple[float, float]]] = {}
    known: list[tuple[str, int, float, float]] = []
    for network in networks(every):
        cost = objective.cost(network.record) / axis.size
        if network.record.baseline is not None:
            known.append((network.record.baseline, network.record.final_macs, cost, network.mean))
        else:
            searched.setdefault(block_type(network.record), []).append((cost, network.mean))
    noise = noise or noise_of(every, validation_images)
    line = front_line(every, budget=budget, objective=objective, noise=noise)
    return FrontFigure(
        searched=dict(sorted(searched.items())),
        baselines=[
            (name, cost, accuracy)
            for name, (_, _, cost, accuracy) in zip(
                told_apart([one[0] for one in known], [one[1] for one in known]), known, strict=True
            )
        ],
        # The latency of a pruned network was never measured.
        pruned=[
            (objective.cost(r) / axis.size, r.accuracies[-1])
            for r in every
            if r.state == "pruned" and not math.isnan(objective.cost(r))
        ],
        front=[(cost / axis.size, accuracy) for cost, accuracy, _ in line],
        front_errors=[error for _, _, error in line],
        noise=noise,
        objective=objective,
        budget=None if (most := budget.get(axis.limit)) is None else most / axis.size,
        validation_images=validation_images,
        measure=measure,
    )


def front_line(
    every: Sequence[TrialRecord], *, budget: Budget, objective: Objective, noise: Noise
) -> list[tuple[float, float, float]]:
    """Cost, mean accuracy and its standard error of each network on the front, the cheapest first."""
    return [
        (objective.cost(network.record), network.mean, noise.error(network.mean, network.n))
        for network in champions(every, budget, objective)
    ]


def noise_of(every: Sequence[TrialRecord], images: int) -> Noise:
    """What the accuracies of a study may be off, from all its repeats."""
    return Noise.of((network.accuracies for network in networks(every)), images)


def block_type(record: TrialRecord) -> str:
    """Family, and whether its grouping is learned, where it can also be fixed."""
    learned = any(
        isinstance(grouping, Grouping) and grouping.learned_instead
        for stage in record.architecture.stages
        for grouping in (getattr(stage.block, one.name) for one in fields(stage.block))  # type: ignore[arg-type]
    )
    return f"{record.architecture.family} (learned)" if learned else record.architecture.family


def draw_front(figure: FrontFigure, axes: Axes) -> None:
    """Networks by block type, baselines, and the front with its standard errors."""
    look_of = looks(figure.searched)
    for name, points in figure.searched.items():
        colour, marker = look_of[name]
        xs, ys = [cost for cost, _ in points], [accuracy for _, accuracy in points]
        axes.scatter(xs, ys, s=52, c=colour, marker=marker, label=name, alpha=0.9, lw=0, zorder=3.5)
    if figure.pruned:
        xs, ys = [cost for cost, _ in figure.pruned], [accuracy for _, accuracy in figure.pruned]
        axes.scatter(xs, ys, s=14, c=GREY, marker="x", lw=0.8, zorder=2, label="pruned, at its last accuracy")
    by_accuracy = sorted(figure.baselines, key=lambda known: known[2])
    costs = [cost for _, cost, _ in figure.baselines] or [1.0]
    middle = math.sqrt(min(costs) * max(costs)) * 0.999  # where all are alike, at the budget, to the left
    for position, (name, cost, accuracy) in enumerate(by_accuracy):
        axes.scatter(cost, accuracy, s=110, c="white", edgecolors="black", marker="*", zorder=4)
        left = cost > middle  # towards the inside
        offset: dict[str, Any] = {
            "xytext": (-7 if left else 7, -12 if position % 2 else 5),
            "textcoords": "offset points",
            "ha": "right" if left else "left",
        }
        axes.annotate(name, (cost, accuracy), fontsize=7.5, zorder=5, **offset)
    if figure.baselines:
        axes.scatter([], [], s=110, c="white", edgecolors="black", marker="*", label="baseline, same training")
    if figure.front:
        xs, ys = [cost for cost, _ in figure.front], [accuracy for _, accuracy in figure.front]
        end = xs[-1] if figure.budget is None else figure.budget
        axes.step([*xs, end], [*ys, ys[-1]], where="post", c="black", lw=1.1, zorder=3)
        errors = np.array(figure.front_errors)
        error_bars(axes, xs, np.array(ys) - errors, np.array(ys) + errors, cap=2.5)
        bar = "front, one standard error" + ("" if figure.noise.degrees else " (of the images alone)")
        axes.plot([], [], c="black", lw=1.1, label=bar)
    if figure.budget is not None:
        axes.axvline(figure.budget, c=GREY, ls="--", lw=1)
        axes.annotate("budget", (figure.budget, 1), xycoords=("data", "axes fraction"), **_BESIDE_BUDGET)
    axes.set_xscale("log")
    accuracy_axis(axes, _accuracies(figure))
    axes.set_xlabel(figure.objective.axis.title)
    axes.set_ylabel(
        f"validation {figure.measure} (%, {units.counted(figure.validation_images, 'image')}), spaced by error rate"
    )
    grid(axes, minor=True)


def _accuracies(figure: FrontFigure) -> list[float]:
    searched = [accuracy for points in figure.searched.values() for _, accuracy in points]
    return [*searched, *(accuracy for _, _, accuracy in figure.baselines), *(a for _, a in figure.pruned)] or [0.0]


@own_style()
def front_figure(every: Sequence[TrialRecord], settings: StudySettings, *, title: str) -> Figure:
    """The figure of a study."""
    from matplotlib.ticker import FuncFormatter

    numbers = compute_front(
        every,
        budget=settings.budget,
        validation_images=settings.data.validation_images,
        objective=settings.compares,
        noise=study_noise(networks(every), settings),
        measure=settings.measure,
    )
    figure = new_figure(10.5, 5.6)
    axes = figure.add_subplot()
    draw_front(numbers, axes)
    axes.set_xlabel(cost_title(settings, every))
    if numbers.searched or numbers.baselines:
        figure.legend(loc="outside right upper", fontsize=8)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value:g}"))
    axes.xaxis.set_minor_formatter(
        FuncFormatter(lambda value, _position: f"{value:g}" if f"{value:e}"[0] in "235" else "")
    )
    axes.set_title(
        f"{title}: {units.counted(counted(every), 'network')} and {units.counted(len(repeats(every)), 'repeat')} on "
        f"{settings.data.name}, "
        f"{units.counted(settings.training.epochs, 'epoch')} each, seed {settings.training.seed}",
        fontsize=10,
    )
    return figure


def save_front(path: Path, every: Sequence[TrialRecord], settings: StudySettings, *, title: str) -> list[Path]:
    """Write the figure of a study as PNG, and as SVG beside it; the paths of both."""
    return save(front_figure(every, settings, title=title), path)
