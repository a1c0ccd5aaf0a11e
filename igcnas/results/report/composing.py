"""The whole report of a study: numbers, then words, tables and pictures in their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from igcnas import __version__
from igcnas.errors import StudyError
from igcnas.results.report.content import Axis, Report, Section
from igcnas.results.report.figure import Drawing
from igcnas.results.report.numbers import Numbers, measure
from igcnas.results.report.numbers.checks import checks_sentence
from igcnas.results.report.numbers.importance import importance_drawings, importance_section
from igcnas.results.report.numbers.networks import front_section
from igcnas.results.report.sections.answers import answers_drawings, answers_section
from igcnas.results.report.sections.audits import audit_drawings, audit_section
from igcnas.results.report.sections.baselines import baselines_section
from igcnas.results.report.sections.history import history_drawings, history_section
from igcnas.results.report.sections.provenance import provenance_section
from igcnas.results.report.sections.random_search import random_search_drawings, random_search_section
from igcnas.results.report.sections.retrainings import retraining_drawings, retraining_section
from igcnas.results.report.sections.spending import spending_section
from igcnas.results.report.sections.summary import candidates_sections, summary
from igcnas.results.report.words import counted, measured, tied
from igcnas.search.study import Study
from igcnas.system.files import make_folder


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Composition:
    """A report with what it was made from. drawings: its figures, the front among them, which the page draws itself."""

    report: Report
    numbers: Numbers
    drawings: tuple[Drawing, ...]


def composition(study: Study, *, importance: bool = True) -> Composition:
    """The report, its numbers and its figures. Raises StudyError where nothing was trained yet."""
    if not study.networks:
        raise StudyError(
            f"study {study.name!r} holds no trained network yet; see what became of it with: "
            f"{study.command('status {}')}"
        )
    found = measure(study, importance=importance)
    random = random_search_drawings(study, found.random_search)
    importances = importance_drawings(study, found.importance)
    audits = audit_drawings(study, found.checks)
    retrainings = retraining_drawings(study, found.checks)
    answers = answers_drawings(found.answers)
    history = history_drawings(study, found.history)
    sections = (
        *candidates_sections(study, found.verdict, found.state),
        front_section(study, found.networks),
        baselines_section(study, found.baselines),
        random_search_section(study, found.random_search, random),
        importance_section(study, found.importance, importances),
        audit_section(study, found.checks, audits),
        retraining_section(study, found.checks, retrainings, found.tested),
        answers_section(study, found.answers, answers),
        history_section(study, found.history, history),
        spending_section(found.spending, found.spared),
        provenance_section(study, found.provenance),
    )
    first = summary(
        study,
        found.verdict,
        found.state,
        found.baselines,
        found.random_search,
        checks=checks_sentence(found.checks),
        exports=found.tested,
    )
    axis, budget = study.axis, study.budget.get(study.axis.limit)
    report = Report(
        title=study.name,
        subtitle=_subtitle(study, found),
        summary=_said(first, study.measure),
        axis=Axis(title=study.cost_title, unit=axis.unit, budget=None if budget is None else budget / axis.size),
        validation_images=study.images,
        measure=study.measure,
        networks=found.networks,
        sections=tuple(_said(section, study.measure) for section in sections),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        version=__version__,
        study=study.reference,
        first=None if found.verdict is None else found.verdict.first.number,
    )
    drawings = (_front(study), *random, *importances, *audits, *retrainings, *answers, *history)
    return Composition(report=report, numbers=found, drawings=drawings)


def _said(section: Section, measure: str) -> Section:
    """Its words as the page has them: units beside their numbers, and what an accuracy is in this study.

    Settings are names, not words.
    """

    def say(text: str) -> str:
        return tied(text if section.key == "provenance" else measured(text, measure))

    return replace(
        section,
        title=say(section.title),
        paragraphs=tuple(map(say, section.paragraphs)),
        tables=tuple(table.reworded(say) for table in section.tables),
        pictures=tuple(
            replace(picture, caption=say(picture.caption), alt=measured(picture.alt, measure))
            for picture in section.pictures
        ),
    )


def _subtitle(study: Study, found: Numbers) -> str:
    settings = study.settings
    again = f" and {counted(found.state.repeats, 'repeat')}" if found.state.repeats else ""
    return (
        f"{counted(found.state.networks, 'network')}{again} on {settings.data.name}, at most "
        f"{study.budget.words()} each; {counted(settings.training.epochs, 'epoch')} each, seed "
        f"{settings.seed}"
    )


def _front(study: Study) -> Drawing:
    from igcnas.results.figures import front_figure

    return Drawing(
        name="pareto",
        caption="The front",
        alt="Accuracy of every network against its cost, and the front.",
        figure=front_figure(study.records, study.settings, title=study.name),
    )


def write_figures(drawings: Sequence[Drawing], folder: Path) -> list[Path]:
    """Every figure as PNG and SVG, for papers; their paths."""
    make_folder(folder)
    return [path for drawing in drawings for path in drawing.write(folder)]
