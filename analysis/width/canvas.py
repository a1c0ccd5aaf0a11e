"""What the figures share: colours that everybody can tell apart, plain axes, and files for pages and for papers."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from igcnas.drawing.canvas import small_png
from igcnas.drawing.style import own_style
from igcnas.system.files import write_whole

# Okabe and Ito.
BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9"
INK, QUIET, CLOUD = "#222222", "#666666", "#A3B2BD"


def plain(ax: Axes) -> None:
    """No frame above and on the right, a light grid behind."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(visible=True, which="major", color="#E6E6E6", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(labelsize=9)


def save(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """name.png, of 256 colours (a third of the size, and it looks the same), and name.svg with text as text."""

    png, svg = folder / f"{name}.png", folder / f"{name}.svg"
    write_whole(png, small_png(figure, 130))
    drawn = io.BytesIO()
    with own_style({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    write_whole(svg, drawn.getvalue())
    return png, svg
