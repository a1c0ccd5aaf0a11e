"""A scene as SVG: small, without ids, so that hundreds stand in one page, and with the ink of the page around it.

Within a page, colour n of the palette is the custom property --igc-n where the page sets it, as for a dark theme.
"""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape, quoteattr

from igcnas.drawing.palette import colours
from igcnas.drawing.scene import Dots, Item, Lines, Raster, Rects, Scene, Text

_QUIET = 0.66  # opacity of what explains
_NAMED = {colour: f"var(--igc-{number},{colour})" for number, colour in enumerate(colours(7), start=1)}


def scene_svg(scene: Scene, *, alone: bool = False) -> str:
    """The SVG element; `alone`: as a file of its own, with ink and paper."""
    size = f'width="{_n(scene.width)}" height="{_n(scene.height)}" '
    style = ' style="color:#222;background:#fff"' if alone else ' style="max-width:100%;height:auto"'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(scene.width)} {_n(scene.height)}" {size}'
        f'role="img" aria-label={quoteattr(_clean(scene.title))} font-family="DejaVu Sans,Verdana,sans-serif" '
        f'fill="currentColor"{style}>'
    )
    words = f"<title>{_text(scene.title)}</title><desc>{_text(scene.description)}</desc>"
    tints = {} if alone else _NAMED
    return head + words + "".join(_runs(scene.items, tints)) + "</svg>"


def _runs(items: tuple[Item, ...], tints: Mapping[str, str]) -> Iterator[str]:
    """The items; texts of one look that follow each other share it."""
    for look, run in itertools.groupby(items, _look):
        texts = "".join(_item(item, tints) for item in run)
        yield f"<g{look}>{texts}</g>" if look else texts


def _look(item: Item) -> str:
    """Attributes of a text but its place; '' for other items."""
    if not isinstance(item, Text):
        return ""
    anchor = "" if item.anchor == "start" else f' text-anchor="{item.anchor}"'
    bold = ' font-weight="bold"' if item.bold else ""
    quiet = f' fill-opacity="{_QUIET}"' if item.quiet else ""
    colour = "" if item.colour is None else f' fill="{item.colour}"'
    return f' font-size="{_n(item.size)}"{anchor}{bold}{quiet}{colour}'


def _item(item: Item, tints: Mapping[str, str]) -> str:
    if isinstance(item, Rects):
        return _rects(item, tints)
    if isinstance(item, Lines):
        return _lines(item, tints)
    if isinstance(item, Dots):
        path = "".join(f"M{_n(x)} {_n(y)}h0" for x, y in item.centres)
        return f'<path d="{path}" stroke="currentColor" stroke-width="{_n(2 * item.radius)}" stroke-linecap="round"/>'
    if isinstance(item, Raster):
        return _raster(item)
    return f'<text x="{_n(item.x)}" y="{_n(item.y)}">{_text(item.text)}</text>'


def _rects(item: Rects, tints: Mapping[str, str]) -> str:
    look = "" if item.fill is None else f' fill="{tints.get(item.fill, item.fill)}"'
    if item.opacity != 1.0:
        look += f' fill-opacity="{_n(item.opacity)}"'
    if item.outline:
        look += f' stroke="currentColor" stroke-width="{_n(item.outline)}"'
    if item.radius:
        return "".join(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(w)}" height="{_n(h)}" rx="{_n(item.radius)}"{look}/>'
            for x, y, w, h in item.boxes
        )
    path = "".join(f"M{_n(x)} {_n(y)}h{_n(w)}v{_n(h)}h{_n(-w)}z" for x, y, w, h in item.boxes)
    return f'<path d="{path}"{look}/>'


def _lines(item: Lines, tints: Mapping[str, str]) -> str:
    parts = []
    for x0, y0, x1, y1 in item.ends:
        if item.bent and y0 != y1:
            half, wide, down = _n((x1 - x0) / 2), _n(x1 - x0), _n(y1 - y0)
            parts.append(f"M{_n(x0)} {_n(y0)}c{half} 0 {half} {down} {wide} {down}")
        elif y0 == y1:
            parts.append(f"M{_n(x0)} {_n(y0)}h{_n(x1 - x0)}")
        else:
            parts.append(f"M{_n(x0)} {_n(y0)}l{_n(x1 - x0)} {_n(y1 - y0)}")
    colour = "currentColor" if item.colour is None else tints.get(item.colour, item.colour)
    look = f' stroke="{colour}" stroke-width="{_n(item.width)}"'
    if item.opacity != 1.0:
        look += f' stroke-opacity="{_n(item.opacity)}"'
    if item.dashed:
        look += ' stroke-dasharray="3 3"'
    return f'<path d="{"".join(parts)}" fill="none"{look}/>'


def _raster(item: Raster) -> str:
    """As a PNG of one pixel for each cell."""
    from PIL import Image

    image = Image.frombytes("P", (len(item.rows[0]), len(item.rows)), b"".join(item.rows))
    image.putpalette([int(colour[i : i + 2], 16) for colour in item.colours for i in (1, 3, 5)])
    content = io.BytesIO()
    image.save(content, format="png", optimize=True)
    return (
        f'<image x="{_n(item.x)}" y="{_n(item.y)}" width="{_n(item.width)}" height="{_n(item.height)}" '
        f'preserveAspectRatio="none" style="image-rendering:pixelated" '
        f'href="data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"/>'
    )


def _n(value: float) -> str:
    """A number with at most one digit behind the point, two where it is small."""
    digits = 2 if abs(value) < 1.5 else 1
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".") if value else "0"
    return "0" if text in ("-0", "") else text


def _clean(text: str) -> str:
    """Without characters that XML cannot hold."""
    return "".join(c for c in text if c in "\t\n\r" or (c >= " " and not "\ud800" <= c <= "\udfff" and c < "\ufffe"))


def _text(text: str) -> str:
    return escape(_clean(text))
