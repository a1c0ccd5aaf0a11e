"""A figure of a report before it is written anywhere: into the page, and as files for papers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from igcnas.figures import inline_svg, save
from igcnas.report.content import Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawing:
    """name: of its files, and before the ids of its parts. alt: what it shows, in words."""

    name: str
    caption: str
    alt: str
    figure: Figure

    def picture(self) -> Picture:
        """For the page."""
        return Picture(
            name=self.name, caption=self.caption, alt=self.alt, svg=inline_svg(self.figure, prefix=self.name)
        )

    def write(self, folder: Path) -> list[Path]:
        """name.png and name.svg in the folder; their paths."""
        return save(self.figure, folder / f"{self.name}.png")
