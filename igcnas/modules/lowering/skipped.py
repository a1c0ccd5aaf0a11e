"""What plain convolutions skip because no head of a gated convolution behind them reads it.

What an average image computes was measured after training (igcnas/training/measuring.py) and stands in the trained
layer; a layer that was never measured counts what was planned.
"""

from __future__ import annotations

from typing import TypeVar

from torch import nn

from igcnas.modules.layers import MeasuredModule
from igcnas.network.plan import Plan
from igcnas.network.primitives import Concat, Convolution, Gated, Layer, Residual, Sequence
from igcnas.network.upstream import readers


def skipped_macs(network: Plan, module: nn.Module) -> dict[str, int]:
    """For each plain convolution, by its path, MACs that the average measured image skips, rounded down."""
    skipped: dict[str, int] = {}
    for reader in readers(network):
        gated = module.get_submodule(reader.path)
        if not isinstance(gated, MeasuredModule):
            continue
        images, _, read = gated.measurement()
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
