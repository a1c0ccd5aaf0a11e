"""What a lowered network computes, free of where its channels lie: the form in which it is folded.

Gathers and permutations are no nodes: whoever reads a value says which of its channels it means (View), and a
convolution is a list of blocks, each with its own inputs and filters. Tensors are float64, so that what is multiplied
in folding is rounded once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

import torch

from igcnas.network.flow import Operation, Shape
from igcnas.network.primitives import Convolution, GatedConvolution, Linear, SplitConvolution

Kind: TypeAlias = Literal["mix", "channelwise", "fixed", "select", "sum", "append"]
Indices: TypeAlias = tuple[int, ...]


class View(NamedTuple):
    """A value read in some order: channel j of what is read is channel indices[j] of the value."""

    value: int
    indices: Indices

    @property
    def permutes(self) -> bool:
        """Whether no channel is repeated; none is dropped where it is as long as its value is wide."""
        return len(set(self.indices)) == len(self.indices)


class Block(NamedTuple):
    """Filters that read the same inputs; weight (filters, inputs, kernel, kernel)."""

    inputs: Indices
    filters: Indices
    weight: torch.Tensor


@dataclass(slots=True, kw_only=True)
class Node:
    """One step.

    Attributes:
        kind: 'mix': a convolution or linear layer of `blocks`; 'channelwise': each channel by itself, tensors in the
            order of the channels that it writes; 'fixed': takes and gives its channels in one order; 'select': a gather
            that no layer absorbs; 'sum'; 'append'.
        path: of the layer in the plan; a select stands at the place of the gather, or at the end of a branch.
        layer: as it was in the plan.
        reads, makes: the values.
        writes: channel j of the layer's own output is channel writes[j] of the value that it makes.
        shape: of its own output.
        blocks: of a mix.
        tensors: by their names below the path, without the weight of a mix.
    """

    kind: Kind
    path: str
    layer: Operation
    reads: list[View]
    makes: int
    writes: Indices
    shape: Shape
    blocks: list[Block] = field(default_factory=list)
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)

    @property
    def kernel(self) -> int:
        """Of a mix."""
        return self.layer.kernel if isinstance(self.layer, Convolution) else 1

    @property
    def splits(self) -> bool:
        """Whether its blocks may differ in size: a 1x1 convolution without stride."""
        if isinstance(self.layer, Convolution):
            return (self.layer.kernel, self.layer.stride) == (1, 1)
        return isinstance(self.layer, SplitConvolution)

    @property
    def whole(self) -> bool:
        """Whether it is one block."""
        return len(self.blocks) == 1 or isinstance(self.layer, Linear)


@dataclass(slots=True, kw_only=True)
class Graph:
    """Nodes in the order of execution. Value 0 is the image; widths: channels of each value; result: the logits."""

    nodes: list[Node]
    widths: list[int]
    result: View


def equal(blocks: list[Block]) -> bool:
    """Whether all blocks have as many inputs, and as many filters: one group convolution."""
    return len({(len(block.inputs), len(block.filters)) for block in blocks}) <= 1


def absorbs(node: Node) -> bool:
    """Whether it is a gated convolution whose weights and generators can be written for inputs in any order.

    Those of DGC choose the first of equally salient channels, and stay as they are.
    """
    return isinstance(node.layer, GatedConvolution) and "mask_generator.0.weight" in node.tensors
