"""Figures of a study. compute_*: records to numbers, which tests check; draw_*: numbers to axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from igcnas.records import TrialRecord, front, standard_error, trained
from igcnas.study import StudySettings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette: told apart with every kind of colour vision, and in print by the markers.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
_MARKERS = ("o", "s", "^", "v", "P", "X", "D")


# A block type has the same colour in every figure; those of users' own spaces follow.
_FAMILIES = (
    "igcv1",
    "igcv1 (learned)",
    "igcv3",
    "igcv3 (learned)",
    "mobilenetv2",
    "resnet",
    "igcv2",
    "resnext",
    "resnext (learned)",
    "msgc",
    "msgc-mobilenetv2",
    "condensenet",
)
_TICKS = (100, 99.5, 99, 98, 97, 96, 95, 93, 90, 85, 80, 75, 70, 65, 60, 55, 50, 45, 40, 35, 30, 25, 20, 15, 10, 5, 0)
_BESIDE_BUDGET: dict[str, Any] = {
    "xytext": (-3, -4),
    "textcoords": "offset points",
    "rotation": 90,
    "ha": "right",
    "va": "top",
    "color": "#666666",
    "fontsize": 8,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontFigure:
    """Points are (macs, accuracy). The errors are binomial standard errors of the front's accuracies."""

    searched: dict[str, list[tuple[int, float]]]
    baselines: dict[str, tuple[int, float]]
    front: list[tuple[int, float]]
    front_errors: list[float]
    budget_macs: int
    validation_images: int


def compute_front(every: Sequence[TrialRecord], *, budget_macs: int, validation_images: int) -> FrontFigure:
    """What the figure shows of a study's records."""
    searched: dict[str, list[tuple[int, float]]] = {}
    known: dict[str, tuple[int, float]] = {}
    for record in trained(every):
        point = (record.final_macs, record.val_accuracy or 0.0)
        if record.baseline is not None:
            known[record.baseline] = point
        else:
            searched.setdefault(_block_type(record), []).append(point)
    line = [(r.final_macs, r.val_accuracy or 0.0) for r in front(every, budget_macs)]
    return FrontFigure(
        searched=dict(sorted(searched.items())),
        baselines=known,
        front=line,
        front_errors=[standard_error(accuracy, validation_images) for _, accuracy in line],
        budget_macs=budget_macs,
        validation_images=validation_images,
    )


def _block_type(record: TrialRecord) -> str:
    """Family, and whether its grouping is learned, where it can also be fixed."""
    stages = record.architecture.to_dict()["stages"]
    learned = any(
        grouping.get("kind") in ("flgc", "dgconv") or grouping.get("learned")
        for stage in stages
        for grouping in stage["block"].values()
        if isinstance(grouping, dict)
    )
    return f"{record.architecture.family} (learned)" if learned else record.architecture.family


def _look(position: int) -> tuple[str, str]:
    """Colour and marker; where the colours begin again, they meet other markers."""
    turn, place = divmod(position, len(_COLOURS))
    return _COLOURS[place], _MARKERS[(place + turn) % len(_MARKERS)]


def draw_front(figure: FrontFigure, axes: Axes) -> None:
    """Networks by block type, known networks, and the front with its standard errors."""
    names = [*_FAMILIES, *(name for name in figure.searched if name not in _FAMILIES)]
    for name, points in figure.searched.items():
        position = names.index(name)
        colour, marker = _look(position)
        xs, ys = [macs / 1e6 for macs, _ in points], [accuracy for _, accuracy in points]
        axes.scatter(xs, ys, s=52, c=colour, marker=marker, label=name, alpha=0.9, lw=0, zorder=3.5)
    by_accuracy = sorted(figure.baselines.items(), key=lambda item: item[1][1])
    for position, (name, (macs, accuracy)) in enumerate(by_accuracy):
        axes.scatter(macs / 1e6, accuracy, s=110, c="white", edgecolors="black", marker="*", zorder=4)
        # To the left: known networks fill the budget, so they stand at the right edge.
        offset: dict[str, Any] = {
            "xytext": (-7, -12 if position % 2 else 5),
            "textcoords": "offset points",
            "ha": "right",
        }
        axes.annotate(name, (macs / 1e6, accuracy), fontsize=7.5, zorder=5, **offset)
    if figure.baselines:
        axes.scatter([], [], s=110, c="white", edgecolors="black", marker="*", label="known network, same training")
    if figure.front:
        xs = [macs / 1e6 for macs, _ in figure.front]
        ys = [accuracy for _, accuracy in figure.front]
        axes.step([*xs, figure.budget_macs / 1e6], [*ys, ys[-1]], where="post", c="black", lw=1.1, zorder=3)
        axes.errorbar(
            xs, ys, yerr=figure.front_errors, fmt="none", ecolor="black", elinewidth=0.8, capsize=2.5, zorder=3
        )
        axes.plot([], [], c="black", lw=1.1, label="Pareto front, with one standard error")
    axes.axvline(figure.budget_macs / 1e6, c="#888888", ls="--", lw=1)
    axes.annotate("budget", (figure.budget_macs / 1e6, 1), xycoords=("data", "axes fraction"), **_BESIDE_BUDGET)
    axes.set_xscale("log")
    axes.set_yscale("function", functions=(_to_scale, _from_scale))
    low, high = _range(figure)
    axes.set_ylim(low, high)
    ticks = _ticks(low, high)
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xlabel("MFLOPs (millions of multiply-accumulates of convolutions and linear layers, one image)")
    axes.set_ylabel(f"validation accuracy (%, {figure.validation_images:,} images), spaced by error rate")
    axes.grid(True, which="both", lw=0.3, c="#dddddd")
    axes.set_axisbelow(True)


def _range(figure: FrontFigure) -> tuple[float, float]:
    """Accuracies from a little below the lowest point to a little above the highest."""
    searched = [accuracy for points in figure.searched.values() for _, accuracy in points]
    every = [*searched, *(accuracy for _, accuracy in figure.baselines.values())] or [0.0]
    low, high = _to_scale(np.array([min(every), max(every)]))
    margin = max(0.1, 0.08 * (high - low))
    bottom, top = _from_scale(np.array([low - margin, high + 1.5 * margin]))
    return max(0.0, float(bottom)), min(100.2, float(top))


def _ticks(low: float, high: float) -> list[float]:
    """Round accuracies that stand at least a twentieth of the axis apart, the highest first."""
    start, end = _to_scale(np.array([low, high]))
    chosen: list[float] = []
    for tick in _TICKS:
        position = float(_to_scale(np.array(float(tick))))
        last = float(_to_scale(np.array(chosen[-1]))) if chosen else np.inf
        if start <= position <= end and last - position >= (end - start) / 20:
            chosen.append(tick)
    return chosen


def _to_scale(accuracy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Equal ratios of error rates take equal room, so that 98 and 99 % stay apart; half a percent keeps 100 finite."""
    return -np.log(np.maximum(100.5 - accuracy, 1e-3))


def _from_scale(position: NDArray[np.float64]) -> NDArray[np.float64]:
    return 100.5 - np.exp(-position)


def save_front(path: Path, every: Sequence[TrialRecord], settings: StudySettings, *, title: str) -> None:
    """Write the figure of a study as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    numbers = compute_front(every, budget_macs=settings.budget_macs, validation_images=settings.data.validation_images)
    canvas = Figure(figsize=(10.5, 5.6), dpi=150, layout="constrained")
    FigureCanvasAgg(canvas)
    axes = canvas.add_subplot()
    draw_front(numbers, axes)
    if numbers.searched or numbers.baselines:
        canvas.legend(loc="outside right upper", fontsize=8)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value:g}"))
    axes.xaxis.set_minor_formatter(
        FuncFormatter(lambda value, _position: f"{value:g}" if f"{value:e}"[0] in "235" else "")
    )
    epochs = settings.training.epochs
    axes.set_title(
        f"{title}: {len(trained(every))} networks on {settings.data.name}, {epochs} epochs each, seed "
        f"{settings.training.seed}",
        fontsize=10,
    )
    canvas.savefig(path, format="png")
