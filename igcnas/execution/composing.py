"""Which convolutions in a row become one: those with nothing between them but permutations, where one is cheaper.

IGC V1 is a spatial group convolution, a permutation, and a pointwise one: one dense spatial convolution. That costs
fewer passes over memory and may cost more multiply-accumulates, which are what counts on a CPU. Of the ways to cut a
row into runs the one with the fewest is taken, that with fewer convolutions where they are the same. Only one of a run
may have a kernel or a stride: two cut the border twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TypeAlias

import torch
from torch import nn

from igcnas.modules.composition import after, dense_kernel
from igcnas.modules.layers.learned import MaskedConv
from igcnas.network.cost import layer_cost
from igcnas.network.primitives import Convolution, Gather, Permutation

Linear: TypeAlias = Convolution | Permutation | Gather


def first(row: tuple[Linear, ...]) -> tuple[Linear, ...]:
    """The run that begins a row, if it begins with a convolution and is one of several; else nothing.

    A row is linear layers in order. What follows the run is asked for again.
    """
    places = [place for place, layer in enumerate(row) if isinstance(layer, Convolution)]
    if len(places) < 2 or places[0] != 0:
        return ()
    # best[n]: multiply-accumulates, number of runs and length of the first run, for the last n convolutions.
    best = [(0, 0, 0)]
    for start in reversed(range(len(places))):
        ways = []
        for length in range(1, len(places) - start + 1):
            run = row[places[start] : places[start + length - 1] + 1]
            if length > 1 and _spatial(run) > 1:
                break
            alone = run[0]
            assert isinstance(alone, Convolution)
            rest = best[len(best) - length]
            layer = alone if length == 1 else composition(run)
            ways.append((layer_cost(layer).macs + rest[0], 1 + rest[1], length))
        best.append(min(ways))
    length = best[-1][2]
    return row[: places[length - 1] + 1] if length > 1 else ()


def composition(run: Sequence[Linear]) -> Convolution:
    """The one convolution that a run is equal to, as the plan would have it."""
    parts = [layer for layer in run if isinstance(layer, Convolution)]
    return Convolution(
        name="+".join(part.name for part in parts),
        in_channels=parts[0].in_channels,
        out_channels=parts[-1].out_channels,
        kernel=max(part.kernel for part in parts),
        stride=max(part.stride for part in parts),
        groups=1,
        in_size=parts[0].in_size,
    )


def kernel(run: Sequence[Linear], modules: Sequence[nn.Module]) -> torch.Tensor:
    """Its kernel (out, in, k, k), with the gradients of all parameters."""
    dtype = next(parameter.dtype for module in modules for parameter in module.parameters())
    kernels = (
        module.masked_weight() if isinstance(module, MaskedConv) else dense_kernel(module).to(dtype)
        for module in modules
    )
    return reduce(lambda before, behind: after(behind, before), kernels)


def _spatial(run: Sequence[Linear]) -> int:
    return sum(isinstance(layer, Convolution) and max(layer.kernel, layer.stride) > 1 for layer in run)
