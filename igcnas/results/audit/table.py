"""An audit as a page, as a table with one row a network, and as plain data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igcnas.results.audit.agreement import LEVEL, RESAMPLES, Interval
from igcnas.results.audit.result import ALL, RANKINGS, SHORT, TOP, TOP_THIRD, WITHIN, AuditResult, Scope
from igcnas.results.audit.rows import Row
from igcnas.results.audit.verdict import show, verdict
from igcnas.system.harmless import line, markdown
from igcnas.units import counted

if TYPE_CHECKING:
    import pandas

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


def frame(result: AuditResult) -> pandas.DataFrame:
    """One row a network; accuracies in percent, long_0 is the first long seed."""
    import pandas

    return pandas.DataFrame([_line(row) for row in result.rows])


def _line(row: Row) -> dict[str, Any]:
    line: dict[str, Any] = {"number": row.number, "name": row.name, "band": row.band + 1, "macs": row.macs}
    line |= {"short": row.short, "short_repeats": " ".join(f"{value:.4f}" for value in row.repeats)}
    line |= {"long_mean": row.mean, "long_sd": row.sd}
    line |= {f"long_{seed}": value for seed, value in enumerate(row.long)}
    return line | {f"score_{name}": value for name, value in row.scores.items()}


def as_json(result: AuditResult, title: Title, left_out: Sequence[str], folder: Path) -> dict[str, Any]:
    """Everything, without numbers that JSON does not have: those are null."""
    word, sentence = verdict(result)
    plain = asdict(result)
    found = {"folder": str(folder), "verdict": word, "sentence": sentence, "left_out": list(left_out), **asdict(title)}
    cleaned: dict[str, Any] = _plain({**found, **plain})
    return cleaned


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


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
        _table(agreement_lines(scopes, result, lambda scope: scope.taus, ceilings=True)),
        ceiling_note(result),
        "## Spearman's rho",
        _table(agreement_lines(scopes, result, lambda scope: scope.rhos, ceilings=False)),
        "## Finding the best",
        "Share of the long training's best k that are among the best k of each ranking, and the points that picking "
        "the best of a ranking loses against the best of the long training. Ties are broken at random, in expectation. "
        "The best of few noisy means is too high, so the points lost are, too.",
        *(_table(finding_lines(scope, result)) for scope in (whole, *result.bands)),
        "## Networks",
        _table(_networks(result)),
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


def agreement_lines(scopes: Sequence[Scope], result: AuditResult, of: Any, *, ceilings: bool) -> list[list[str]]:
    """A head, then each ranking with its agreement in each scope; with `ceilings` what seed noise allows below."""
    lines = [["ranking", *_heads(scopes, result)]]
    lines += [[NAMES[key], *(show(of(scope)[key]) for scope in scopes)] for key in RANKINGS]
    if ceilings and result.seeds > 1:
        lines.append(["short training, against all seeds but one", *(_shown(scope.matched) for scope in scopes)])
        lines.append(["ceiling of seed noise", *(_shown(scope.ceiling) for scope in scopes)])
    return lines


def _shown(found: Interval | None) -> str:
    return "-" if found is None else show(found)


def finding_lines(scope: Scope, result: AuditResult) -> list[list[str]]:
    """A head, then each ranking with its share of the best k and the points that its choice loses; last, chance."""
    ks = [k for k in TOP if k in scope.recalls[SHORT]]
    lines = [[*_heads([scope], result), *(f"top {k}" for k in ks), "points lost"]]
    lines += [
        [NAMES[key], *(f"{scope.recalls[key][k]:.2f}" for k in ks), f"{scope.regrets[key]:.2f}"] for key in RANKINGS
    ]
    return [*lines, ["chance", *(f"{k / scope.n:.2f}" for k in ks), f"{scope.chance_regret:.2f}"]]


def _networks(result: AuditResult) -> list[list[str]]:
    lines = [["network", "band", "MFLOPs", "short", "long", "sd", *RANKINGS[2:], "what"]]
    for row in result.rows:
        scores = [f"{row.scores[name]:.5g}" for name in RANKINGS[2:]]
        sd = "-" if math.isnan(row.sd) else f"{row.sd:.2f}"
        cost = f"{row.macs / 1e6:.3g}"
        lines.append(
            [str(row.number), str(row.band + 1), cost, f"{row.short:.2f}", f"{row.mean:.2f}", sd, *scores, row.name]
        )
    return lines


def _table(lines: Sequence[Sequence[str]]) -> str:
    head, *body = ("| " + " | ".join(map(markdown, row)) + " |" for row in lines)
    return "\n".join([head, "|" + "---|" * len(lines[0]), *body])
