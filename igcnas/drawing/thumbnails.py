"""Small pictures for pages with many of them: a block of an architecture, or a whole network, as SVG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from igcnas.drawing.explanation import block_of
from igcnas.drawing.layout import block_scene
from igcnas.drawing.network import compute_network
from igcnas.drawing.network_layout import network_scene
from igcnas.drawing.sketch import compute_sketch
from igcnas.drawing.svg import scene_svg
from igcnas.network.architecture import Architecture

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def block_svg(architecture: Architecture, *, stage: int = 0, masks: Mapping[str, ArrayLike] | None = None) -> str:
    """The repeating block of a stage, counted from 0, as one SVG element of a few kB; `masks` as for `block_of`."""
    return scene_svg(block_scene(compute_sketch(block_of(architecture, stage=stage, masks=masks))))


def network_svg(architecture: Architecture) -> str:
    """A whole network as a strip, as one SVG element of a few kB."""
    return scene_svg(network_scene(compute_network(architecture)))
