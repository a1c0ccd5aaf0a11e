"""The block skeletons. All networks of these papers are one of them with another answer to "who meets whom".

BasicBlock: spatial convolutions in sequence (ResNet, IGC V1, IGC V2). Bottleneck: reduce, convolve, restore (ResNet-50,
ResNeXt). InvertedResidual: expand, depthwise, project (MobileNetV2, IGC V3). DenseLayer: the output is appended
(CondenseNet). A block is frozen data with one reading, `layers`: what it consists of between given widths.
To add one: a module here, its class in BLOCKS; from another package, an entry point of the group igcnas.blocks.
"""

from __future__ import annotations

from functools import lru_cache

from igcnas.network.blocks.base import Block
from igcnas.network.blocks.basic import BasicBlock
from igcnas.network.blocks.bottleneck import Bottleneck
from igcnas.network.blocks.dense import DenseLayer
from igcnas.network.blocks.inverted import InvertedResidual
from igcnas.network.kinds import Kinds
from igcnas.network.primitives import Layer, Size
from igcnas.system import additions

BLOCKS: tuple[type[Block], ...] = (BasicBlock, Bottleneck, InvertedResidual, DenseLayer)
KINDS: Kinds[Block] = Kinds(additions.BLOCKS, Block, BLOCKS)

__all__ = ["BLOCKS", "KINDS", "BasicBlock", "Block", "Bottleneck", "DenseLayer", "InvertedResidual", "block_layers"]


@lru_cache(maxsize=16384)
def block_layers(
    block: Block, in_channels: int, out_channels: int, stride: int, in_size: Size, activation: str
) -> tuple[Layer, ...]:
    """`block.layers`, remembered: the blocks of a stage are alike, and the width solver asks for them often."""
    return block.layers(in_channels, out_channels, stride, in_size, activation)
