"""The report of a study: what it found and how far that can be believed, on one page that needs nothing else.

content: what a report says, as plain data. numbers: its parts as numbers. sections: the same in words, tables and
pictures; composing puts them in order. words: how numbers are said. figure: its pictures. page: all of it as HTML.
"""

from __future__ import annotations

from pathlib import Path

from igcnas.results.report.content import Axis, NetworkFacts, Picture, Report, Section
from igcnas.results.table import Table

__all__ = ["Axis", "NetworkFacts", "Picture", "Report", "Section", "Table", "compose"]


def compose(folder: Path) -> Report:
    """The report of the study in this folder. Raises StudyError where nothing was trained yet."""
    from igcnas.results.report.composing import composition
    from igcnas.search.study import Study

    return composition(Study.read(folder)).report
