"""Pictures of who meets whom, and of whole networks. compute_*: to what is drawn, which tests check; then to a picture.

A block is drawn from left to right: a column of boxes, one for each channel, after every layer that mixes or moves
channels. Colours say where something comes from: every input has the colour of its partition in the first group
convolution, and a box has a stripe for each colour that has reached it. So a missing stripe is a pair that never meets.

Two looks: `save_block` draws one block of few channels with all of its paths, by matplotlib. `block_svg` and
`network_svg` are small pictures for pages with many of them: a scene (scene.py) that becomes SVG (svg.py) or, for PNG
and PDF, a matplotlib figure (canvas.py); of many channels a few are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from igcnas.drawing.block import draw_block, save_block
from igcnas.drawing.canvas import FORMATS, save_scene, scene_figure
from igcnas.drawing.connections import Connections, assigned, connection_figure, masked
from igcnas.drawing.explanation import block_of
from igcnas.drawing.layout import block_scene
from igcnas.drawing.matrices import matrices_scene
from igcnas.drawing.network import NetworkPicture, compute_network
from igcnas.drawing.network_layout import network_scene
from igcnas.drawing.picture import BlockPicture, compute_block
from igcnas.drawing.scene import Scene, stacked
from igcnas.drawing.sketch import BlockSketch, compute_sketch
from igcnas.drawing.svg import scene_svg
from igcnas.network.architecture import Architecture

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = [
    "FORMATS",
    "BlockPicture",
    "BlockSketch",
    "Connections",
    "NetworkPicture",
    "Scene",
    "assigned",
    "block_scene",
    "block_svg",
    "compute_block",
    "compute_network",
    "compute_sketch",
    "connection_figure",
    "draw_block",
    "masked",
    "matrices_scene",
    "network_scene",
    "network_svg",
    "save_block",
    "save_scene",
    "scene_figure",
    "scene_svg",
    "stacked",
]


def block_svg(architecture: Architecture, *, stage: int = 0, masks: Mapping[str, ArrayLike] | None = None) -> str:
    """The repeating block of a stage, counted from 0, as one SVG element of a few kB; `masks` as for `block_of`."""
    return scene_svg(block_scene(compute_sketch(block_of(architecture, stage=stage, masks=masks))))


def network_svg(architecture: Architecture) -> str:
    """A whole network as a strip, as one SVG element of a few kB."""
    return scene_svg(network_scene(compute_network(architecture)))
