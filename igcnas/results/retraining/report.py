"""The table of a retraining as text, Markdown, CSV and plain data."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from igcnas.results.columns import columns, pipes
from igcnas.results.retraining.plan import RetrainSettings
from igcnas.results.retraining.table import Comparison, Row, Table
from igcnas.system.harmless import cell
from igcnas.system.harmless import markdown as words
from igcnas.units import counted

HEAD = ("network", "n", "test %", "sd", "95 % interval", "MFLOPs", "params", "s", "search %", "what it is")
COMPARED = ("network", "difference", "95 % interval", "p", "p (Holm)", "p (equivalence)", "verdict")


def text(table: Table, settings: RetrainSettings) -> str:
    """For a terminal."""
    parts = [columns(HEAD, cells(table.rows), words=_words(HEAD))]
    for title, family in families(table):
        parts.append(f"{title}\n{columns(COMPARED, compared(family), words=_words(COMPARED))}")
    parts.append("\n".join(notes(table, settings)))
    return "\n\n".join(parts)


def markdown(table: Table, settings: RetrainSettings, *, title: str) -> str:
    """For a file or a paper."""
    parts = [f"# {words(title)}", pipes(HEAD, cells(table.rows), words=_words(HEAD))]
    for heading, family in families(table):
        parts += [f"## {words(heading)}", pipes(COMPARED, compared(family), words=_words(COMPARED))]
    parts += ["## Notes", "\n".join(f"- {words(note)}" for note in notes(table, settings))]
    return "\n\n".join(parts) + "\n"


def comma_separated(table: Table) -> str:
    """One line a network, comparisons in columns; for a spreadsheet."""
    lines = [_flat(row, table) for row in table.rows]
    output = io.StringIO()
    names = list(dict.fromkeys(name for line in lines for name in line))
    writer = csv.DictWriter(output, names, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows({key: cell(value) for key, value in one.items()} for one in lines)
    return output.getvalue()


def plain(table: Table) -> dict[str, Any]:
    """For JSON, in which nothing is infinite: such a bound is null."""
    rows = []
    for row in table.rows:
        data = asdict(row)
        architecture = row.finalist.architecture
        data["finalist"] |= {"architecture": architecture.label(), "architecture_id": architecture.id}
        rows.append(data)
    found: dict[str, Any] = _finite({**asdict(table), "rows": rows})
    return found


def notes(table: Table, settings: RetrainSettings) -> list[str]:
    """What a reader must know to judge the table; one sentence or two each."""
    epochs, seeds = settings.training.epochs, settings.seeds
    said = [
        f"Trained from scratch for {counted(epochs, 'epoch')} with {counted(seeds, 'seed')} each, one recipe, on the "
        f"training and validation "
        f"images of {settings.data_name} together. The seeds are not those of the search.",
        f"The test split was read {counted(table.test_readings, 'time')}, once for each trained network, after its "
        f"last epoch.",
        f"Intervals and tests are of the seeds, on these test images. With {table.test_images:,} of them an accuracy "
        f"has a binomial standard error of {table.binomial_error:.2f} points at {table.rows[0].mean:.2f} %, which "
        "more seeds do not lower; networks share the images, so that differences suffer less from it.",
        f"First: {table.first}, first of these in the search by validation accuracy, before the test split was read.",
    ]
    if table.best_published is None:
        said.append("No published network fits the budget.")
    else:
        said.append(
            f"Best published: {table.best_published}, by its mean on the test split; a choice that favours it, "
            "not the search."
        )
    said.append(
        f"Verdict: better or worse where the p value of Welch's test, corrected by Holm over its table, is below 0.05; "
        f"else equivalent where two one-sided tests, corrected too, place the difference within +-{table.margin:g} "
        "points; else undecided: neither was shown."
    )
    if seeds == 1:
        said.append("With one seed there is no spread, so that nothing can be tested; give --seeds 5.")
    over = [f"{row.finalist.name} {row.over_budget} of {len(row.accuracies)}" for row in table.rows if row.over_budget]
    if over:
        said.append(
            f"Above the budget of {settings.budget.words()}, which training can bring about where it "
            f"chooses the groups, are trainings of {', '.join(over)}."
        )
    if len(table.devices) > 1:
        said.append(f"Trained on several devices, which round differently: {', '.join(table.devices)}.")
    if table.reasons:
        said.append(f"Without a result: {'; '.join(table.reasons)}. Means are of the other seeds.")
    return said


def families(table: Table) -> list[tuple[str, Sequence[Comparison]]]:
    """The families of tests that have any, each with its title."""
    every = (
        (f"Searched networks against {table.best_published}, the best published", table.against_published),
        (f"Every other network against {table.first}, first in the search", table.against_first),
    )
    return [(title, family) for title, family in every if family]


def cells(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Each row under HEAD."""
    return [
        (
            row.finalist.name,
            str(len(row.accuracies)) + (f" ({row.failed} failed)" if row.failed else ""),
            f"{row.mean:.2f}",
            "-" if row.sd is None else f"{row.sd:.2f}",
            "-" if row.interval is None else f"{max(0.0, row.interval[0]):.2f} to {min(100.0, row.interval[1]):.2f}",
            f"{row.macs / 1e6:.3g}",
            f"{round(row.params):,}",
            f"{row.seconds:.1f}",
            "-" if row.finalist.val_accuracy is None else f"{row.finalist.val_accuracy:.2f}",
            row.finalist.architecture.label(),
        )
        for row in rows
    ]


def compared(family: Sequence[Comparison]) -> list[tuple[str, ...]]:
    """Each comparison under COMPARED."""
    return [
        (
            one.network,
            f"{one.difference:+.2f}",
            f"{one.low:+.2f} to {one.high:+.2f}" if math.isfinite(one.low) else "-",
            _p(one.p),
            _p(one.p_holm),
            _p(one.equivalence),
            one.verdict,
        )
        for one in family
    ]


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _words(head: Sequence[str]) -> tuple[int, int]:
    """The first and the last column."""
    return 0, len(head) - 1


def _flat(row: Row, table: Table) -> dict[str, Any]:
    finalist = row.finalist
    line: dict[str, Any] = {
        "network": finalist.name,
        "published": finalist.published,
        "architecture_id": finalist.architecture.id,
        "label": finalist.architecture.label(),
        "n": len(row.accuracies),
        "failed": row.failed,
        "over_budget": row.over_budget,
        "test_mean": row.mean,
        "test_sd": row.sd,
        "test_low": None if row.interval is None else row.interval[0],
        "test_high": None if row.interval is None else row.interval[1],
        "test_accuracies": " ".join(f"{accuracy:.4f}" for accuracy in row.accuracies),
        "macs": row.macs,
        "params": row.params,
        "seconds": row.seconds,
        "val_accuracy": finalist.val_accuracy,
    }
    for word, family in (("published", table.against_published), ("first", table.against_first)):
        for one in family:
            if one.network == finalist.name:
                data = asdict(one)
                line |= {f"against_{word}_{key}": data[key] for key in data if key != "network"}
    return line


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
