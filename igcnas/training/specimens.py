"""Two small networks that together have every layer and every kind of grouping that can be trained, and a recipe.

What a captured step is tried on (proof.py). The schedules of groupings move within a few steps, so that what the host
changes between steps is different at each of them.
"""

from __future__ import annotations

import dataclasses

from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock, Bottleneck, DenseLayer, InvertedResidual
from igcnas.network.grouping import (
    DENSE,
    Condensing,
    DynamicChannels,
    Group,
    Interleaved,
    KroneckerGrouping,
    LearnedGrouping,
    MultiSpectral,
    SparseProduct,
)
from igcnas.network.grouping.rules import GroupingRules
from igcnas.training.recipes import ChannelDropout, Recipe, short_recipe
from igcnas.training.settings import TrainingSettings

CLASSES = 10
SHAPE = (3, 16, 16)

FIXED = Architecture(
    family="fixed groups",
    input_shape=SHAPE,
    num_classes=CLASSES,
    stem_channels=16,
    stem_pool=True,
    head_channels=32,
    activation="relu6",
    stages=(
        Stage(block=BasicBlock(grouping=Interleaved(L=8, M=2)), width=16, repeats=1),
        Stage(
            block=InvertedResidual(expansion=2, expand=Group(groups=2), project=Group(groups=2)), width=16, repeats=1
        ),
        Stage(block=BasicBlock(grouping=SparseProduct(K=(4, 4)), shortcut="pad"), width=32, repeats=1, stride=2),
        Stage(block=Bottleneck(mid=16, spatial=Group(groups=4)), width=32, repeats=1),
    ),
)
LEARNED = Architecture(
    family="learned groups",
    input_shape=SHAPE,
    num_classes=CLASSES,
    stem_channels=16,
    stem_stride=2,
    condense_classifier=2,
    stages=(
        Stage(
            block=BasicBlock(grouping=KroneckerGrouping(groups=4, balanced=False), second=KroneckerGrouping(groups=4)),
            width=16,
            repeats=1,
        ),
        Stage(
            block=InvertedResidual(
                expansion=2,
                expand=LearnedGrouping(groups=2),
                project=LearnedGrouping(groups=2, balanced=False, nonempty=True),
            ),
            width=16,
            repeats=1,
        ),
        Stage(
            block=BasicBlock(
                grouping=MultiSpectral(heads=1, keep=0.5, attention=True), second=MultiSpectral(heads=4, keep=0.5)
            ),
            width=16,
            repeats=1,
        ),
        Stage(
            block=Bottleneck(mid=16, reduce=DENSE, spatial=DynamicChannels(heads=4, keep=0.5, normalize=True)),
            width=16,
            repeats=1,
        ),
        Stage(
            block=DenseLayer(
                reduce=Condensing(groups=4, factor=4), spatial=DynamicChannels(heads=4, keep=0.5, ties="dropped")
            ),
            width=8,
            repeats=1,
            stride=2,
        ),
    ),
)

_RULES = GroupingRules(
    temperature_end=0.1,
    group_lasso=1e-4,
    noise_end=0.0,
    # Gates so small that the first step decides them would let rounding decide.
    gate_scale=0.5,
    hinge_weight=1.0,
    ratio_exponent=0.5,
    saliency_weight=1e-2,
    dgc_from=0.1,
)
RECIPE: Recipe = dataclasses.replace(
    short_recipe(TrainingSettings(epochs=1, batch_size=16, learning_rate=0.1, grouping=_RULES)),
    dropout=0.1,
    channel_dropout=ChannelDropout(share=0.1, at=("map",)),
)
