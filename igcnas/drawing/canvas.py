"""A scene as a matplotlib figure, for PNG and PDF: the same rectangles, lines, dots and text as in the SVG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from igcnas.drawing.figures import new_figure, pdf_of, small_png_of
from igcnas.drawing.palette import INK, QUIET
from igcnas.drawing.scene import Dots, Lines, Raster, Rects, Scene, Text
from igcnas.drawing.style import own_style
from igcnas.drawing.svg import scene_svg
from igcnas.system.files import write_text, write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".svg", ".png", ".pdf")
_DPI = 96  # a pixel of a scene is one 96th of an inch, as in CSS
_POINT = 72 / _DPI


def save_scene(path: Path, scene: Scene) -> None:
    """Write the picture; the format is that of the path's suffix. PNG has twice the pixels, in 256 colours."""
    suffix = path.suffix.lower()
    if suffix == ".svg":
        write_text(path, scene_svg(scene, alone=True) + "\n")
        return
    figure = scene_figure(scene)
    write_whole(path, small_png_of(figure, dpi=2 * _DPI) if suffix == ".png" else pdf_of(figure))


@own_style()
def scene_figure(scene: Scene) -> Figure:
    """The figure, one pixel of the scene to a 96th of an inch."""
    figure = new_figure(scene.width / _DPI, scene.height / _DPI, dpi=_DPI, constrained=False)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, scene.width)
    axes.set_ylim(scene.height, 0)
    axes.set_axis_off()
    for order, item in enumerate(scene.items):
        if isinstance(item, Rects):
            _rects(axes, item, order)
        elif isinstance(item, Lines):
            _lines(axes, item, order)
        elif isinstance(item, Dots):
            _dots(axes, item, order)
        elif isinstance(item, Raster):
            _raster(axes, item, order)
        else:
            _text(axes, item, order)
    return figure


def _rects(axes: Axes, item: Rects, order: int) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.colors import to_rgba
    from matplotlib.patches import FancyBboxPatch, Rectangle

    patches = [
        FancyBboxPatch((x, y), w, h, boxstyle=f"round,pad=0,rounding_size={min(item.radius, w / 2, h / 2)}")
        if item.radius
        else Rectangle((x, y), w, h)
        for x, y, w, h in item.boxes
    ]
    face = to_rgba(item.fill or INK, item.opacity) if item.fill != "none" else "none"
    edge = INK if item.outline else "none"
    look = {"facecolor": face, "edgecolor": edge, "linewidth": item.outline * _POINT}
    axes.add_collection(PatchCollection(patches, zorder=order, **look))  # type: ignore[arg-type]


def _lines(axes: Axes, item: Lines, order: int) -> None:
    from matplotlib.collections import PathCollection
    from matplotlib.path import Path as Curve

    paths = []
    for x0, y0, x1, y1 in item.ends:
        if item.bent and y0 != y1:
            middle = (x0 + x1) / 2
            points = [(x0, y0), (middle, y0), (middle, y1), (x1, y1)]
            paths.append(Curve(points, [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4]))
        else:
            paths.append(Curve([(x0, y0), (x1, y1)]))
    style = (0, (3, 3)) if item.dashed else "solid"
    axes.add_collection(
        PathCollection(
            paths,
            facecolors="none",
            edgecolors=item.colour or INK,
            linewidths=item.width * _POINT,
            linestyles=[style],
            alpha=item.opacity,
            zorder=order,
        )
    )


def _dots(axes: Axes, item: Dots, order: int) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Circle

    circles = [Circle(centre, item.radius) for centre in item.centres]
    axes.add_collection(PatchCollection(circles, facecolor=INK, edgecolor="none", zorder=order))


def _raster(axes: Axes, item: Raster, order: int) -> None:
    import numpy as np
    from matplotlib.colors import to_rgb

    cells = np.frombuffer(b"".join(item.rows), dtype=np.uint8).reshape(len(item.rows), -1)
    image = np.array([to_rgb(colour) for colour in item.colours])[cells]
    extent = (item.x, item.x + item.width, item.y + item.height, item.y)
    axes.imshow(image, extent=extent, aspect="auto", interpolation="nearest", zorder=order)


def _text(axes: Axes, item: Text, order: int) -> None:
    axes.text(
        item.x,
        item.y,
        item.text.replace("$", r"\$"),
        fontsize=item.size * _POINT,
        ha={"start": "left", "middle": "center", "end": "right"}[item.anchor],
        va="baseline",
        fontweight="bold" if item.bold else "normal",
        color=item.colour or (QUIET if item.quiet else INK),
        zorder=order,
    )
