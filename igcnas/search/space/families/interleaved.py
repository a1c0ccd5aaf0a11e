"""Families of interleaved group convolutions on basic blocks: IGC V1, IGC V2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from igcnas.errors import SpaceError
from igcnas.network.blocks import BasicBlock, Block
from igcnas.network.grouping import Interleaved, SparseProduct
from igcnas.search.space.families.base import FROM_ONE, RESIDUAL, YES_OR_NO, Axes, BlockFamily, Meaning, Values, grow


@dataclass(frozen=True, slots=True, kw_only=True)
class InterleavedFamily(BlockFamily):
    """IGC V1. scale is L of the first stage, M is in the first stage, and M = 1 is the Xception block.

    `grows`: whether M or L carries the growth of the width. `learned`: training chooses the secondary partitions.
    """

    meanings: ClassVar[Mapping[str, Meaning]] = {
        "M": Meaning("channels of a primary partition, a group of the 3x3 convolution, in the first stage", FROM_ONE),
        "grows": Meaning("whether M or L, the number of primary partitions, grows from stage to stage", "M, L"),
        "residual": RESIDUAL,
        "learned": Meaning("whether training chooses the secondary partitions, the groups of the 1x1", YES_OR_NO),
    }
    name: str = "igcv1"
    M: tuple[int, ...] = (1, 2, 3, 4, 8)
    grows: tuple[str, ...] = ("M", "L")
    residual: tuple[bool, ...] = (True, False)
    learned: tuple[bool, ...] = (False,)
    activation: str = "relu"

    def __post_init__(self) -> None:
        if not set(self.grows) <= {"M", "L"}:
            raise SpaceError(f"grows of family {self.name!r} offers M, L or both, not {self.grows}")

    def axes(self) -> Axes:
        """M, what grows, shortcut, fixed or learned."""
        return {"M": self.M, "grows": self.grows, "residual": self.residual, "learned": self.learned}

    def unit(self, values: Values) -> int:
        """C = L * M."""
        return int(values["M"])

    def stage(self, values: Values, scale: float, factor: float) -> tuple[Block, int]:
        """Block and width of a stage."""
        L, M = (
            (grow(scale, 1.0), grow(values["M"], factor))
            if values["grows"] == "M"
            else (grow(scale, factor), values["M"])
        )
        # The same network must have the same id: one secondary partition leaves nothing to learn, and where the width
        # stays nothing is widened.
        widen = "secondary" if values["grows"] == "L" and factor != 1.0 else "primary"
        grouping = Interleaved(L=L, M=M, learned=values["learned"] and M > 1, widen=widen)
        return BasicBlock(grouping=grouping, residual=values["residual"]), L * M


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductFamily(BlockFamily):
    """IGC V2: a depthwise kernel and `kernels` pointwise ones, all but the last with branches of K channels.

    scale is the branch size of the last kernel, so that the width is the product of all, and one path joins each pair
    (strict complementary condition). The last kernel widens.
    """

    meanings: ClassVar[Mapping[str, Meaning]] = {
        "K": Meaning("channels of a branch, a group of a 1x1 convolution, in all of them but the last", FROM_ONE),
        "kernels": Meaning("1x1 convolutions behind the depthwise 3x3", FROM_ONE),
        "residual": RESIDUAL,
    }
    name: str = "igcv2"
    K: tuple[int, ...] = (2, 3, 4, 8)
    kernels: tuple[int, ...] = (2, 3)
    residual: tuple[bool, ...] = (True, False)
    activation: str = "relu"

    def axes(self) -> Axes:
        """Branch size, number of pointwise kernels, shortcut."""
        return {"K": self.K, "kernels": self.kernels, "residual": self.residual}

    def unit(self, values: Values) -> int:
        """The product of all branch sizes but the last."""
        return int(values["K"] ** (values["kernels"] - 1))

    def stage(self, values: Values, scale: float, factor: float) -> tuple[Block, int]:
        """Block and width of a stage."""
        last = max(2, grow(scale, factor))  # a branch of one channel would be a scale, not a kernel
        branches = (1, *[values["K"]] * (values["kernels"] - 1), last)
        block = BasicBlock(grouping=SparseProduct(K=branches, widen="last"), residual=values["residual"])
        return block, self.unit(values) * last
