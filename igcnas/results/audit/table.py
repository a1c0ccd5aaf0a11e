"""An audit as a page, as a table with one row a network, and as plain data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from igcnas.results.audit.agreement import LEVEL, RESAMPLES, Interval
from igcnas.results.audit.result import ALL, RANKINGS, SHORT, TOP, TOP_THIRD, WITHIN, AuditResult, Scope
from igcnas.results.audit.rows import Row
from igcnas.results.audit.verdict import show, verdict
from igcnas.results.plain import plain
from igcnas.results.table import Column, Table
from igcnas.system.harmless import line, markdown
from igcnas.units import counted

NAMES = {SHORT: "short training", "macs": "MACs", "params": "parameters"} | {
    name: name for name in ("synflow", "naswot", "snip")
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """What was audited, and how. seconds: of all long trainings together."""

    study: str
    data: str
    short_epochs: int
    long_epochs: int
    validation_images: int
    device: str
    seconds: float
    command: str


def networks(result: AuditResult) -> Table:
    """One row a network; accuracies in percent, long_0 is the first long seed."""
    return Table.of_data([_line(row) for row in result.rows])


def _line(row: Row) -> dict[str, Any]:
    line: dict[str, Any] = {"number": row.number, "name": row.name, "band": row.band + 1, "macs": row.macs}
    line |= {"short": row.short, "short_repeats": " ".join(f"{value:.4f}" for value in row.repeats)}
    line |= {"long_mean": row.mean, "long_sd": row.sd}
    line |= {f"long_{seed}": value for seed, value in enumerate(row.long)}
    return line | {f"score_{name}": value for name, value in row.scores.items()}


def as_json(result: AuditResult, title: Title, left_out: Sequence[str], folder: Path) -> dict[str, Any]:
    """Everything, for JSON."""
    word, sentence = verdict(result)
    found = {"folder": str(folder), "verdict": word, "sentence": sentence, "left_out": list(left_out)}
    return {**found, **plain(title), **plain(result)}


def page(result: AuditResult, title: Title, left_out: Sequence[str]) -> str:
    """The whole audit in Markdown."""
    whole, within = result.scopes[ALL], result.scopes[WITHIN]
    scopes = [whole, within, result.scopes[TOP_THIRD], *result.bands]
    image = 100 / title.validation_images
    parts = [
        f"# Audit of the short training of {markdown(title.study)}",
        f"**{verdict(result)[1]}**",
        "![short against long training](audit.png)",
        f"    {line(title.command)}",
        f"{counted(len(result.rows), 'network')} of the study, drawn over {len(result.bands)} bands of MACs and over "
        f"the ranks in each. Short: the search's own training of {counted(title.short_epochs, 'epoch')}. Long: "
        f"{counted(title.long_epochs, 'epoch')}, {_seeds(result.seeds)}, none of them the short one's; same data "
        f"({markdown(title.data)}), split "
        f"({title.validation_images:,} validation images: one is {image:.2g} points) and recipe. "
        f"{title.seconds / 60:.1f} minutes of training on {markdown(title.device)}.",
        f"Standard deviation of the long means: {_points(whole.spread)} over all, {_points(within.spread)} within "
        f"bands; between the seeds of one network {_points(result.seed_sd)} (median). Square brackets: {LEVEL:.0%} "
        f"intervals, percentiles of {RESAMPLES:,} resamples of networks.",
        "## Kendall's tau-b with the mean of the long trainings",
        agreement(scopes, result, lambda scope: scope.taus, ceilings=True).markdown(),
        ceiling_note(result),
        "## Spearman's rho",
        agreement(scopes, result, lambda scope: scope.rhos, ceilings=False).markdown(),
        "## Finding the best",
        "Share of the long training's best k that are among the best k of each ranking, and the points that picking "
        "the best of a ranking loses against the best of the long training. Ties are broken at random, in expectation. "
        "The best of few noisy means is too high, so the points lost are, too.",
        *(_finding(scope, result).markdown() for scope in (whole, *result.bands)),
        "## Networks",
        Table.of(_NETWORKS, result.rows).markdown(),
    ]
    if left_out:
        parts += ["## Left out", "\n".join(f"- {line}" for line in left_out)]
    return "\n\n".join(parts) + "\n"


def _seeds(seeds: int) -> str:
    return counted(seeds, "seed")


def _points(value: float) -> str:
    return "unknown" if math.isnan(value) else f"{value:.2f} points"


def ceiling_note(result: AuditResult) -> str:
    """What the ceiling is, and what it leaves open."""
    if result.seeds < 2:
        return "One long seed gives no ceiling."
    notes = [
        "Ceiling: tau between one long seed and the mean of the others, averaged over the seeds: what a short training "
        "that was a long one would reach. The row above it holds the short training against the same means; against "
        "the mean of all seeds, which is less noisy, it may be above the ceiling."
    ]
    if result.seeds == 2:
        notes.append("Two seeds give a noisy ceiling, and a low one: a single training against a single training.")
    if result.short_ceiling is not None:
        notes.append(
            f"Short trainings among themselves: {show(result.short_ceiling)} over the {result.short_ceiling_n} "
            "networks that the search trained again, which were contenders and hence alike."
        )
    notes.append(
        "Of few networks an interval from resamples is too narrow; a band alone can show only large differences."
    )
    return " ".join(notes)


def _heads(scopes: Iterable[Scope], result: AuditResult) -> list[str]:
    limits = {
        f"band {i + 1}": f", {low / 1e6:.3g} to {high / 1e6:.3g} MFLOPs" for i, (low, high) in enumerate(result.limits)
    }
    return [f"{scope.name}{limits.get(scope.name, '')} (n = {scope.n})" for scope in scopes]


def agreement(
    scopes: Sequence[Scope],
    result: AuditResult,
    of: Callable[[Scope], Mapping[str, Interval]],
    *,
    ceilings: bool,
    **around: str,
) -> Table:
    """Each ranking with its agreement in each scope; with `ceilings` what seed noise allows below.

    around: the caption and the note of the table.
    """
    columns = (Column.words("ranking"), *(Column.numbers(head, say=show) for head in _heads(scopes, result)))
    rows = [(NAMES[key], *(of(scope)[key] for scope in scopes)) for key in RANKINGS]
    if ceilings and result.seeds > 1:
        rows.append(("short training, against all seeds but one", *(scope.matched for scope in scopes)))
        rows.append(("ceiling of seed noise", *(scope.ceiling for scope in scopes)))
    return Table(columns=columns, rows=tuple(rows), **around)


def _finding(scope: Scope, result: AuditResult) -> Table:
    """Each ranking with its share of the best k and the points that its choice loses; last, chance."""
    ks = [k for k in TOP if k in scope.recalls[SHORT]]
    columns = [Column.words(_heads([scope], result)[0]), *(Column.numbers(f"top {k}", say=".2f") for k in ks)]
    rows = [(NAMES[key], *(scope.recalls[key][k] for k in ks), scope.regrets[key]) for key in RANKINGS]
    rows.append(("chance", *(k / scope.n for k in ks), scope.chance_regret))
    return Table(columns=(*columns, Column.numbers("points lost", say=".2f")), rows=tuple(rows))


def _score(name: str) -> Column:
    return Column.numbers(name, lambda row: row.scores[name], ".5g")


_NETWORKS = (
    Column.numbers("network", lambda row: row.number),
    Column.numbers("band", lambda row: row.band + 1),
    Column.numbers("MFLOPs", lambda row: row.macs / 1e6, ".3g"),
    Column.numbers("short", lambda row: row.short, ".2f"),
    Column.numbers("long", lambda row: row.mean, ".2f"),
    Column.numbers("sd", lambda row: row.sd, ".2f"),
    *map(_score, RANKINGS[2:]),
    Column.words("what", lambda row: row.name),
)
