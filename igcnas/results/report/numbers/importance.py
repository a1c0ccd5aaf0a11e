"""Which choices mattered, by `igcnas.results.importance`.

The analysis depends on the networks alone and is kept beside the study (`importance.keeping`). A report makes it where
there is none of these networks and it takes seconds; of larger studies it shows the one that `igcnas importance` made.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from igcnas.errors import StudyError
from igcnas.results.importance import Choice, Report, analyse, samples_of
from igcnas.results.importance.figure import importance_figure
from igcnas.results.importance.keeping import keep, kept
from igcnas.results.report.content import Section
from igcnas.results.report.figure import Drawing
from igcnas.results.report.words import counted, listed, share, share_interval
from igcnas.results.table import Column, Table
from igcnas.search.study import Study

MADE = 100  # networks up to which a report makes the analysis itself
_TITLE = "What mattered"


def importance_of(study: Study) -> Report | str:
    """The analysis, or why there is none."""
    try:
        samples = samples_of(study)
    except StudyError as error:
        return f"Nothing is shown: {error}."
    found = kept(study.folder, samples)
    if found is None:
        if len(samples) > MADE:
            return (
                f"Not made yet: of {counted(len(samples), 'network')} the analysis takes a minute or more. Run the "
                f"command "
                "below, then this report again."
            )
        found = analyse(samples)
        keep(study.folder, samples, found)
    return found


def takes_time(study: Study) -> bool:
    """Whether `importance_of` makes an analysis."""
    try:
        samples = samples_of(study)
    except StudyError:
        return False
    return len(samples) <= MADE and kept(study.folder, samples) is None


def importance_drawings(study: Study, found: Report | str | None) -> list[Drawing]:
    """The figure of `igcnas importance`."""
    if not isinstance(found, Report):
        return []
    shown = [choice.label for choice in found.choices if choice.shown]
    return [
        Drawing(
            name="importance",
            caption="Left: how much each choice matters. Right: errors of each value against the average network of "
            "the same MACs, the other choices being equal.",
            alt=f"Importance of {len(found.choices)} choices over {counted(found.n, 'network')}; above chance: "
            f"{listed(shown) or 'none'}.",
            figure=importance_figure(found, title=f"What matters among {found.n} searched networks"),
        )
    ]


def importance_section(study: Study, found: Report | str | None, drawings: list[Drawing]) -> Section:
    """Words, a table of what was shown, the picture."""
    command = (study.command("importance {}"),)
    if found is None:
        text = "Left out of this page (--no-importance)."
        return Section(key="importance", title=_TITLE, paragraphs=(text,), commands=command)
    if isinstance(found, str):
        return Section(key="importance", title=_TITLE, paragraphs=(found,), commands=command)
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
    luck = 0.05 * len(found.choices)
    return (
        f"{head}, these choices matter more than chance explains. {_sentence(parts)}. Each is judged alone: of "
        f"{counted(len(found.choices), 'choice')}, {luck:.1f} would be expected to pass by luck."
    )


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
    return Table.of(
        _CHOICES,
        found.choices,
        caption=f"Importance of every choice, by {found.evaluator}",
        note="By chance: what a choice reaches in one of twenty shufflings of the results. Too few: fewer than two of "
        "its values had three networks.",
    )


_CHOICES = (
    Column.words("block type", lambda choice: choice.scope or "all"),
    Column.words("choice", lambda choice: choice.label),
    Column.numbers("networks", lambda choice: choice.n),
    Column.numbers("importance", lambda choice: choice.share, share),
    Column.numbers("95 % interval", lambda choice: share_interval(choice.low, choice.high)),
    Column.numbers("by chance", lambda choice: choice.chance, share),
    Column.words("above chance", lambda choice: "yes" if choice.shown else "no" if choice.comparable else "too few"),
)
