"""A block of any network, explained like those of the literature: named, with captions, and masks where it learned.

The block is the one that repeats: the second of its stage, whose stride is 1 and whose width stays; the only one where
there is no second. Its layers are those of the body; what passes them by is said in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from igcnas.drawing.explanation.base import Explanation, Mask
from igcnas.errors import ArchitectureError
from igcnas.network.architecture import Architecture
from igcnas.network.blocks import Block
from igcnas.network.cost import Cost, layer_cost
from igcnas.network.plan import Plan, plan
from igcnas.network.primitives import (
    Concat,
    Convolution,
    Gated,
    Layer,
    PadShortcut,
    Permutation,
    Pool,
    Primitive,
    Residual,
    Sequence,
    walk,
)
from igcnas.system.checks import require
from igcnas.units import counted

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def block_of(
    architecture: Architecture, *, stage: int = 0, masks: Mapping[str, ArrayLike] | None = None
) -> Explanation:
    """The repeating block of a stage, counted from 0.

    `masks`: for learned convolutions, by the dotted path of their module in the network, a matrix (out, in) with values
    from 0 to 1, what training has decided (`igcnas.drawing.learned.module_connections`). Without them it is not known
    who meets whom in these, and `Explanation.counts` raises ArchitectureError.
    """
    stages = len(architecture.stages)
    require(
        type(stage) is int and 0 <= stage < stages,
        f"stage {stage!r} is none of this network; its stages are 0 to {stages - 1}",
    )
    chosen = architecture.stages[stage]
    number = min(2, chosen.repeats)
    path = f"stage{stage + 1}.block{number}"
    tree = _find(plan(architecture), path)
    found, shortcut = _body(tree, path)
    layers = tuple(layer for _, layer in found)
    in_channels = _in_channels(layers)
    given = {layer.name: masks[path] for path, layer in found if masks is not None and path in masks}
    convolutions = {layer.name: layer for layer in layers if isinstance(layer, Convolution)}
    cost = _cost(tree)
    weights = sum(layer.kernel**2 * layer.connections for layer in convolutions.values())
    place = f"block {number} of {chosen.repeats} in stage {stage + 1} of {stages}"
    return Explanation(
        title=chosen.block.title(chosen.width),
        what=f"{place[0].upper()}{place[1:]}: {counted(in_channels, 'channel')} of {_size(layers)}.",
        layers=tuple(layer for layer in layers if not _unmoved(layer, chosen.block)),
        in_channels=in_channels,
        formulas=(
            f"{weights:,} weights per position",
            f"{cost.macs:,} MACs and {cost.params:,} parameters, shortcut and norms included",
        ),
        captions={name: words for name, layer in convolutions.items() if (words := chosen.block.caption(layer))},
        masks={name: _mask(convolutions[name], matrix) for name, matrix in given.items()},
        groups={name: _groups(convolutions[name], matrix) for name, matrix in given.items()},
        shortcut=shortcut,
    )


def _find(network: Plan, path: str) -> Sequence | Gated:
    """The block at a path."""
    found: Any = network.root
    for name in path.split("."):
        found = next(child for child in found.layers if child.name == name)
    assert isinstance(found, Sequence | Gated)
    return found


def _body(block: Sequence | Gated, path: str) -> tuple[list[tuple[str, Primitive]], str]:
    """The primitive layers between input and output with their paths, and what passes them by."""
    found: list[tuple[str, Primitive]] = []
    shortcut = ""
    for child in block.layers:
        where = f"{path}.{child.name}"
        if isinstance(child, Residual):
            found += walk(child.body, f"{where}.body")
            shortcut = _shortcut(child.shortcut)
        elif isinstance(child, Concat):
            found += walk(child.body, f"{where}.body")
            shortcut = "the input stays, the output is appended"
        elif isinstance(child, Sequence | Gated):
            found += walk(child, where)
        elif not shortcut:  # the activation behind a sum moves no channels
            found.append((where, child))
    return found, shortcut


def _shortcut(shortcut: Sequence) -> str:
    """What a residual adds, in words."""
    if not shortcut.layers:
        return "identity shortcut"
    if isinstance(shortcut.layers[0], PadShortcut):
        return "shortcut with zeros for new channels"
    groups = [layer.groups for layer in shortcut.layers if isinstance(layer, Convolution)]
    if len(groups) > 1:
        return "shortcut with 1x1 convolutions grouped alike"
    return "1x1 convolution on the shortcut" + (f", {groups[0]} groups" if groups[0] > 1 else "")


def _unmoved(layer: Layer, block: Block) -> bool:
    """A permutation that moves nothing, where a basic block's grouping places it, as in IGC V1."""
    grouping = getattr(block, "grouping", None)
    placed = grouping is not None and grouping.moves_channels
    return placed and isinstance(layer, Permutation) and layer.indices == tuple(range(layer.channels))


def _in_channels(layers: tuple[Primitive, ...]) -> int:
    first = layers[0]
    channels: int = first.in_channels if isinstance(first, Convolution) else getattr(first, "channels", 0)
    return channels


def _size(layers: tuple[Primitive, ...]) -> str:
    height, width = next(layer.in_size for layer in layers if isinstance(layer, Convolution | Pool))
    return f"{height}x{width}"


def _cost(layer: Layer) -> Cost:
    costs = [layer_cost(primitive) for _, primitive in walk(layer)]
    return Cost(sum(cost.macs for cost in costs), sum(cost.params for cost in costs))


def _mask(layer: Convolution, matrix: ArrayLike) -> Mask:
    """1 where a weight lives for some image at least."""
    import numpy as np

    values = np.asarray(matrix)
    if values.shape != (layer.out_channels, layer.in_channels):
        raise ArchitectureError(
            f"the mask of {layer.name} has shape {values.shape}, not {(layer.out_channels, layer.in_channels)}"
        )
    return tuple(map(tuple, (values > 0).astype(int).tolist()))


def _groups(layer: Convolution, matrix: ArrayLike) -> tuple[tuple[int, ...] | None, tuple[int, ...]]:
    """The group of each input, None where one serves several groups; and of each filter: its head, or filters alike."""
    import numpy as np

    values = np.asarray(matrix) > 0
    heads = layer.learned.heads_of(layer.out_channels) if layer.learned is not None else None
    if heads is not None:
        return None, heads
    known: dict[bytes, int] = {}
    filters = [known.setdefault(row.tobytes(), len(known)) for row in values]
    readers = [{filters[o] for o in np.flatnonzero(column)} for column in values.T]
    if any(len(names) > 1 for names in readers):
        return None, tuple(filters)
    unread = len(known)  # inputs that nobody reads are a group, too
    return tuple(min(one) if one else unread for one in readers), tuple(filters)
