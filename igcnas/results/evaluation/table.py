"""The classes of an evaluation in rows, and the counts of its confusions."""

from __future__ import annotations

from collections.abc import Sequence

from igcnas.results.evaluation.answers import Mistake
from igcnas.results.evaluation.numbers import ClassScores, Evaluation, Share
from igcnas.results.table import Column, Table


def class_table(found: Evaluation, *, only: Sequence[ClassScores] | None = None) -> Table:
    """Precision and recall of each class with their intervals; `only` these classes."""
    return Table.of(
        _CLASSES,
        found.scores if only is None else only,
        caption=f"Classes on {found.images:,} {found.split} images",
        note="Recall: of the images of a class, those that were answered so. Precision: of the answers of a class, "
        "those that are right. Intervals: 95 %, Wilson.",
    )


def worst_classes(found: Evaluation, count: int) -> list[ClassScores]:
    """The classes of the lowest recall, the lowest first; those without images are left out."""
    some = [one for one in found.scores if one.recall.images]
    return sorted(some, key=lambda one: one.recall.right / one.recall.images)[:count]


def confusion_table(found: Evaluation) -> Table:
    """A row for each class, a column for each answer."""
    columns = (Column.words("class"), *(Column.numbers(name) for name in found.classes))
    rows = tuple((name, *row) for name, row in zip(found.classes, found.confusion, strict=True))
    return Table(columns=columns, rows=rows)


def mistakes_table(mistakes: Sequence[Mistake], classes: Sequence[str]) -> Table:
    """A row for each mistake, the surest first."""
    columns = (
        Column.numbers("image", lambda one: one.position),
        Column.words("file", lambda one: one.file),
        Column.words("class", lambda one: classes[one.label]),
        Column.words("answer", lambda one: classes[one.answer]),
        Column.numbers("share", lambda one: round(one.share, 6), ".1%"),
    )
    return Table.of(columns, mistakes)


def _percent(share: Share) -> float | None:
    return None if share.value is None else round(100 * share.value, 4)


def _end(share: Share, side: int) -> float | None:
    return None if share.interval is None else round(100 * share.interval[side], 4)


def _confused(one: ClassScores) -> str:
    return "-" if one.confused is None else f"{one.confused[0]} ({one.confused[1]})"


_CLASSES = (
    Column.words("class", lambda one: one.name),
    Column.numbers("images", lambda one: one.recall.images),
    Column.numbers("recall", lambda one: _percent(one.recall), ".1f", unit="%"),
    Column.numbers("from", lambda one: _end(one.recall, 0), ".1f"),
    Column.numbers("to", lambda one: _end(one.recall, 1), ".1f"),
    Column.numbers("answers", lambda one: one.precision.images),
    Column.numbers("precision", lambda one: _percent(one.precision), ".1f", unit="%"),
    Column.numbers("from ", lambda one: _end(one.precision, 0), ".1f"),
    Column.numbers("to ", lambda one: _end(one.precision, 1), ".1f"),
    Column.words("most often mistaken for", _confused),
)
