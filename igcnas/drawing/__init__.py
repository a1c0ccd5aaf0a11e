"""Pictures of who meets whom, and of whole networks. compute_*: to what is drawn, which tests check; then to a picture.

A block is drawn from left to right: a column of boxes, one for each channel, after every layer that mixes or moves
channels. Colours say where something comes from: every input has the colour of its partition in the first group
convolution, and a box has a stripe for each colour that has reached it. So a missing stripe is a pair that never meets.

One renderer: `block_scene`, `network_scene`, `matrices_scene` and `counts_scene` lay out numbers as a scene (scene.py),
and that becomes SVG (svg.py) or, for PNG and PDF, a matplotlib figure (canvas.py). Of many channels a few are drawn.
"""

from igcnas.moved import lending

__getattr__ = lending(
    __name__, {"block_svg": "igcnas.drawing.thumbnails", "connection_figure": "igcnas.drawing.matrices"}
)
