"""What the figures share: plain axes, and files for pages and for papers."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from igcnas.drawing.figures import grid, small_png_of, svg_of
from igcnas.system.files import write_text, write_whole

CLOUD = "#A3B2BD"


def plain(ax: Axes) -> None:
    """No frame above and on the right, a light grid behind."""
    ax.spines[["top", "right"]].set_visible(False)
    grid(ax)
    ax.tick_params(labelsize=9)


def save(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """name.png, of 256 colours (a third of the size, and it looks the same), and name.svg with text as text."""

    png, svg = folder / f"{name}.png", folder / f"{name}.svg"
    write_whole(png, small_png_of(figure, dpi=130))
    write_text(svg, svg_of(figure))
    return png, svg
