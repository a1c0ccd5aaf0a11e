"""The report of a study: what it found and how far that can be believed, on one page that needs nothing else.

content: what a report says, as plain data, for whoever shows it (`page`). study: the study, read once. verdict,
networks, known, chance, matters, trust, history, spending, provenance: its parts as numbers; `numbers` holds all.
summary, audits, retrainings and *_section: the same in words, tables and pictures; `composing` puts them in order. gap:
the difference of two networks. words: how numbers are said.
"""

from __future__ import annotations

from pathlib import Path

from igcnas.results.report.content import Axis, NetworkFacts, Picture, Report, Section, Table

__all__ = ["Axis", "NetworkFacts", "Picture", "Report", "Section", "Table", "compose"]


def compose(folder: Path) -> Report:
    """The report of the study in this folder. Raises StudyError where nothing was trained yet."""
    from igcnas.results.report.composing import composition
    from igcnas.search.study import Study

    return composition(Study.read(folder)).report
