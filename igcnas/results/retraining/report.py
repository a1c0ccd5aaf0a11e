"""The tests of a retraining as text, Markdown, CSV and plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from igcnas.results.plain import plain as data
from igcnas.results.retraining.plan import RetrainSettings
from igcnas.results.retraining.table import Comparison, RetrainResults, Row
from igcnas.results.table import Column, Table, p_value, span
from igcnas.system.harmless import markdown as escaped
from igcnas.training.settings import BALANCED
from igcnas.units import counted

NETWORKS = (
    Column.words("network", lambda row: row.finalist.name),
    Column.numbers("n", lambda row: str(len(row.accuracies)) + (f" ({row.failed} failed)" if row.failed else "")),
    Column.numbers("test", lambda row: row.mean, ".2f", unit="%"),
    Column.numbers("sd", lambda row: row.sd, ".2f"),
    Column.numbers(
        "95 % interval", lambda row: row.interval, lambda ends: span()((max(0.0, ends[0]), min(100.0, ends[1])))
    ),
    Column.numbers("MFLOPs", lambda row: row.macs / 1e6, ".3g"),
    Column.numbers("params", lambda row: round(row.params), ","),
    Column.numbers("s", lambda row: row.seconds, ".1f"),
    Column.numbers("search", lambda row: row.finalist.val_accuracy, ".2f", unit="%"),
    Column.words("what it is", lambda row: row.finalist.architecture.label()),
)
COMPARED = (
    Column.words("network", lambda one: one.network),
    Column.numbers("difference", lambda one: one.difference, "+.2f"),
    Column.numbers("95 % interval", lambda one: (one.low, one.high), span("+.2f")),
    Column.numbers("p", lambda one: one.p, p_value),
    Column.numbers("p (Holm)", lambda one: one.p_holm, p_value),
    Column.numbers("p (equivalence)", lambda one: one.equivalence, p_value),
    Column.words("verdict", lambda one: one.verdict),
)


def text(found: RetrainResults, settings: RetrainSettings) -> str:
    """For a terminal."""
    parts = [Table.of(NETWORKS, found.rows).text()]
    parts += [f"{title}\n{Table.of(COMPARED, family).text()}" for title, family in families(found)]
    return "\n\n".join([*parts, "\n".join(notes(found, settings))])


def markdown(found: RetrainResults, settings: RetrainSettings, *, title: str) -> str:
    """For a file or a paper."""
    parts = [f"# {escaped(title)}", Table.of(NETWORKS, found.rows).markdown()]
    for heading, family in families(found):
        parts += [f"## {escaped(heading)}", Table.of(COMPARED, family).markdown()]
    parts += ["## Notes", "\n".join(f"- {escaped(note)}" for note in notes(found, settings))]
    return "\n\n".join(parts) + "\n"


def comma_separated(found: RetrainResults) -> str:
    """One line a network, comparisons in columns; for a spreadsheet."""
    return Table.of_data([_flat(row, found) for row in found.rows]).csv()


def plain(found: RetrainResults) -> dict[str, Any]:
    """For JSON."""
    content: dict[str, Any] = data(found)
    for row, of in zip(content["rows"], found.rows, strict=True):
        architecture = of.finalist.architecture
        row["finalist"] |= {"architecture": architecture.label(), "architecture_id": architecture.id}
    return content


def notes(found: RetrainResults, settings: RetrainSettings) -> list[str]:
    """What a reader must know to judge the table; one sentence or two each."""
    epochs, seeds = settings.training.epochs, settings.seeds
    said = [
        f"Trained from scratch for {counted(epochs, 'epoch')} with {counted(seeds, 'seed')} each, one recipe, on the "
        f"training and validation "
        f"images of {settings.data_name} together. The seeds are not those of the search.",
        f"The test split was read {counted(found.test_readings, 'time')}, once for each trained network, after its "
        f"last epoch.",
        f"Intervals and tests are of the seeds, on these test images. With {found.test_images:,} of them an accuracy "
        f"has a binomial standard error of {found.binomial_error:.2f} points at {found.rows[0].mean:.2f} %, which "
        "more seeds do not lower; networks share the images, so that differences suffer less from it.",
        f"First: {found.first}, first of these in the search by validation accuracy, before the test split was read.",
    ]
    if settings.training.metric == BALANCED:
        said.append(
            "Accuracies are balanced ones, as in the search: the mean over classes of the share of their images that "
            "is right. Their binomial error is that of the counts of each class."
        )
    if found.best_published is None:
        said.append("No published network fits the budget.")
    else:
        said.append(
            f"Best published: {found.best_published}, by its mean on the test split; a choice that favours it, "
            "not the search."
        )
    said.append(
        f"Verdict: better or worse where the p value of Welch's test, corrected by Holm over its table, is below 0.05; "
        f"else equivalent where two one-sided tests, corrected too, place the difference within +-{found.margin:g} "
        "points; else undecided: neither was shown."
    )
    if seeds == 1:
        said.append("With one seed there is no spread, so that nothing can be tested; give --seeds 5.")
    over = [f"{row.finalist.name} {row.over_budget} of {len(row.accuracies)}" for row in found.rows if row.over_budget]
    if over:
        said.append(
            f"Above the budget of {settings.budget.words()}, which training can bring about where it "
            f"chooses the groups, are trainings of {', '.join(over)}."
        )
    if len(found.devices) > 1:
        said.append(f"Trained on several devices, which round differently: {', '.join(found.devices)}.")
    if found.reasons:
        said.append(f"Without a result: {'; '.join(found.reasons)}. Means are of the other seeds.")
    return said


def families(found: RetrainResults) -> list[tuple[str, Sequence[Comparison]]]:
    """The families of tests that have any, each with its title."""
    every = (
        (f"Searched networks against {found.best_published}, the best published", found.against_published),
        (f"Every other network against {found.first}, first in the search", found.against_first),
    )
    return [(title, family) for title, family in every if family]


def _flat(row: Row, found: RetrainResults) -> dict[str, Any]:
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
    for word, family in (("published", found.against_published), ("first", found.against_first)):
        for one in family:
            if one.network == finalist.name:
                data = asdict(one)
                line |= {f"against_{word}_{key}": data[key] for key in data if key != "network"}
    return line
