"""What the papers call a block and its convolutions, for any skeleton with any grouping."""

from __future__ import annotations

from igcnas.network.blocks import BasicBlock, Block, Bottleneck, DenseLayer, InvertedResidual
from igcnas.network.grouping import (
    Condensing,
    Dense,
    DynamicChannels,
    Group,
    Grouping,
    Interleaved,
    KroneckerGrouping,
    LearnedGrouping,
    MultiSpectral,
    SparseProduct,
)
from igcnas.network.primitives import Convolution
from igcnas.units import counted

_PARTS = {
    "reduce": "reduction",
    "spatial": "spatial",
    "restore": "restoration",
    "expand": "expansion",
    "depthwise": "depthwise",
    "project": "projection",
}
_GATED = (MultiSpectral, DynamicChannels)


def block_title(block: Block, in_channels: int, width: int) -> str:
    """The name of a block with its papers' parameters; in_channels and width are those of the block that is shown."""
    if isinstance(block, BasicBlock):
        return _basic_title(block)
    if isinstance(block, Bottleneck):
        if isinstance(block.spatial, Group) and block.spatial.groups > 1:
            name = f"ResNeXt block, cardinality {block.spatial.groups}"
        else:
            name = f"Bottleneck block, {_named(block.spatial)}"
        return f"{name}, {block.mid} channels in the middle"
    if isinstance(block, InvertedResidual):
        return _inverted_title(block)
    name = {Dense: "DenseNet layer", Condensing: "CondenseNet layer"}.get(type(block.reduce), "Dense layer")
    words = "" if isinstance(block.reduce, Dense) else f", {_named(block.reduce)}"
    return f"{name}, growth {width}{words}"


def _basic_title(block: BasicBlock) -> str:
    grouping = block.grouping
    kinds = {Interleaved: "IGC V1 block", SparseProduct: "IGC V2 block"}
    plain = "Basic block" if block.residual else "Plain unit"
    second = "" if block.second is None or block.second == grouping else f"; second {_named(block.second)}"
    return f"{kinds.get(type(grouping), plain)}, {_named(grouping)}{second}"


def _inverted_title(block: InvertedResidual) -> str:
    t = f"t = {block.expansion}" if not block.hidden else f"{block.hidden} hidden channels"
    pair = block.expand, block.project
    if all(isinstance(grouping, Dense) for grouping in pair):
        return f"MobileNetV2 block, {t}"
    if all(isinstance(grouping, Group) for grouping in pair):
        assert isinstance(block.expand, Group)
        assert isinstance(block.project, Group)
        return f"IGC V3 block, {t}, G1 = {block.expand.groups}, G2 = {block.project.groups}"
    if block.expand == block.project:
        return f"Inverted residual, {t}, {_named(block.expand)} twice"
    return f"Inverted residual, {t}; expansion {_named(block.expand)}; projection {_named(block.project)}"


def _named(grouping: Grouping) -> str:
    """A grouping as it stands in a title."""
    if isinstance(grouping, Dense):
        return "dense"
    if isinstance(grouping, Group):
        return f"G = {grouping.groups}"
    if isinstance(grouping, Interleaved):
        return f"L = {grouping.L}, M = {grouping.M}" + (", learned" if grouping.learned else "")
    if isinstance(grouping, SparseProduct):
        return f"K = {'x'.join(map(str, grouping.K))}"
    if isinstance(grouping, LearnedGrouping):
        return f"FLGC G = {grouping.groups}"
    if isinstance(grouping, KroneckerGrouping):
        return f"DGConv G = {grouping.groups}"
    if isinstance(grouping, Condensing):
        return f"C = {grouping.factor}" + ("" if grouping.groups == grouping.factor else f", G = {grouping.groups}")
    if isinstance(grouping, _GATED):
        kind = "MSGC" if isinstance(grouping, MultiSpectral) else "DGC"
        return f"{kind} {counted(grouping.heads, 'head')}, keep {grouping.keep:g}"
    return grouping.label()


def caption(block: Block, layer: Convolution) -> str:
    """What the papers call one convolution of a block, as 'role: partitions'; either may be missing."""
    part, _, detail = layer.name.partition("_")
    grouping = _grouping_of(block, part)
    role = "" if isinstance(block, BasicBlock) else _PARTS.get(part, "")
    words = "depthwise" if part == "depthwise" else _partitions(grouping, layer, detail, part)
    if isinstance(block, BasicBlock) or words == role:
        return words
    return f"{role}: {words.replace(': ', ', ')}" if words else role


def _grouping_of(block: Block, part: str) -> Grouping | None:
    """The grouping that made the convolutions whose names start with this word."""
    if isinstance(block, BasicBlock):
        return block.second if part == "conv2" and block.second is not None else block.grouping
    if isinstance(block, DenseLayer | Bottleneck):
        found: Grouping | None = getattr(block, part, None)
        return found
    return {"expand": block.expand, "project": block.project}.get(part)


def _partitions(grouping: Grouping | None, layer: Convolution, detail: str, part: str) -> str:
    """The partitions of one convolution in the letters of its paper, counted on the layer itself."""
    inputs, outputs = layer.in_channels // layer.groups, layer.out_channels // layer.groups
    size = f"{inputs}" if inputs == outputs else f"{inputs} -> {outputs}"
    if layer.learned is not None:
        return layer.learned.caption(layer.in_channels)
    if isinstance(grouping, Interleaved):
        count, each = ("L", "M") if detail == "primary" else ("M", "L")
        letters = {"L": grouping.L, "M": grouping.M}
        named = f"{count} = " if letters[count] == layer.groups else ""
        sized = f"{each} = " if letters[each] == inputs == outputs else ""
        return f"{detail}: {named}{counted(layer.groups, 'partition')} of {sized}{size}"
    if isinstance(grouping, SparseProduct):
        number = int(detail.removeprefix("kernel"))
        branch = grouping.K[number - 1]
        named = f"K{number} = {branch}" if inputs == outputs == branch else f"kernel {number}"
        return f"{named}: {counted(layer.groups, 'branch', 'branches')}" + ("" if inputs == outputs else f" of {size}")
    if layer.groups == 1:
        return ""  # its heading says that it is dense
    letter = {"expand": "G1", "project": "G2"}.get(part, "G")
    return f"{letter} = {counted(layer.groups, 'partition')}"
