"""How the exported network answers, in words, with its classes and its pictures."""

from __future__ import annotations

from collections.abc import Sequence

from igcnas.results.evaluation.table import class_table, worst_classes
from igcnas.results.evaluation.words import calibration_sentence, mistakes_sentence
from igcnas.results.report.content import Section
from igcnas.results.report.figure import Drawing
from igcnas.results.report.numbers.answers import Answered
from igcnas.results.report.words import counted
from igcnas.search.study import Study

_TITLE = "What it gets wrong"
_ROWS = 30  # classes of a table; of more, those of the lowest recall


def answers_drawings(answers: Sequence[Answered]) -> list[Drawing]:
    """Of each evaluation the confusions, the reliability, the surest mistakes."""
    from igcnas.results.evaluation.figures import (
        confusion_figure,
        mistakes_figure,
        mistakes_title,
        reliability_figure,
    )

    drawings = []
    for one in answers:
        found, mistakes = one.kept.evaluation, one.kept.mistakes
        where = f"{one.folder}/, {found.images:,} {found.split} images"
        name = f"{one.folder}-{found.split}"
        drawings += [
            Drawing(
                name=f"confusion-{name}",
                caption=f"Which classes are confused: {where}. Rows are classes, columns answers, numbers images.",
                alt=f"Confusion matrix of {counted(len(found.classes), 'class', 'classes')}.",
                figure=confusion_figure(found, title=where),
            ),
            Drawing(
                name=f"reliability-{name}",
                caption="How often answers of a share are right, with 95 % intervals, and how many images have it. On "
                "the dotted line a share is a probability.",
                alt=calibration_sentence(found),
                figure=reliability_figure(found, title=where),
            ),
            Drawing(
                name=f"mistakes-{name}",
                caption="The wrong answers that the network was surest of. Where the answer looks right, the label may "
                "be wrong.",
                alt=mistakes_sentence(one.kept),
                figure=mistakes_figure(mistakes, found.classes, title=mistakes_title(found, len(mistakes))),
            ),
        ]
    return drawings


def answers_section(study: Study, answers: Sequence[Answered], drawings: Sequence[Drawing]) -> Section:
    """What was found of each network on each split; how to find it where nothing was."""
    commands = (study.command("evaluate {}"), study.command("evaluate {} --split test"))
    if not answers:
        text = (
            "Not looked at yet. The first command below runs the exported network over the validation images and keeps "
            "which classes it confuses, how far its probabilities can be believed, and its surest mistakes, for the "
            "next report. The second does so on the test images; each look at them makes them less of a test."
        )
        return Section(key="answers", title=_TITLE, paragraphs=(text,), commands=commands)
    paragraphs, tables = [], []
    for one in answers:
        paragraphs.append(_words(one))
        found = one.kept.evaluation
        some = None if len(found.classes) <= _ROWS else worst_classes(found, _ROWS)
        tables.append(class_table(found, only=some))
    return Section(
        key="answers",
        title=_TITLE,
        paragraphs=tuple(paragraphs),
        tables=tuple(tables),
        pictures=tuple(drawing.picture() for drawing in drawings),
        commands=commands,
    )


def _words(one: Answered) -> str:
    found = one.kept.evaluation
    name, largest = found.largest
    right = found.accuracy
    low, high = right.interval or (0.0, 1.0)
    stale = "" if one.current else " (of a network that was there before: evaluate again)"
    unseen = "the images that chose it" if found.split == "validation" else "images that chose nothing"
    percent, always = (100 * some.right / some.images for some in (right, largest))
    where = f"{one.folder}/{stale} on {found.images:,} {found.split} images, {unseen}"
    return (
        f"{where}: {percent:.2f} % right (95 % interval "
        f"{100 * low:.1f} to {100 * high:.1f}); mean recall of the classes {100 * found.balanced:.2f} %; to answer "
        f"{name} always would be right for {always:.1f} %. Its shares: "
        f"{calibration_sentence(found)}. Mistakes: {mistakes_sentence(one.kept)}."
    )
