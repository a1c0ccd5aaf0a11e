"""Torch modules that torch does not have: one file each. LEARNED says which module trains which kind of grouping."""

import pkgutil

from torch import nn

from igcnas.errors import AdditionError
from igcnas.modules.layers.condensing import CondensingLinear, LearnedGroupConv
from igcnas.modules.layers.dgc import DynamicConv
from igcnas.modules.layers.dgconv import GroupableConv
from igcnas.modules.layers.flgc import FullyLearnableGroupConv
from igcnas.modules.layers.gated import GatedConv, SalientConv, gated_arguments
from igcnas.modules.layers.layout import ChannelGather, ContextSequential, PaddedShortcut, PixelAverage
from igcnas.modules.layers.learned import GatedModule, LearnedModule, MaskedConv, MeasuredModule, Side, grouping_of
from igcnas.modules.layers.msgc import MultiSpectralConv
from igcnas.modules.layers.simple import (
    Add,
    AppendChannels,
    GatedSequential,
    GatherChannels,
    GlobalAveragePool,
    NormalizeInput,
    PadChannels,
    SplitConv,
)
from igcnas.network.grouping import Condensing, DynamicChannels, KroneckerGrouping, LearnedGrouping, MultiSpectral
from igcnas.network.learned import Learned
from igcnas.network.primitives import GatedConvolution

LEARNED: dict[str, type[LearnedModule]] = {
    LearnedGrouping.kind: FullyLearnableGroupConv,
    MultiSpectral.kind: MultiSpectralConv,
    DynamicChannels.kind: DynamicConv,
    KroneckerGrouping.kind: GroupableConv,
    Condensing.kind: LearnedGroupConv,
}


def learned_class(grouping: Learned) -> type[LearnedModule]:
    """The class that trains a kind of grouping; AdditionError where a kind of another package has none."""
    if grouping.kind in LEARNED:
        return LEARNED[grouping.kind]
    try:
        found = pkgutil.resolve_name(grouping.torch_module)
    except Exception as error:  # the code of others raises anything when it is imported
        reason = " ".join(str(error).split())
        raise AdditionError(
            f"the torch module {grouping.torch_module!r} of grouping {grouping.kind!r} cannot be loaded "
            f"({type(error).__name__}: {reason}); {type(grouping).__name__} must name it as torch_module = "
            "'package.module:Class'"
        ) from error
    if not (isinstance(found, type) and issubclass(found, LearnedModule)):
        raise AdditionError(
            f"{grouping.torch_module} of grouping {grouping.kind!r} is no igcnas.modules.layers.LearnedModule; derive "
            "it from that, or from MaskedConv"
        )
    LEARNED[grouping.kind] = found
    return found


def gated_class(layer: GatedConvolution) -> type[nn.Module]:
    """The class of what stays of a layer of which each image chooses the inputs."""
    found = learned_class(layer.grouping).frozen
    if found is None:
        raise AdditionError(f"grouping {layer.grouping.kind!r} does not say what stays after training: set `frozen`")
    return found


__all__ = [
    "LEARNED",
    "Add",
    "AppendChannels",
    "ChannelGather",
    "CondensingLinear",
    "ContextSequential",
    "DynamicConv",
    "FullyLearnableGroupConv",
    "GatedConv",
    "GatedModule",
    "GatedSequential",
    "GatherChannels",
    "GlobalAveragePool",
    "GroupableConv",
    "LearnedGroupConv",
    "LearnedModule",
    "MaskedConv",
    "MeasuredModule",
    "MultiSpectralConv",
    "NormalizeInput",
    "PadChannels",
    "PaddedShortcut",
    "PixelAverage",
    "SalientConv",
    "Side",
    "SplitConv",
    "gated_arguments",
    "gated_class",
    "grouping_of",
    "learned_class",
]
