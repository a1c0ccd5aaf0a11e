"""A comparison in words and tables: for a terminal, Markdown, CSV, plain data."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from igcnas.results.columns import columns, pipes
from igcnas.results.comparison.differences import LEVEL, MEASURES, Difference, searches_needed
from igcnas.results.comparison.progress import Scale
from igcnas.results.comparison.result import Comparison, Row
from igcnas.statistics.intervals import deviation, mean
from igcnas.system.harmless import cell
from igcnas.system.harmless import markdown as words
from igcnas.units import counted

_METHODS = ("method", "searches", "hypervolume", "sd", "best %", "sd", "s", "busy s")
_TESTED = ("first", "second", "of", "n", "difference", "95 % interval", "won", "p", "p (Holm)", "verdict")


def text(found: Comparison) -> str:
    """For a terminal."""
    parts = [heading(found), columns(_head(found), _cells(found), words=(0, len(_head(found)) - 1))]
    if _repeated(found):
        parts.append(columns(_METHODS, _methods(found), words=(0,)))
    if found.differences:
        parts.append(columns(_TESTED, _tested(found.differences), words=(0, 1, 2, len(_TESTED) - 1)))
    return "\n\n".join([*parts, "\n".join(verdicts(found)), "\n".join(notes(found))])


def markdown(found: Comparison) -> str:
    """For a file or a paper."""
    parts = [f"## {words(heading(found))}", pipes(_head(found), _cells(found), words=(0, len(_head(found)) - 1))]
    if _repeated(found):
        parts += ["### Methods", pipes(_METHODS, _methods(found), words=(0,))]
    if found.differences:
        parts += ["### Differences", pipes(_TESTED, _tested(found.differences), words=(0, 1, 2, len(_TESTED) - 1))]
    parts += ["### Verdict", "\n".join(f"- {words(line)}" for line in verdicts(found))]
    return "\n\n".join([*parts, "### Notes", "\n".join(f"- {words(line)}" for line in notes(found))]) + "\n"


def comma_separated(comparisons: Sequence[Comparison]) -> str:
    """One line a search."""
    output = io.StringIO()
    lines = [_flat(row, found, panel) for panel, found in enumerate(comparisons) for row in found.rows]
    writer = csv.DictWriter(output, list(dict.fromkeys(key for line in lines for key in line)), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: cell(value) for key, value in one.items()} for one in lines)
    return output.getvalue()


def plain(found: Comparison) -> dict[str, Any]:
    """For JSON, in which nothing is infinite: such a bound is null. The curves are in it."""
    data: dict[str, Any] = _finite({**asdict(found), "scale": _plain_scale(found.scale)})
    return data | {"verdicts": verdicts(found), "notes": notes(found)}


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
            f"interval {apart.low:+.2f} to {apart.high:+.2f} (n = {two.n[0]} and {two.n[1]}, p {_p(apart.p)}; from "
            f"{error}). It says nothing of the methods, and each is the highest of many, which flatters both."
        )
    return said


def notes(found: Comparison) -> list[str]:
    """What a reader must know to judge the tables."""
    axis = found.scale.objective.axis
    size, name = axis.size, axis.unit
    return [
        f"Hypervolume: points of accuracy above {found.scale.reference_accuracy:g} %, times octaves of cost below "
        f"{found.scale.reference_cost / size:.3g} {name}; the same reference for all. Fronts are of means over seeds, "
        "baselines included; the highest of many means is lucky, so it is what a search believes, and more than "
        "its networks are worth.",
        "best: the accuracy that is expected of the leader, once luck is taken off; its mean, sd and n are beside it.",
        f"Tested are hypervolume and best after the first {counted(found.common_networks, 'network')} of each "
        f"search, pruned ones "
        "included, by permutation; a search is one value.",
        "s: seconds of training, added up over all trainings; busy s: time on the clock in which at least one network "
        "was in training.",
        f"Accuracies are on {found.validation_images:,} validation images, chosen by the seed of the study: all "
        "trainings of a study are judged on the same, and the error of that choice shows only between several seeds.",
        *found.notes,
    ]


def _repeated(found: Comparison) -> bool:
    return max(found.methods.values()) > 1


def _head(found: Comparison) -> tuple[str, ...]:
    axis = found.scale.objective.axis
    size, name = axis.size, axis.unit
    marks = [f"at {mark / size:.3g}" for mark in found.marks]
    marks[-1] += f" {name}"
    return (
        "study", "networks", "trainings", "s", "busy s", "hypervolume", "best %", "mean", "sd", "n", *marks, "method",
    )  # fmt: skip


def _cells(found: Comparison) -> list[tuple[str, ...]]:
    return [
        (
            row.study,
            str(row.networks),
            str(row.trainings),
            f"{row.seconds:.0f}",
            f"{row.busy:.0f}",
            f"{row.hypervolume:.1f}",
            f"{row.best.expected:.2f}",
            f"{row.best.mean:.2f}",
            "-" if row.best.sd is None else f"{row.best.sd:.2f}",
            str(row.best.n),
            *("-" if accuracy is None else f"{accuracy:.2f}" for accuracy in row.at_marks),
            row.method,
        )
        for row in found.rows
    ]


def _methods(found: Comparison) -> list[tuple[str, ...]]:
    cells: list[tuple[str, ...]] = []
    for method, count in found.methods.items():
        rows = [row for row in found.rows if row.method == method]
        volumes, bests = [row.common_hypervolume for row in rows], [row.common_best for row in rows]
        cells.append(
            (
                method,
                str(count),
                f"{mean(volumes):.1f}",
                f"{deviation(volumes):.1f}" if count > 1 else "-",
                f"{mean(bests):.2f}",
                f"{deviation(bests):.2f}" if count > 1 else "-",
                f"{mean([row.seconds for row in rows]):.0f}",
                f"{mean([row.busy for row in rows]):.0f}",
            )
        )
    return cells


def _tested(found: Sequence[Difference]) -> list[tuple[str, ...]]:
    return [
        (
            one.first,
            one.second,
            one.measure,
            f"{one.n[0]} pairs" if one.paired else f"{one.n[0]}, {one.n[1]}",
            f"{one.difference:+.2f}",
            f"{one.low:+.2f} to {one.high:+.2f}" if math.isfinite(one.low) else "-",
            f"{one.won:g} of {one.of}",
            _p(one.p),
            _p(one.p_holm),
            one.verdict,
        )
        for one in found
    ]


def _verdict(one: Difference) -> str:
    what = MEASURES[one.measure]
    measured = f"{one.difference:+.2f}, p {_p(one.p)}, by Holm {_p(one.p_holm)}"
    if one.verdict in ("better", "worse"):
        higher, lower = (one.first, one.second) if one.difference > 0 else (one.second, one.first)
        return f"{higher} has the higher {what} than {lower} ({one.first} minus {one.second}: {measured})."
    reason = ", and so few searches could not show any" if one.verdict == "too few searches" else ""
    return (
        f"{what[0].upper()}{what[1:]}: no difference between {one.first} and {one.second} is shown ({one.first} minus "
        f"{one.second}: {measured}){reason}."
    )


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


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


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
