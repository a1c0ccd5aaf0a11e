"""A figure of a report before it is written anywhere: into the page, and as files for papers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from igcnas.drawing.figures import page_svg, svg_of, write
from igcnas.results.report.content import Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawing:
    """name: of its files, and before the ids of its parts. alt: what it shows, in words."""

    name: str
    caption: str
    alt: str
    figure: Figure

    @cached_property
    def svg(self) -> str:
        """The text of its SVG file, drawn once for the page and the file."""
        return svg_of(self.figure)

    def picture(self) -> Picture:
        """For the page."""
        return Picture(name=self.name, caption=self.caption, alt=self.alt, svg=page_svg(self.svg, prefix=self.name))

    def write(self, folder: Path) -> list[Path]:
        """name.png and name.svg in the folder; their paths."""
        return write(self.figure, self.svg, folder / f"{self.name}.png")
