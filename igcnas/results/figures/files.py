"""A figure as files for papers, PNG and SVG, and as SVG inside a page. Equal figures give equal bytes.

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
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from igcnas.drawing.style import own_style
from igcnas.system import harmless
from igcnas.system.files import write_text, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# 'DejaVu Sans' comes with matplotlib, which sets the text with it; Verdana is as wide.
_FONTS = ("DejaVu Sans", "Verdana")
_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_INK = "var(--igc-ink, currentColor)"
_COLOURS = {
    "#ffffff": "var(--igc-paper, #ffffff)",
    "#000000": _INK,
    **{grey: f"var(--igc-quiet, {grey})" for grey in ("#555555", "#666666", "#777777", "#888888", "#999999")},
    **{grey: f"var(--igc-line, {grey})" for grey in ("#cccccc", "#dddddd", "#eeeeee")},
}
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_COLOUR = re.compile("|".join(_COLOURS))


def new_figure(width: float, height: float, *, constrained: bool = True) -> Figure:
    """An empty figure of so many inches that needs no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150, layout="constrained" if constrained else None)
    FigureCanvasAgg(figure)
    return figure


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
    buffer = io.BytesIO()
    with _reproducible():
        harmless.figure(figure).savefig(buffer, format="png")
    return buffer.getvalue()


def svg_of(figure: Figure) -> str:
    """The figure as the text of an SVG file."""
    buffer = io.StringIO()
    with _reproducible():
        harmless.figure(figure).savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


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
