"""A comparison in words and tables: for a terminal, Markdown, CSV, plain data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from igcnas.results.comparison.differences import LEVEL, MEASURES, Difference, searches_needed
from igcnas.results.comparison.progress import Scale
from igcnas.results.comparison.result import Comparison, Row
from igcnas.results.plain import plain as data
from igcnas.results.table import Column, Table, p_value, span
from igcnas.statistics.intervals import deviation, mean
from igcnas.system.harmless import markdown as escaped
from igcnas.units import counted


def text(found: Comparison) -> str:
    """For a terminal."""
    parts = [heading(found), *(table.text() for table in tables(found).values())]
    return "\n\n".join([*parts, "\n".join(verdicts(found)), "\n".join(notes(found))])


def markdown(found: Comparison) -> str:
    """For a file or a paper."""
    parts = [f"## {escaped(heading(found))}"]
    for title, table in tables(found).items():
        parts += [f"### {title}"] * bool(title) + [table.markdown()]
    parts += ["### Verdict", "\n".join(f"- {escaped(line)}" for line in verdicts(found))]
    return "\n\n".join([*parts, "### Notes", "\n".join(f"- {escaped(line)}" for line in notes(found))]) + "\n"


def comma_separated(comparisons: Sequence[Comparison]) -> str:
    """One line a search."""
    return Table.of_data(
        [_flat(row, found, panel) for panel, found in enumerate(comparisons) for row in found.rows]
    ).csv()


def plain(found: Comparison) -> dict[str, Any]:
    """For JSON. The curves are in it."""
    return {**data(found), "scale": _plain_scale(found.scale), "verdicts": verdicts(found), "notes": notes(found)}


def heading(found: Comparison) -> str:
    """What is compared, in one line."""
    count = counted(len(found.rows), "search", "searches")
    return f"{count} on {found.data}, {counted(found.epochs, 'epoch')} a training"


def verdicts(found: Comparison) -> list[str]:
    """What may be said of the methods, one sentence each."""
    said = [_verdict(one) for one in found.differences]
    if any(one.verdict == "too few searches" for one in found.differences):
        said.append(
            f"{len(found.differences)} comparisons at a level of {LEVEL:g} need "
            f"{counted(searches_needed(len(found.differences)), 'search', 'searches')} by each method with the same "
            f"seeds; with fewer no "
            "result could show a difference."
        )
    if len(found.rows) == 1:
        said.append("A single search: there is nothing that it could be compared with.")
    elif len(found.methods) == 1:
        said.append("All searches are repeats of one method: the spread between them is what chance does.")
    elif not found.differences:
        said.append(
            "Each method was searched with once, so that no test of the methods is possible: another search by the "
            "same method finds other networks. Search again with other seeds (--seed) and give all the studies."
        )
    for two in found.bests:
        apart = two.difference
        known = "the pooled spread of a seed" if min(two.seeds) else "the pooled spread of a seed where it is known"
        error = (
            f"the binomial error of the images and {known}"
            if max(two.seeds)
            else ("the binomial error of the images alone: nothing was trained twice")
        )
        said.append(
            f"Their best networks, as networks: {two.first} minus {two.second} is {apart.difference:+.2f} points, 95 % "
            f"interval {apart.low:+.2f} to {apart.high:+.2f} (n = {two.n[0]} and {two.n[1]}, p {p_value(apart.p)}; "
            f"from {error}). It says nothing of the methods, and each is the highest of many, which flatters both."
        )
    return said


def notes(found: Comparison) -> list[str]:
    """What a reader must know to judge the tables."""
    axis = found.scale.objective.axis
    size, name = axis.size, axis.unit
    return [
        f"Hypervolume: points of {found.measure} above {found.scale.reference_accuracy:g} %, times octaves of cost "
        f"below {found.scale.reference_cost / size:.3g} {name}; the same reference for all. Fronts are of means over "
        "seeds, baselines included; the highest of many means is lucky, so it is what a search believes, and more than "
        "its networks are worth.",
        f"best: the {found.measure} that is expected of the leader, once luck is taken off; its mean, sd and n are "
        "beside it.",
        f"Tested are hypervolume and best after the first {counted(found.common_networks, 'network')} of each "
        f"search, pruned ones "
        "included, by permutation; a search is one value.",
        "s: seconds of training, added up over all trainings; busy s: time on the clock in which at least one network "
        "was in training.",
        f"Accuracies are on {found.validation_images:,} validation images, chosen by the seed of the study: all "
        "trainings of a study are judged on the same, and the error of that choice shows only between several seeds.",
        *found.notes,
    ]


def tables(found: Comparison) -> dict[str, Table]:
    """By their titles: the searches, which need none, the methods where any was repeated, and their differences."""
    shown = {"": Table.of(_searches(found), found.rows)}
    if max(found.methods.values()) > 1:
        searches = [[row for row in found.rows if row.method == method] for method in found.methods]
        shown["Methods"] = Table.of(_METHODS, searches)
    if found.differences:
        shown["Differences"] = Table.of(_DIFFERENCES, found.differences)
    return shown


def _searches(found: Comparison) -> list[Column]:
    size, name = (found.scale.objective.axis.size, found.scale.objective.axis.unit)
    last = len(found.marks) - 1
    marks = [
        Column.numbers(f"at {mark / size:.3g}", partial(_at, place), ".2f", unit=name if place == last else "")
        for place, mark in enumerate(found.marks)
    ]
    return [
        Column.words("study", lambda row: row.study),
        Column.numbers("networks", lambda row: row.networks),
        Column.numbers("trainings", lambda row: row.trainings),
        Column.numbers("s", lambda row: row.seconds, ".0f"),
        Column.numbers("busy s", lambda row: row.busy, ".0f"),
        Column.numbers("hypervolume", lambda row: row.hypervolume, ".1f"),
        Column.numbers("best", lambda row: row.best.expected, ".2f", unit="%"),
        Column.numbers("mean", lambda row: row.best.mean, ".2f"),
        Column.numbers("sd", lambda row: row.best.sd, ".2f"),
        Column.numbers("n", lambda row: row.best.n),
        *marks,
        Column.words("method", lambda row: row.method),
    ]


def _at(place: int, row: Row) -> float | None:
    return row.at_marks[place]


def _mean(of: str) -> Callable[[Sequence[Row]], float]:
    return lambda rows: mean([getattr(row, of) for row in rows])


def _sd(of: str) -> Callable[[Sequence[Row]], float | None]:
    return lambda rows: deviation([getattr(row, of) for row in rows]) if len(rows) > 1 else None


# Of the searches by one method.
_METHODS = (
    Column.words("method", lambda rows: rows[0].method),
    Column.numbers("searches", len),
    Column.numbers("hypervolume", _mean("common_hypervolume"), ".1f"),
    Column.numbers("sd", _sd("common_hypervolume"), ".1f"),
    Column.numbers("best", _mean("common_best"), ".2f", unit="%"),
    Column.numbers("sd", _sd("common_best"), ".2f"),
    Column.numbers("s", _mean("seconds"), ".0f"),
    Column.numbers("busy s", _mean("busy"), ".0f"),
)
_DIFFERENCES = (
    Column.words("first", lambda one: one.first),
    Column.words("second", lambda one: one.second),
    Column.words("of", lambda one: one.measure),
    Column.numbers("n", lambda one: f"{one.n[0]} pairs" if one.paired else f"{one.n[0]}, {one.n[1]}"),
    Column.numbers("difference", lambda one: one.difference, "+.2f"),
    Column.numbers("95 % interval", lambda one: (one.low, one.high), span("+.2f")),
    Column.numbers("won", lambda one: f"{one.won:g} of {one.of}"),
    Column.numbers("p", lambda one: one.p, p_value),
    Column.numbers("p (Holm)", lambda one: one.p_holm, p_value),
    Column.words("verdict", lambda one: one.verdict),
)


def _verdict(one: Difference) -> str:
    what = MEASURES[one.measure]
    measured = f"{one.difference:+.2f}, p {p_value(one.p)}, by Holm {p_value(one.p_holm)}"
    if one.verdict in ("better", "worse"):
        higher, lower = (one.first, one.second) if one.difference > 0 else (one.second, one.first)
        return f"{higher} has the higher {what} than {lower} ({one.first} minus {one.second}: {measured})."
    reason = ", and so few searches could not show any" if one.verdict == "too few searches" else ""
    return (
        f"{what[0].upper()}{what[1:]}: no difference between {one.first} and {one.second} is shown ({one.first} minus "
        f"{one.second}: {measured}){reason}."
    )


def _flat(row: Row, found: Comparison, panel: int) -> dict[str, Any]:
    line = {key: value for key, value in asdict(row).items() if key not in ("best", "at_marks")}
    line |= {f"best_{key}": value for key, value in asdict(row.best).items()}
    line |= {f"at_{mark:g}": accuracy for mark, accuracy in zip(found.marks, row.at_marks, strict=True)}
    scale = _plain_scale(found.scale)
    return {"panel": panel} | line | scale | {"common_networks": found.common_networks}


def _plain_scale(scale: Scale) -> dict[str, Any]:
    limits = {f"limit_{name}": most for name, most in scale.budget.limits.items()}
    references = {"reference_cost": scale.reference_cost, "reference_accuracy": scale.reference_accuracy}
    return {"objective": scale.objective.name, **limits, **references}
