"""The page: scores, and every survivor with why it stays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.mutants.outcomes import Outcome
from benchmarks.mutants.parts import PARTS
from igcnas.results.table import Column, Table
from igcnas.statistics.intervals import wilson_interval

Reasons = Mapping[str, Mapping[str, Mapping[str, str]]]  # by module, statement, and 'before -> after'
MISSING = "a test is missing"
_RULE = (
    "`python -m benchmarks.mutants run`: one small change of the code at a time, against the tests of its part that "
    "reach the changed lines, until one fails; other tests may see more. A change that makes a test use {patience:g} "
    "times its usual processor time and seconds more counts as killed, and so does one that cannot be imported."
)
_SAMPLED = (
    "Scores with an interval (95 %, Wilson) are of a sample that was drawn by chance; the others are of all changes."
)
_EARLIER = "The last column is of the present code and tests, the columns before it of earlier ones."
_QUICK = (
    "'At least': some survivors were tried on the quick tests alone, in the last column {count}; slower tests may see "
    "them."
)


def page(columns: Mapping[str, Sequence[Outcome]], reasons: Reasons, *, patience: float) -> str:
    """In Markdown: a column of scores for each run, and the survivors of the last one."""
    *_, last = columns.values()
    survivors = sorted(
        (one for one in last if one.lives), key=lambda one: (list(PARTS).index(one.part), one.module, one.line)
    )
    quick = sum(one.end != "survived" for one in survivors)
    rows = [
        (
            part,
            str(next(one.of for one in last if one.part == part)),
            *(_score(part, every) for every in columns.values()),
        )
        for part in PARTS
        if any(one.part == part for one in last)
    ]
    notes = [_RULE.format(patience=patience), _SAMPLED, *([_EARLIER] if len(columns) > 1 else [])]
    if any(one.lives and one.end != "survived" for every in columns.values() for one in every):
        notes.append(_QUICK.format(count=quick))
    cells = [
        (f"{one.module}:{one.line}", one.statement, f"{one.before} -> {one.after}", _reason(one, reasons))
        for one in survivors
    ]
    return "\n\n".join(
        [
            "# Would a test see it?",
            " ".join(notes),
            Table(
                columns=(Column.words("part"), *map(Column.numbers, ("possible changes", *columns))), rows=tuple(rows)
            ).markdown(),
            f"## The {len(survivors)} that live, and why",
            Table(
                columns=tuple(map(Column.words, ("place", "statement", "change", "why it stays"))), rows=tuple(cells)
            ).markdown()
            + "\n",
        ]
    )


def changed_since(outcomes: Sequence[Outcome], root: Path) -> list[str]:
    """Modules that are no longer what was tried."""
    tried = {(one.module, one.digest) for one in outcomes}
    return [m for m, digest in sorted(tried) if hashlib.sha256((root / m).read_bytes()).hexdigest()[:12] != digest]


def _reason(one: Outcome, reasons: Reasons) -> str:
    return reasons.get(one.module, {}).get(one.statement, {}).get(f"{one.before} -> {one.after}", MISSING)


def _score(part: str, every: Sequence[Outcome]) -> str:
    outcomes = [one for one in every if one.part == part]
    if not outcomes:
        return "-"
    killed = sum(not one.lives for one in outcomes)
    bound = "at least " if any(one.lives and one.end != "survived" for one in outcomes) else ""
    score = f"{bound}{killed} of {len(outcomes)}, {killed / len(outcomes):.0%}"
    if len(outcomes) == outcomes[0].of:
        return score
    low, high = wilson_interval(killed, len(outcomes))
    return f"{score} ({low:.0%} to {high:.0%})"
