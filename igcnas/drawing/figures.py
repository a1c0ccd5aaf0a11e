"""Figures of matplotlib: made, given grids and error bars, and written. Equal figures give equal bytes.

As files for papers, PNG and SVG, and as SVG inside a page.

Text stays text, in a family that every system has or replaces (sans-serif): it can be searched, copied and restyled.
The SVG for a page has no prologue; its ids begin with a prefix, so that many stand in one page; and black, white and
greys are custom properties of CSS with the drawn colour as fallback: --igc-ink (else the colour of the text around),
--igc-paper, --igc-quiet (words beside the point) and --igc-line (grids).
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from xml.etree import ElementTree

import numpy as np

from igcnas.drawing.palette import GREY, LINE, PALE, QUIET
from igcnas.drawing.style import own_style
from igcnas.system import harmless
from igcnas.system.files import write_text, write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

# 'DejaVu Sans' comes with matplotlib, which sets the text with it; Verdana is as wide.
_FONTS = ("DejaVu Sans", "Verdana")
_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_INK = "var(--igc-ink, currentColor)"
_COLOURS = {
    "#ffffff": "var(--igc-paper, #ffffff)",
    "#000000": _INK,
    **{grey: f"var(--igc-quiet, {grey})" for grey in (QUIET, GREY)},
    **{grey: f"var(--igc-line, {grey})" for grey in (LINE, PALE)},
}
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_COLOUR = re.compile("|".join(_COLOURS))


def new_figure(width: float, height: float, *, dpi: float = 150, constrained: bool = True) -> Figure:
    """An empty figure of so many inches that needs no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=dpi, layout="constrained" if constrained else None)
    FigureCanvasAgg(figure)
    return figure


def grid(axes: Axes, *, axis: Literal["both", "x", "y"] = "both", minor: bool = False) -> None:
    """Light lines behind all else."""
    axes.grid(True, which="both" if minor else "major", axis=axis, lw=0.3, c=LINE)
    axes.set_axisbelow(True)


def error_bars(
    axes: Axes,
    places: ArrayLike,
    lows: ArrayLike,
    highs: ArrayLike,
    *,
    across: bool = False,
    colour: str = "black",
    width: float = 0.8,
    cap: float = 2.0,
    order: float = 3.0,
) -> None:
    """A line from low to high at each place; `across`: from left to right. cap: half of the strokes at its ends.

    What is not finite has no bar.
    """
    every = np.array(np.broadcast_arrays(*np.atleast_1d(places, lows, highs)), dtype=float)
    at, low, high = every[:, np.isfinite(every).all(axis=0)]
    lengths = np.stack([np.zeros_like(low), high - low])
    look: Any = {"fmt": "none", "ecolor": colour, "elinewidth": width, "capsize": cap, "zorder": order}
    if across:
        axes.errorbar(low, at, xerr=lengths, **look)
    else:
        axes.errorbar(at, low, yerr=lengths, **look)


def save(figure: Figure, path: Path) -> list[Path]:
    """Write path as PNG and, beside it, as SVG; the paths of both."""
    return write(figure, svg_of(figure), path)


def write(figure: Figure, svg: str, path: Path) -> list[Path]:
    """The same where the SVG is made already: drawing one takes long."""
    vector = path.with_suffix(".svg")
    write_whole(path, png_of(figure))
    write_text(vector, svg)
    return [path, vector]


def png_of(figure: Figure) -> bytes:
    """The figure as the content of a PNG file."""
    return _drawn(figure, "png")


def small_png_of(figure: Figure, *, dpi: float) -> bytes:
    """The same in 256 colours: a third of the size, and it looks the same."""
    from PIL import Image

    small = io.BytesIO()
    whole = Image.open(io.BytesIO(_drawn(figure, "png", dpi=dpi))).convert("RGB")
    whole.quantize(256, dither=Image.Dither.NONE).save(small, format="png", dpi=(dpi, dpi), optimize=True)
    return small.getvalue()


def pdf_of(figure: Figure) -> bytes:
    """The figure as the content of a PDF file."""
    return _drawn(figure, "pdf")


def svg_of(figure: Figure) -> str:
    """The figure as the text of an SVG file."""
    return _drawn(figure, "svg", metadata={"Date": None}).decode("utf-8")


def _drawn(figure: Figure, kind: str, **options: Any) -> bytes:
    content = io.BytesIO()
    with _reproducible():
        harmless.figure(figure).savefig(content, format=kind, **options)
    return content.getvalue()


def page_svg(text: str, *, prefix: str) -> str:
    """The text of such a file as an element of a page; ids begin with the prefix."""
    root = ElementTree.fromstring(text)
    for parent in root.iter():
        for child in list(parent):
            # One rule of matplotlib's, for all of the page it would stand in; it is said at the root instead.
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{_SVG}}}")
        for name, value in list(element.attrib.items()):
            del element.attrib[name]
            element.set(name.removeprefix(f"{{{_LINK}}}"), _attribute(name, value, prefix))
    root.set("xmlns", _SVG)
    root.set("style", f"fill: {_INK}; stroke-linejoin: round; stroke-linecap: butt")
    return ElementTree.tostring(root, encoding="unicode")


def _attribute(name: str, value: str, prefix: str) -> str:
    if name == "id":
        return f"{prefix}-{value}"
    if name.endswith("href") and value.startswith("#"):
        return f"#{prefix}-{value[1:]}"
    value = _REFERENCE.sub(lambda found: f"url(#{prefix}-{found[1]})", value)
    return _COLOUR.sub(lambda found: _COLOURS[found[0]], value)


@contextmanager
def _reproducible() -> Iterator[None]:
    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "igcnas",
        "font.family": "sans-serif",
        "font.sans-serif": list(_FONTS),
    }
    with own_style(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # names in scripts that the font lacks
        yield
