"""CondenseNet on CIFAR and ImageNet, and the dense skeleton that gated networks share with it.

Huang, Liu, van der Maaten, Weinberger, "CondenseNet: An Efficient DenseNet using Learned Group Convolutions", CVPR 2018
(arXiv:1711.09224).
"""

from __future__ import annotations

from collections.abc import Callable

from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import DenseLayer
from igcnas.network.grouping import Condensing, Group
from igcnas.network.literature.common import Images, fit_strides, images, numbers, require_choice
from igcnas.system.bounds import BLOCKS
from igcnas.system.checks import require, require_positive

# Layers of each stage, and growth of each stage.
SHAPES = {"cifar": ("14-14-14", "8-16-32"), "imagenet": ("4-6-8-10-8", "8-16-32-64-128")}
CLASSIFIERS = {"condensed": 2, "full": 1}


def condensenet(
    *,
    stages: str | None = None,
    growth: str | None = None,
    C: int = 4,
    G: int = 4,
    classifier: str = "condensed",
    dataset: str = "cifar",
    classes: int | None = None,
    size: int | None = None,
    channels: int = 3,
) -> Architecture:
    """CondenseNet, Huang et al., CVPR 2018: dense layers whose 1x1 convolutions drop inputs while they train.

    CondenseNet-86 on CIFAR and -74 on ImageNet by default. The counts are those after training (converted); igcnas
    count also gives the parameters while it trains.
    stages: layers of each stage, as in 14-14-14; auto: those, or 4-6-8-10-8 on ImageNet
    growth: channels that a layer of each stage appends; auto: 8-16-32, or 8-16-32-64-128 on ImageNet
    C: condensation factor; a group keeps one C-th of its inputs
    G: groups of the 1x1 and of the 3x3 convolutions
    classifier: condensed keeps half of its inputs, as the converted networks; full, as the authors count before that
    """
    require_positive(C=C, G=G)
    require_choice(classifier=(classifier, tuple(CLASSIFIERS)))
    target = images(dataset, size=size, channels=channels, classes=classes)
    block = DenseLayer(reduce=Condensing(groups=G, factor=C), spatial=Group(groups=G))
    layers, rates = shape(stages, growth, dataset)
    return dense(
        "condensenet", lambda _: block, layers, rates, dataset=dataset, target=target, condense=CLASSIFIERS[classifier]
    )


def shape(stages: str | None, growth: str | None, dataset: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Layers and growth of each stage, those of the data set where they are not given."""
    layers = numbers(stages or SHAPES[dataset][0], name="stages", example="14-14-14")
    rates = numbers(growth or SHAPES[dataset][1], name="growth", example="8-16-32")
    require(sum(layers) <= BLOCKS, f"{sum(layers):,} layers are more than {BLOCKS:,}")
    require(
        len(layers) == len(rates), f"stages and growth must be as many, but are {len(layers)} and {len(rates)} numbers"
    )
    return layers, rates


def dense(
    family: str,
    block: Callable[[int], DenseLayer],
    layers: tuple[int, ...],
    growth: tuple[int, ...],
    *,
    dataset: str,
    target: Images,
    condense: int = 1,
) -> Architecture:
    """The skeleton of CondenseNet; `block` gives the layer for its number of input channels.

    A stem of twice the first growth, no transition convolutions, an average pooling in front of each further stage.
    """
    stem_stride, *strides = fit_strides((2 if dataset == "imagenet" else 1, 1, *[2] * (len(layers) - 1)), target.size)
    width = 2 * growth[0]
    stages: list[Stage] = []
    for count, rate, first_stride in zip(layers, growth, strides, strict=True):
        blocks = [block(width + number * rate) for number in range(count)]
        stride, start = first_stride, 0
        for number in range(1, count + 1):
            if number == count or blocks[number] != blocks[start]:
                stages.append(Stage(block=blocks[start], width=rate, repeats=number - start, stride=stride))
                stride, start = 1, number
        width += count * rate
    return Architecture(
        family=family,
        input_shape=target.shape,
        num_classes=target.classes,
        stem_channels=2 * growth[0],
        stem_stride=stem_stride,
        stages=tuple(stages),
        preactivation=True,
        condense_classifier=condense,
    )
