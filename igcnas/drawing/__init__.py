"""Pictures of who meets whom, and of whole networks. compute_*: to what is drawn, which tests check; then to a picture.

A block is drawn from left to right: a column of boxes, one for each channel, after every layer that mixes or moves
channels. Colours say where something comes from: every input has the colour of its partition in the first group
convolution, and a box has a stripe for each colour that has reached it. So a missing stripe is a pair that never meets.

Two looks: `save_block` draws one block of few channels with all of its paths, by matplotlib. `block_svg` and
`network_svg` are small pictures for pages with many of them: a scene (scene.py) that becomes SVG (svg.py) or, for PNG
and PDF, a matplotlib figure (canvas.py); of many channels a few are drawn.
"""

from igcnas.moved import lending

__getattr__ = lending(
    __name__, {"block_svg": "igcnas.drawing.thumbnails", "connection_figure": "igcnas.drawing.connections"}
)
