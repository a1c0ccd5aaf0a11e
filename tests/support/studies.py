"""A network of one block."""

from __future__ import annotations

from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock
from igcnas.network.grouping import Dense, Interleaved


def network(grouping: Dense | Interleaved, width: int = 4) -> Architecture:
    stage = Stage(block=BasicBlock(grouping=grouping), width=width, repeats=1)
    return Architecture(family="igcv1", input_shape=(1, 8, 8), num_classes=10, stem_channels=width, stages=(stage,))
