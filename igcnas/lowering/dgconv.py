"""Groupable convolution: the mask of Kronecker gates is one group convolution between two gathers, for any kernel."""

from __future__ import annotations

from torch import nn

from igcnas.errors import ExportError
from igcnas.layers import GroupableConv
from igcnas.lowering.flgc import lower_groups
from igcnas.lowering.replacement import Replacement
from igcnas.primitives import Convolution


def lower_dgconv(conv: Convolution, module: nn.Module, names: set[str]) -> Replacement:
    """Bits of the gates that are off come first, which makes groups contiguous; both gathers vanish if they do so."""
    if not isinstance(module, GroupableConv):
        raise ExportError(
            f"layer {conv.name} is a {type(module).__name__}, not a groupable convolution; build it from its plan"
        )
    groups = module.groups()
    return lower_groups(conv, module.weight.detach(), groups, groups, names)
