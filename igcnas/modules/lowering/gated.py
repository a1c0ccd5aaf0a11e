"""Convolutions of which each image chooses the input channels: no mask can be frozen, so they stay, without training.

What an average image computes was measured after training (igcnas/training/measuring.py) and stands in the trained
layer; a layer that was never measured counts what was planned.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

from igcnas.errors import ExportError
from igcnas.modules.layers import DynamicConv, MultiSpectralConv
from igcnas.modules.lowering.replacement import Replacement
from igcnas.network.grouping import DynamicChannels, MultiSpectral
from igcnas.network.plan import Plan
from igcnas.network.primitives import Concat, Convolution, Gated, GatedConvolution, Layer, Residual, Sequence
from igcnas.network.upstream import positions, readers


def lower_msgc(conv: Convolution, module: nn.Module, _names: set[str]) -> Replacement:
    """The same weights and generators in a layer without noise; its MACs are the mean over the measured images."""
    if not isinstance(module, MultiSpectralConv):
        raise _wrong(conv, module)
    images, pairs, _ = module.get_buffer("measured").tolist()
    macs = -(-pairs * positions(conv) // images) if images else conv.connections * positions(conv)
    return _replacement(conv, module, macs)


def lower_dgc(conv: Convolution, module: nn.Module, _names: set[str]) -> Replacement:
    """The same weights and generators with the final number of channels; every image costs the same."""
    if not isinstance(module, DynamicConv):
        raise _wrong(conv, module)
    return _replacement(conv, module, conv.connections * positions(conv))


def skipped_macs(network: Plan, module: nn.Module) -> dict[str, int]:
    """For each plain convolution, by its path, MACs that the average measured image skips, rounded down."""
    skipped: dict[str, int] = {}
    for reader in readers(network):
        gated = module.get_submodule(reader.path)
        if not isinstance(gated, MultiSpectralConv):
            continue
        images, _, read = gated.get_buffer("measured").tolist()
        for source in reader.sources:
            if images and isinstance(source.layer, Convolution) and source.layer.learned is None:
                unread = images * source.layer.out_channels - read
                skipped[source.path] = unread * source.macs_per_output // images
    return skipped


_Row = TypeVar("_Row", bound=Sequence | Gated)


def with_skipped(sequence: _Row, skipped: dict[str, int], path: str = "") -> _Row:
    """The same tree, with what the plain convolutions skip."""
    if not skipped:
        return sequence
    prefix = f"{path}." if path else ""
    children: list[Layer] = []
    for child in sequence.layers:
        where = prefix + child.name
        if isinstance(child, Sequence | Gated):
            child = with_skipped(child, skipped, where)
        elif isinstance(child, Residual | Concat):
            child = child._replace(body=with_skipped(child.body, skipped, f"{where}.body"))
        elif isinstance(child, Convolution) and where in skipped:
            child = child._replace(skipped_macs=skipped[where])
        children.append(child)
    return sequence._replace(layers=tuple(children))  # type: ignore[return-value]


def _replacement(conv: Convolution, module: nn.Module, macs: int) -> Replacement:
    assert isinstance(conv.learned, MultiSpectral | DynamicChannels)
    lowered = GatedConvolution(
        conv.name,
        conv.in_channels,
        conv.out_channels,
        conv.kernel,
        conv.stride,
        conv.in_size,
        conv.learned,
        conv.context_channels,
        macs,
    )
    tensors: dict[str, torch.Tensor] = {
        f"{conv.name}.{name}": tensor.detach() for name, tensor in module.state_dict().items() if name != "measured"
    }
    return Replacement((lowered,), tensors, {})


def _wrong(conv: Convolution, module: nn.Module) -> ExportError:
    return ExportError(f"layer {conv.name} is a {type(module).__name__}, not one with gates; build it from its plan")
