"""The block skeletons. All networks of these papers are one of them with another answer to "who meets whom".

BasicBlock: spatial convolutions in sequence (ResNet, IGC V1, IGC V2). Bottleneck: reduce, convolve, restore (ResNet-50,
ResNeXt). InvertedResidual: expand, depthwise, project (MobileNetV2, IGC V3). DenseLayer: the output is appended
(CondenseNet). A block is frozen data with one reading, `layers`: what it consists of between given widths.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

from igcnas.network.blocks.basic import BasicBlock
from igcnas.network.blocks.bottleneck import Bottleneck
from igcnas.network.blocks.dense import DenseLayer
from igcnas.network.blocks.inverted import InvertedResidual
from igcnas.network.primitives import Layer, Size

Block: TypeAlias = BasicBlock | Bottleneck | InvertedResidual | DenseLayer
BLOCKS: tuple[type[Block], ...] = (BasicBlock, Bottleneck, InvertedResidual, DenseLayer)

__all__ = ["BLOCKS", "BasicBlock", "Block", "Bottleneck", "DenseLayer", "InvertedResidual", "block_layers"]


@lru_cache(maxsize=16384)
def block_layers(
    block: Block, in_channels: int, out_channels: int, stride: int, in_size: Size, activation: str
) -> tuple[Layer, ...]:
    """`block.layers`, remembered: the blocks of a stage are alike, and the width solver asks for them often."""
    return block.layers(in_channels, out_channels, stride, in_size, activation)
