"""What a study cost, in words and as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from igcnas.results.report.content import Section
from igcnas.results.report.numbers.spending import Purpose, Spending
from igcnas.results.report.words import counted, listed, share, share_interval
from igcnas.results.table import Column, Table
from igcnas.units import duration

if TYPE_CHECKING:
    from igcnas.search.spared import SparedCount

_STEPS = {"eager": "eager steps", "program": "the fast engine", "graph": "steps captured in a graph"}


def spending_section(spending: Spending, spared: SparedCount | None) -> Section:
    """Words and a table."""
    paragraphs = []
    total = sum(one.trainings for one in spending.purposes)
    at_once = spending.at_once
    text = f"{counted(total, 'training')} took {duration(spending.seconds)} together"
    if at_once is not None:
        text += f", within {duration(spending.clock)} by the clock ({at_once:.1f} at once on average)"
        if spending.span > 1.1 * spending.clock + 60:
            text += f", spread over {duration(spending.span)} with pauses"
    paragraphs.append(f"{text}.")
    paragraphs.append(_waste(spending))
    if spending.saved:
        paragraphs.append(
            f"Pruning saved about {duration(spending.saved)}: what the pruned trainings would have taken further at "
            "the pace of their own epochs."
        )
    if spared is not None:
        paragraphs.append(_spared(spared))
    paragraphs.append(
        "Structures that do not fit the budget, and networks that the study already holds, are never trained: each "
        "cost well under a second. How many there were is printed at the end of a run and not kept."
    )
    where = listed([f"{name} ({counted(number, 'training')})" for name, number in spending.devices])
    memory = (
        ""
        if spending.peak_memory_mb is None
        else f" The most memory of a training was {spending.peak_memory_mb:,.0f} MB."
    )
    steps = listed([f"{_STEPS.get(kind, kind)} ({number:,})" for kind, number in spending.steps])
    if spending.devices:
        paragraphs.append(f"Trained on {where}{', by ' if steps else ''}{steps}.{memory}")
    if spending.in_training:
        paragraphs.append(
            f"{counted(spending.in_training, 'training is', 'trainings are')} open and in none of these sums."
        )
    whole = Purpose(key="all", words="all", trainings=total, seconds=spending.seconds, share=1.0, waste=False)
    table = Table.of(_PURPOSES, [*spending.purposes, whole], caption="Seconds of training, by what they were spent on")
    return Section(key="cost", title="What it cost", paragraphs=tuple(paragraphs), tables=(table,) if total else ())


_PURPOSES = (
    Column.words("purpose", lambda one: one.words + (" (waste)" if one.waste else "")),
    Column.numbers("trainings", lambda one: one.trainings, ","),
    Column.numbers("time", lambda one: one.seconds, duration),
    Column.numbers("seconds", lambda one: one.seconds, ",.1f"),
    Column.numbers("share", lambda one: one.share, share),
)


def _spared(spared: SparedCount) -> str:
    if spared.above_median_interval is None or spared.on_front_interval is None:
        return "How often pruning was wrong is not known: no network that it stopped was finished all the same yet."
    return (
        f"{counted(spared.spared, 'network')} that the pruner would have stopped "
        f"{'was' if spared.spared == 1 else 'were'} finished all the same, to see how often it is wrong: "
        f"{spared.above_median} ended above the median of the others (95 % interval of the share: "
        f"{share_interval(*spared.above_median_interval)}) and {spared.on_front} on the front "
        f"({share_interval(*spared.on_front_interval)})."
    )


def _waste(spending: Spending) -> str:
    wasted = [one for one in spending.purposes if one.waste]
    if not wasted:
        return (
            "Nothing was wasted: no training failed, and every trained network keeps the budget. Baselines and "
            "repeats find nothing new; they are the price of knowing how good the found networks are."
        )
    parts = [f"{counted(one.trainings, 'training')} that {one.words} ({share(one.share)})" for one in wasted]
    return f"{share(spending.wasted_share)} of the time was wasted: {listed(parts)}. The rest served the result."
