"""Pictures of who meets whom. compute_*: a block or a mask to what is drawn, which tests check; then to a figure.

A block is drawn from left to right: a column of boxes, one for each channel, after every layer that mixes or moves
channels. Colours say where something comes from: every input has the colour of its partition in the first group
convolution, and a box has a stripe for each colour that has reached it. So a missing stripe is a pair that never meets.
"""

from igcnas.drawing.block import draw_block, save_block
from igcnas.drawing.connections import Connections, assigned, connection_figure, masked
from igcnas.drawing.picture import BlockPicture, compute_block

__all__ = [
    "BlockPicture",
    "Connections",
    "assigned",
    "compute_block",
    "connection_figure",
    "draw_block",
    "masked",
    "save_block",
]
