"""The picture of docs/scale.md: what a trial costs the controller, and how good what it proposes is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scipy.stats import t

from benchmarks.scale.quality import SAMPLERS, WORKERS
from benchmarks.scale.results import Cost, Place, regret, seconds
from igcnas.drawing.figures import grid, new_figure, png_of
from igcnas.drawing.palette import BLUE, COLOURS, ORANGE
from igcnas.system.files import write_whole

_BEYOND = (10_000, 30_000, 100_000)
_AFTER = 300
_NAMES = {"gp": "default sampler", "random": "random"}
_COLOUR = dict(zip(SAMPLERS, (BLUE, ORANGE), strict=True))
_ASIDE = dict(zip(SAMPLERS, (0.93, 1.07), strict=True))  # so that neither hides the other
_MARKS = dict(zip(SAMPLERS, "os", strict=True))


def draw(found: dict[Place, Cost], searches: Sequence[dict[str, Any]], path: Path) -> None:
    """Write it."""
    from matplotlib.ticker import NullFormatter

    figure = new_figure(9.0, 3.6)
    left, right = figure.subplots(1, 2)
    begin, end = seconds(found)
    trials = sorted({place[0] for place in found})
    for workers, colour in zip(sorted({place[1] for place in found}), COLOURS, strict=False):
        left.plot(
            trials, [found[number, workers].service for number in trials], "o-", c=colour, ms=4, label=f"{workers:,}"
        )
        left.plot(_BEYOND, [begin(n, workers) + end(n, workers) for n in _BEYOND], ":", c=colour)
    left.set(xscale="log", yscale="log", xlabel="trials that have ended", ylabel="seconds of the controller a trial")
    left.set_title("Cost of a trial (dotted: extrapolated)", fontsize=10)
    left.legend(title="workers", fontsize=8, title_fontsize=8)
    grid(left)
    for sampler in SAMPLERS:
        known = [(w, told) for w in WORKERS if (told := regret(searches, sampler, w, _AFTER)) is not None]
        right.errorbar(
            [workers * _ASIDE[sampler] for workers, _ in known],
            [told.value for _, told in known],
            yerr=[float(t.ppf(0.975, told.n - 1)) * told.error for _, told in known],
            fmt=f"{_MARKS[sampler]}-",
            c=_COLOUR[sampler],
            capsize=3,
            ms=4,
            label=_NAMES[sampler],
        )
    right.set(xscale="log", xlabel="networks in training at once", ylabel="regret, points of accuracy", ylim=(0, 0.7))
    right.set_title(f"NAS-Bench-201 after {_AFTER} trainings, 95 % intervals", fontsize=10)
    right.legend(fontsize=8, ncols=2, loc="upper left")
    grid(right)
    for axis in (left.xaxis, left.yaxis, right.xaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,g}" if value < 1e5 else f"{value:,.0f}")
        axis.set_minor_formatter(NullFormatter())
    left.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else "")
    write_whole(path, png_of(figure))
