"""Audits of the short training in words, with their tables and pictures."""

from __future__ import annotations

from collections.abc import Sequence

from igcnas.results.audit.reading import Audit
from igcnas.results.audit.result import ALL, WITHIN
from igcnas.results.audit.verdict import verdict
from igcnas.results.report.content import Section
from igcnas.results.report.figure import Drawing
from igcnas.results.report.numbers.checks import Checks
from igcnas.results.report.words import counted
from igcnas.results.table import Table
from igcnas.search.study import Study
from igcnas.units import duration


def audit_drawings(study: Study, checks: Checks) -> list[Drawing]:
    """The figure of every audit that is done."""
    from igcnas.results.audit.figure import audit_figure
    from igcnas.results.audit.table import Title

    drawings = []
    for audit in checks.audits:
        if audit.result is None:
            continue
        title = Title(
            study=study.name,
            data=study.settings.data.name,
            short_epochs=audit.short_epochs,
            long_epochs=audit.long_epochs,
            validation_images=study.images,
            device=", ".join(audit.devices),
            seconds=audit.seconds,
            command="",
        )
        drawings.append(
            Drawing(
                name=audit.folder.name,
                caption=f"Left: accuracy after {counted(audit.long_epochs, 'epoch')} against {audit.short_epochs}. "
                "Right: how "
                "well each ranking agrees with the long training, over all networks and within bands of equal cost.",
                alt=verdict(audit.result)[1],
                figure=audit_figure(audit.result, title),
            )
        )
    return drawings


def audit_section(study: Study, checks: Checks, drawings: Sequence[Drawing]) -> Section:
    """The verdict of every audit, its table of agreement, its picture."""
    paragraphs: list[str] = []
    tables: list[Table] = []
    for audit in checks.audits:
        long = counted(audit.long_epochs, "epoch")
        done = f"{counted(audit.trainings, 'long training')} of {long}, {duration(audit.seconds)}"
        if audit.result is None:
            paragraphs.append(
                f"{audit.folder.name} is under way: {done} for {counted(audit.networks, 'network')}, no table yet."
            )
        else:
            paragraphs.append(f"{audit.folder.name} ({done}): {verdict(audit.result)[1]}")
            tables.append(_audit_table(audit))
    if not checks.audits:
        epochs = study.settings.training.epochs
        paragraphs.append(
            f"Whether a training of {counted(epochs, 'epoch')} ranks these networks as a long training would has not "
            f"been checked for this "
            "study. The command below trains a sample of them long and tells."
        )
    paragraphs += checks.damaged
    return Section(
        key="audit",
        title="Can the short training be believed?",
        paragraphs=tuple(paragraphs),
        tables=tuple(tables),
        pictures=tuple(drawing.picture() for drawing in drawings),
        commands=(study.command("audit {}"),),
    )


def _audit_table(audit: Audit) -> Table:
    from igcnas.results.audit.table import agreement, ceiling_note

    assert audit.result is not None
    scopes = [audit.result.scopes[ALL], audit.result.scopes[WITHIN]]
    return agreement(
        scopes,
        audit.result,
        lambda scope: scope.taus,
        ceilings=True,
        caption=f"{audit.folder.name}: Kendall's tau-b with the mean of the long trainings, with 95 % intervals",
        note=ceiling_note(audit.result),
    )
