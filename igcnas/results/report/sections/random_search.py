"""What the search has added to random draws, in words and as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from igcnas.drawing.figures import error_bars, grid, new_figure
from igcnas.drawing.palette import BLUE, GREY, ORANGE
from igcnas.drawing.style import own_style
from igcnas.results.importance.samples import fewer_percent
from igcnas.results.report.content import Section
from igcnas.results.report.figure import Drawing
from igcnas.results.report.numbers.random_search import LEAST, Group, RandomComparison, RandomSearch
from igcnas.results.report.words import counted, errors, fewer_span, p_value, share, share_interval
from igcnas.results.table import Column, Table, span
from igcnas.search.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE = "Against random search"
_RANDOM, _LATER = GREY, BLUE
_TICKS = (-400, -200, -100, -50, -20, 0, 20, 33, 50, 67, 75, 80, 90)


def random_search_sentence(chance: RandomSearch, equal: str) -> str:
    """For the summary; '' where there is nothing to say."""
    found = chance.comparison
    if found is None:
        return ""
    gain = errors(fewer_percent(found.difference))
    span = _fewer(found.low, found.high)
    if found.low > 0 or found.high < 0:
        return (
            f"What the sampler proposed makes {gain} at equal {equal}, on average, than the "
            f"{counted(found.random.n, 'network')} "
            f"drawn at random in this study (95 % interval: {span})."
        )
    return (
        f"This study does not show that the sampler beat random draws: its {found.later.n} proposals make {gain} at "
        f"equal {equal} than the {found.random.n} random networks on average (95 % interval: {span})."
    )


def random_search_section(study: Study, chance: RandomSearch, drawings: list[Drawing]) -> Section:
    """Words, a table, and the picture where there is one."""
    equal = study.axis.equal
    how = (
        f"Networks are compared by their errors relative to those of the baselines at equal {equal}, the scale "
        "on which the samplers work."
    )
    if not study.settings.baselines:
        how = (
            f"Networks are compared by their errors at equal {equal}, relative to a line through the first searched "
            "networks, the scale on which the samplers work."
        )
    if not study.objective.spread:
        how = "All networks are at the budget; they are compared by their errors."
    if chance.pruned:
        how += (
            f" The {counted(chance.pruned, 'network that was', 'networks that were')} pruned "
            f"{'counts' if chance.pruned == 1 else 'count'} with the epoch that they reached, beside the known "
            "networks at that epoch."
        )
    if chance.comparison is not None:
        paragraphs = [how, *_compared(chance.comparison, equal)]
    else:
        paragraphs = [_nothing(study, chance)]
        if chance.random is not None and chance.random.n > 1:
            paragraphs += [how, _alone(chance.random)]
    tables = () if chance.comparison is None else (_table(chance.comparison),)
    pictures = tuple(drawing.picture() for drawing in drawings)
    return Section(key="random", title=_TITLE, paragraphs=tuple(paragraphs), tables=tables, pictures=pictures)


def _nothing(study: Study, chance: RandomSearch) -> str:
    if study.settings.sampler == "random":
        return "The whole search drew at random (--sampler random), so there is nothing to set beside it."
    if chance.unknown:
        return (
            f"The records of {counted(chance.unknown, 'searched network')} do not say whether they were drawn at "
            "random: they are from before igcnas recorded that. So nothing is compared."
        )
    drawn = 0 if chance.random is None else chance.random.n
    return (
        f"The study has {counted(drawn, 'network')} drawn at random and {chance.later} proposed from what was known; a "
        f"comparison needs {LEAST} of each."
    )


def _alone(random: Group) -> str:
    return (
        f"The {random.n} random networks make {errors(fewer_percent(random.mean))} than the reference on average, the "
        f"best of them (network {random.best_number}) {errors(fewer_percent(random.best))}."
    )


def _compared(found: RandomComparison, equal: str) -> list[str]:
    random, later = found.random, found.later
    clear = found.low > 0 or found.high < 0
    verdict = "The difference is clear" if clear else "So a difference is not shown"
    few = (
        f" With {random.n} random networks only a large difference could be shown: the interval says how large."
        if not clear or random.n < 30
        else ""
    )
    ahead = fewer_percent(later.best - found.expected_best)
    low, high = found.expected_best_interval
    return [
        f"{counted(random.n, 'network was', 'networks were')} drawn at random, {later.n} were proposed from what was "
        f"known by then. At equal {equal} the latter make {errors(fewer_percent(found.difference))} on average (95 % "
        f"interval: {_fewer(found.low, found.high)}; Welch's test {p_value(found.p)}, Mann-Whitney "
        f"{p_value(found.p_ranks)}). {verdict}.{few}",
        f"A proposed network is better than a random one in {share(found.superiority)} of all pairs. {found.above} of "
        f"the {later.n} (95 % interval: {share_interval(*found.above_interval)}) are better than the best random "
        f"one, network {random.best_number}.",
        f"The best of {later.n} random draws would be expected to make {errors(fewer_percent(found.expected_best))} "
        f"than the reference ({_fewer(low, high)}), if scores of random networks are normal; the best proposed "
        f"network, {later.best_number}, makes {errors(fewer_percent(later.best))}, which is {errors(ahead)} than that "
        "best random draw. Both are the highest of many noisy numbers, and equally flattered by it.",
    ]


def _fewer(low: float, high: float) -> str:
    """An interval of scores as percents of errors."""
    return fewer_span(fewer_percent(low), fewer_percent(high))


def _table(found: RandomComparison) -> Table:
    return Table.of(
        _GROUPS,
        [("drawn at random", found.random), ("proposed from what was known", found.later)],
        caption="Errors fewer than those of the reference at equal cost",
        note="Negative: more errors than the reference. Averages are of logarithms of errors.",
    )


_GROUPS = (
    Column.words("networks", lambda row: row[0]),
    Column.numbers("n", lambda row: row[1].n),
    Column.numbers("average", lambda row: f"{fewer_percent(row[1].mean):.0f} %"),
    Column.numbers(
        "95 % interval", lambda row: tuple(map(fewer_percent, (row[1].low, row[1].high))), span(".0f", " %")
    ),
    Column.numbers("best", lambda row: f"{fewer_percent(row[1].best):.0f} %"),
    Column.numbers("spread (sd of the log)", lambda row: row[1].sd, ".2f"),
)


@own_style()
def random_search_drawings(study: Study, chance: RandomSearch) -> list[Drawing]:
    """Each network of both groups as a point, with the means and the expected best of random draws."""
    found = chance.comparison
    if found is None:
        return []
    figure = new_figure(9.0, 2.7)
    axes = figure.add_subplot()
    draw_random_search(found, axes)
    reference = "baselines" if study.settings.baselines else "first searched networks"
    axes.set_xlabel(f"errors against those of the {reference} at equal {study.axis.equal}   (right: fewer)")
    gain = errors(fewer_percent(found.difference))
    return [
        Drawing(
            name="random",
            caption="Networks drawn at random and networks proposed by the search, by their errors at equal cost. "
            "Bars: mean and its 95 % interval. Dashed: the expected best of as many random draws as there were "
            "proposals, with its 95 % interval shaded.",
            alt=f"Two rows of points: {found.random.n} random networks and {found.later.n} proposed ones; the latter "
            f"make {gain} on average.",
            figure=figure,
        )
    ]


def draw_random_search(found: RandomComparison, axes: Axes) -> None:
    """Two rows of points; the scale is of logarithms, its words are percents."""
    rows = ((1, found.random, _RANDOM, "drawn at random"), (0, found.later, _LATER, "proposed"))
    low, high = found.expected_best_interval
    axes.axvspan(low, high, color=ORANGE, alpha=0.15, lw=0)
    axes.axvline(found.expected_best, color=ORANGE, ls="--", lw=1.4)
    draws = np.random.default_rng(0)
    for height, some, colour, _ in rows:
        heights = height + 0.12 + draws.uniform(0.0, 0.24, some.n)
        axes.scatter(some.scores, heights, s=18, c=colour, alpha=0.8, lw=0, zorder=3)
        error_bars(axes, height - 0.12, some.low, some.high, across=True, colour=colour, width=2, cap=0)
        axes.plot([some.mean], [height - 0.12], marker="|", ms=12, mew=2, color=colour, zorder=4)
    axes.set_yticks([0.05, 1.05], [f"{rows[1][3]} ({found.later.n})", f"{rows[0][3]} ({found.random.n})"])
    axes.set_ylim(-0.45, 1.6)
    every = [*found.random.scores, *found.later.scores, low, high]
    margin = 0.06 * (max(every) - min(every)) or 0.1
    left, right = min(every) - margin, max(every) + margin
    axes.set_xlim(left, right)
    marks = _marks(left, right)
    axes.set_xticks([_place(mark) for mark in marks], [_word(mark) for mark in marks])
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    grid(axes, axis="x")


def _place(percent: float) -> float:
    return float(-np.log(1.0 - percent / 100.0))


def _marks(left: float, right: float) -> list[int]:
    """Round percents a tenth of the axis apart or more, 0 among them where it is shown."""
    chosen: list[int] = []
    for tick in sorted(_TICKS, key=lambda tick: abs(_place(tick))):
        inside = left <= _place(tick) <= right
        if inside and all(abs(_place(tick) - _place(other)) >= 0.11 * (right - left) for other in chosen):
            chosen.append(tick)
    return sorted(chosen)


def _word(percent: int) -> str:
    if percent == 0:
        return "as many"
    return f"{percent} % fewer" if percent > 0 else f"{-percent} % more"
