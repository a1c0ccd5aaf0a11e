"""Who meets whom, counted: the number of paths from every input to every output channel of a stack of layers.

A path goes through one channel after each layer and only along weights that exist; all taps of a kernel are one path.
The count is what comes out for a one at one input channel if every weight is one: the product of the layers' 0/1
matrices, of shape (out, in). Complementary (IGC V1, V2): exactly one path for each pair; loosely complementary (IGC
V3): at least one. Norms, activations and pooling keep channels apart and change nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from igcnas.errors import ArchitectureError
from igcnas.network.primitives import (
    Concat,
    Convolution,
    Gated,
    Gather,
    Layer,
    Linear,
    PadShortcut,
    Permutation,
    Residual,
    Sequence,
    SplitConvolution,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

_NO_MASKS: Mapping[str, ArrayLike] = {}


def path_counts(
    layers: tuple[Layer, ...], in_channels: int, *, masks: Mapping[str, ArrayLike] = _NO_MASKS
) -> NDArray[np.int64]:
    """Integer matrix (out, in) of the paths through layers in order.

    `masks`: for each learned convolution, by its dotted path, a 0/1 matrix (out, in) of the weights that live; and for
    others of whose weights some are always zero.
    """
    import numpy as np

    return _through(layers, np.eye(in_channels, dtype=np.int64), masks, "")


def connections(layer: Convolution | SplitConvolution) -> NDArray[np.int64]:
    """0/1 matrix (out, in) of the weights of one convolution with fixed groups: blocks on the diagonal."""
    import numpy as np

    inputs, outputs = _partitions(layer)
    of_input = np.repeat(np.arange(len(inputs)), inputs)
    of_output = np.repeat(np.arange(len(outputs)), outputs)
    same: NDArray[np.int64] = np.equal.outer(of_output, of_input).astype(np.int64)
    return same


def _partitions(layer: Convolution | SplitConvolution) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Input and output channels of each group."""
    if isinstance(layer, SplitConvolution):
        return layer.in_groups, layer.out_groups
    sizes = layer.in_channels // layer.groups, layer.out_channels // layer.groups
    return (sizes[0],) * layer.groups, (sizes[1],) * layer.groups


def _through(
    layers: tuple[Layer, ...], counts: NDArray[np.int64], masks: Mapping[str, ArrayLike], prefix: str
) -> NDArray[np.int64]:
    for layer in layers:
        counts = _step(layer, counts, masks, f"{prefix}{layer.name}")
    return counts


def _step(layer: Layer, counts: NDArray[np.int64], masks: Mapping[str, ArrayLike], path: str) -> NDArray[np.int64]:
    """Paths (channels after the layer, in) from paths (channels before it, in)."""
    import numpy as np

    if isinstance(layer, Convolution) and (layer.learned is not None or path in masks):
        if path not in masks:
            raise ArchitectureError(f"layer {path} learns who meets whom: paths need its mask, an (out, in) matrix")
        mask = np.asarray(masks[path])
        if mask.shape != (layer.out_channels, layer.in_channels):
            raise ArchitectureError(
                f"the mask of layer {path} has shape {mask.shape}, not {(layer.out_channels, layer.in_channels)}"
            )
        # Floating point multiplies matrices much faster, and is exact for counts below 2^53.
        through: NDArray[np.int64] = ((mask != 0).astype(np.float64) @ counts).astype(np.int64)
        return through
    if isinstance(layer, Convolution | SplitConvolution):
        inputs, outputs = _partitions(layer)
        starts = np.cumsum((0, *inputs[:-1]))
        sums = [counts[start : start + size].sum(0) for start, size in zip(starts, inputs, strict=True)]
        return np.repeat(np.stack(sums), outputs, axis=0)
    if isinstance(layer, Permutation | Gather):
        moved: NDArray[np.int64] = counts[list(layer.indices)]
        return moved
    if isinstance(layer, Sequence | Gated):
        return _through(layer.layers, counts, masks, f"{path}.")
    if isinstance(layer, Residual):
        shortcut = _through(layer.shortcut.layers, counts, masks, f"{path}.shortcut.")
        return _through(layer.body.layers, counts, masks, f"{path}.body.") + shortcut
    if isinstance(layer, Concat):
        return np.concatenate((counts, _through(layer.body.layers, counts, masks, f"{path}.body.")))
    if isinstance(layer, PadShortcut):
        before = (layer.out_channels - layer.in_channels) // 2
        return np.pad(counts, ((before, layer.out_channels - layer.in_channels - before), (0, 0)))
    if isinstance(layer, Linear):
        return np.repeat(counts.sum(0, keepdims=True), layer.out_features, axis=0)
    return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class PathSummary:
    """What a matrix of path counts says: pairs (output, input), the fewest and most paths of one, pairs without."""

    pairs: int
    fewest: int
    most: int
    unconnected: int

    @property
    def condition(self) -> str:
        """'strict': one path for each pair; 'loose': one or more; 'incomplete': some pairs never meet."""
        if self.unconnected:
            return "incomplete"
        return "strict" if self.most == 1 else "loose"


def summarize(counts: NDArray[np.int64]) -> PathSummary:
    """The summary of a matrix (out, in) of path counts.

    >>> summarize(path_counts((Convolution("conv", 4, 4, 3, 1, 2, (1, 1)),), 4))
    PathSummary(pairs=16, fewest=0, most=1, unconnected=8)
    """
    return PathSummary(
        pairs=int(counts.size),
        fewest=int(counts.min()),
        most=int(counts.max()),
        unconnected=int((counts == 0).sum()),
    )


def blocks_to_meet(counts: NDArray[np.int64]) -> int | None:
    """How many such blocks in a row it takes until every pair is connected; None if they never are.

    Needs as many outputs as inputs. Shortcuts are not counted: they keep what has met, and add the identity.
    """
    import numpy as np

    once = (counts > 0).astype(np.float32)
    reached = once > 0
    seen: set[bytes] = set()
    number = 1
    while not reached.all():
        if reached.tobytes() in seen:
            return None
        seen.add(reached.tobytes())
        reached = once @ reached.astype(np.float32) > 0
        number += 1
    return number
