"""Retrainings on the test split in words, with their tables and pictures."""

from __future__ import annotations

from collections.abc import Sequence

from igcnas.results.report.content import Section
from igcnas.results.report.figure import Drawing
from igcnas.results.report.numbers.checks import Checks
from igcnas.results.report.sections.summary import export_sentence
from igcnas.results.table import Table
from igcnas.search.records import Tested
from igcnas.search.study import Study
from igcnas.units import counted


def retraining_drawings(study: Study, checks: Checks) -> list[Drawing]:
    """The figure of every retraining that has an accuracy."""
    from igcnas.results.retraining.figure import accuracies_figure

    drawings = []
    for one in checks.retrainings:
        if one.tests is not None:
            best = one.tests.rows[0]
            drawings.append(
                Drawing(
                    name=one.folder.name,
                    caption="Test accuracy of each seed, mean and 95 % interval of each network.",
                    alt=f"{counted(len(one.tests.rows), 'network')} by test accuracy; the highest mean is "
                    f"{best.mean:.2f} %, of "
                    f"{best.finalist.name}.",
                    figure=accuracies_figure(one.tests, one.settings, title=study.name),
                )
            )
    return drawings


def retraining_section(study: Study, checks: Checks, drawings: Sequence[Drawing], exports: Sequence[Tested]) -> Section:
    """What exports measured; every retraining with its tests, and what a reader must know to judge them."""
    from igcnas.results.retraining.report import COMPARED, NETWORKS, families, notes

    paragraphs = [sentence for sentence in [export_sentence(exports)] if sentence]
    tables: list[Table] = []
    for one in checks.retrainings:
        name = one.folder.name
        if one.done < one.planned:
            paragraphs.append(f"{name} is under way: {one.done} of {counted(one.planned, 'training')} are done.")
        if one.tests is None:
            continue
        paragraphs += notes(one.tests, one.settings)
        tables.append(
            Table.of(
                NETWORKS,
                one.tests.rows,
                caption=f"{name}: from scratch, on the test split",
                note="sd and interval over seeds; search %: mean validation accuracy in the search.",
            )
        )
        for title, family in families(one.tests):
            tables.append(Table.of(COMPARED, family, caption=f"{name}: {title[0].lower()}{title[1:]}"))
    if not checks.retrainings:
        paragraphs.append(
            "The finalists have not been trained again from scratch and tested: accuracies of the search are on the "
            "validation images that chose the networks. The command below trains them and the baselines with "
            "several seeds, and reads the test split once for each."
        )
    return Section(
        key="retraining",
        title="On the test split",
        paragraphs=tuple(paragraphs),
        tables=tuple(tables),
        pictures=tuple(drawing.picture() for drawing in drawings),
        commands=(study.command("retrain {}"),),
    )
