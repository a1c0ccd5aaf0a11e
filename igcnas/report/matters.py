"""Which choices mattered, by `igcnas.importance`; and the same numbers again where they are still those of the study.

The analysis takes seconds to minutes, and depends on the networks alone: so it is kept beside the study, with a digest
of them, and taken up where they are the same. Beyond so many networks fewer resamplings tell as much (`resamplings`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from igcnas.errors import StudyError
from igcnas.importance import Choice, Report, Sample, analyse, samples_of
from igcnas.importance.figure import importance_figure
from igcnas.importance.table import from_dict, to_dict
from igcnas.report.content import Section, Table
from igcnas.report.drawing import Drawing
from igcnas.report.source import Source
from igcnas.report.words import counted, listed, share

_KEPT = "importance.json"
_FORMAT = 1
_TITLE = "What mattered"


def importance_of(source: Source) -> Report | str:
    """The report, or why there is none."""
    try:
        samples = samples_of(source.study, source.settings)
    except StudyError as error:
        return str(error)
    path = source.folder / _KEPT
    digest = _digest(samples)
    kept = _read(path, digest)
    effects, judged = resamplings(len(samples))
    if kept is None:
        kept = analyse(samples, resamplings=effects, judged=judged)
        _write(path, digest, kept)
    return kept


def resamplings(networks: int) -> tuple[int, int]:
    """For effects and for importances: those of `igcnas importance` for small studies, fewer where each takes longer.

    Never fewer than twenty for importances, which is what 'one time in twenty' needs.
    """
    return max(100, min(300, 30_000 // networks)), max(20, min(40, 4_000 // networks))


def _digest(samples: Sequence[Sample]) -> str:
    """Of everything that the analysis sees, and of its version here."""
    from igcnas import __version__

    plain = [[dict(sample.parameters), sample.macs, sample.log_errors] for sample in samples]
    text = json.dumps([_FORMAT, __version__, resamplings(len(samples)), plain], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _read(path: Path, digest: str) -> Report | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["digest"] != digest:
            return None
        return from_dict(data["report"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, digest: str, report: Report) -> None:
    """Whole or not at all; where the folder cannot be written, the next report takes its time again."""
    temporary = path.with_suffix(".tmp")
    try:
        temporary.write_text(json.dumps({"digest": digest, "report": to_dict(report)}) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    except OSError:
        return


def importance_drawings(source: Source, found: Report | str | None) -> list[Drawing]:
    """The figure of `igcnas importance`."""
    if not isinstance(found, Report):
        return []
    shown = [choice.label for choice in found.choices if choice.shown]
    return [
        Drawing(
            name="importance",
            caption="Left: how much each choice matters. Right: errors of each value against the average network of "
            "the same MACs, the other choices being equal.",
            alt=f"Importance of {len(found.choices)} choices over {found.n} networks; above chance: "
            f"{listed(shown) or 'none'}.",
            figure=importance_figure(found, title=f"What matters among {found.n} searched networks"),
        )
    ]


def importance_section(source: Source, found: Report | str | None, drawings: list[Drawing]) -> Section:
    """Words, a table of what was shown, the picture."""
    command = (source.command("importance {}"),)
    if found is None:
        text = "Left out of this page (--no-importance)."
        return Section(key="importance", title=_TITLE, paragraphs=(text,), commands=command)
    if isinstance(found, str):
        text = f"Nothing is shown: {found}."
        return Section(key="importance", title=_TITLE, paragraphs=(text,), commands=command)
    shown = [choice for choice in found.choices if choice.shown]
    paragraphs = [_found(found, shown), *_effects(shown)]
    paragraphs.append(
        "These are the networks that a sampler looked at, not a random sample: what it left early has few networks. An "
        "effect is of a value with the other choices being equal, at equal MACs, in this space, on this data, after "
        "this short training."
    )
    return Section(
        key="importance",
        title=_TITLE,
        paragraphs=tuple(paragraphs),
        tables=(_table(found),),
        pictures=tuple(drawing.picture() for drawing in drawings),
        commands=command,
    )


def _found(found: Report, shown: Sequence[Choice]) -> str:
    head = f"Over {counted(found.n, 'searched network')}, at equal MACs"
    if not shown:
        return f"{head}, no choice has been shown to matter more than chance explains. More networks may change that."
    parts = []
    for scope, choices in groupby(shown, key=lambda choice: choice.scope):
        names = listed([f"{one.label} ({share(one.share)} of the importance)" for one in choices])
        parts.append(f"within {scope}: {names}" if scope else f"for all block types: {names}")
    return f"{head}, these choices matter more than chance explains. {_sentence(parts)}."


def _sentence(parts: Sequence[str]) -> str:
    text = "; ".join(parts)
    return text[0].upper() + text[1:]


def _effects(shown: Sequence[Choice]) -> list[str]:
    """Values whose interval leaves out 'no effect', of the choices that were shown."""
    said = []
    for choice in shown:
        clear = [effect for effect in choice.effects if effect.low > 0 or effect.high < 0]
        if clear:
            values = listed(
                [
                    f"{choice.label} = {effect.value} makes {abs(effect.fewer_percent):.0f} % "
                    f"{'fewer' if effect.fewer_percent > 0 else 'more'} errors"
                    for effect in clear
                ]
            )
            said.append(values)
    return [f"Than the average network of the same MACs: {'; '.join(said)}."] if said else []


def _table(found: Report) -> Table:
    rows = tuple(
        (
            choice.scope or "all",
            choice.label,
            str(choice.n),
            share(choice.share),
            f"{100 * choice.low:.0f} to {100 * choice.high:.0f} %",
            share(choice.chance),
            "yes" if choice.shown else "no",
        )
        for choice in found.choices
    )
    return Table(
        caption=f"Importance of every choice, by {found.evaluator}",
        columns=("block type", "choice", "networks", "importance", "95 % interval", "by chance", "above chance"),
        rows=rows,
        numeric=(False, False, True, True, True, True, False),
        note="By chance: what a choice reaches in one of twenty shufflings of the results.",
    )
