"""MobileNetV2 in the variants that papers compare with, and with learned groups.

Sandler, Howard, Zhu, Zhmoginov, Chen, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018
(arXiv:1801.04381). Wang, Kan, Shan, Chen, "Fully Learnable Group Convolution", CVPR 2019 (arXiv:1904.00346).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import InvertedResidual
from igcnas.network.grouping import Dense, Group, Grouping, LearnedGrouping
from igcnas.network.literature.common import fit_strides, images, require_choice, require_width, scale
from igcnas.system.checks import require, require_positive

# (expansion, width, repeats) of Sandler et al., table 2.
TABLE = ((1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1))
REPEATS = tuple(row[2] for row in TABLE)
# Stride of the stem, then of the stages, by the factor between image and last map.
STRIDES = {
    4: (1, 1, 1, 2, 2, 1, 1, 1),
    8: (1, 1, 1, 2, 2, 1, 2, 1),
    16: (2, 1, 1, 2, 2, 1, 2, 1),
    32: (2, 1, 2, 2, 2, 1, 2, 1),
}
MSGC_CIFAR = (1, 1, 1, 2, 1, 2, 1, 1)
HEADS = ("scaled", "wider", "fixed")
ROUNDINGS = ("down", "nearest", "eight")
FLGC_ROUNDINGS = ("eight", "groups")


def mobilenetv2(
    *,
    width: float = 1.0,
    shortcut: str = "projection",
    always_expand: bool = True,
    activation: str = "relu6",
    head: str = "scaled",
    rounding: str = "down",
    downsampling: int | None = None,
    msgc_strides: bool = False,
    classifier_bias: bool = True,
    dataset: str = "cifar",
    classes: int | None = None,
    size: int | None = None,
    channels: int = 3,
) -> Architecture:
    """MobileNetV2, Sandler et al., CVPR 2018; the defaults are those of pytorch-cifar by kuangliu.

    torchvision's: dataset=imagenet shortcut=identity always_expand=false head=wider rounding=eight.
    width: multiplier of the widths
    shortcut: identity, as in the paper, or projection, also where stride is 1 and the width changes (CIFAR ports)
    always_expand: the first block, of expansion 1, has its 1x1 expansion; the paper's has none
    activation: relu6 or relu
    head: 1280 channels scaled with the width, scaled only where that makes them wider (as in the paper), or fixed
    rounding: of scaled widths: down (CIFAR ports), nearest (the MXNet port by liangfu), or eight, to a multiple of
        eight (torchvision)
    downsampling: image size over last map, 4, 8, 16 or 32; auto: 8 on CIFAR, 32 on ImageNet, less on small images
    msgc_strides: the strides of the MSGC authors' CIFAR network, of downsampling 4
    classifier_bias: the linear layer has a bias; pytorchcv's has none
    """
    require_width(width)
    require_choice(head=(head, HEADS), rounding=(rounding, ROUNDINGS), shortcut=(shortcut, ("identity", "projection")))

    def block(expansion: int, hidden: int = 0) -> InvertedResidual:
        return InvertedResidual(
            expansion=expansion, expand=Dense(), project=Dense(), always_expand=always_expand, shortcut=shortcut
        )

    return inverted(
        "mobilenetv2",
        block,
        REPEATS,
        widths=tuple(_round(channels, width, rounding) for channels in (32, *(row[1] for row in TABLE))),
        head={"scaled": scale(1280, width), "wider": scale(1280, max(width, 1.0)), "fixed": 1280}[head],
        activation=activation,
        downsampling=downsampling,
        strides=MSGC_CIFAR if msgc_strides else None,
        classifier_bias=classifier_bias,
        dataset=dataset,
        classes=classes,
        size=size,
        channels=channels,
    )


def flgc_mobilenetv2(
    *,
    groups: int = 8,
    width: float = 1.0,
    learned: bool = True,
    balanced: bool | None = None,
    multiple: int = 0,
    rounding: str = "eight",
    dataset: str = "cifar",
    classes: int | None = None,
    size: int | None = None,
    channels: int = 3,
) -> Architecture:
    """MobileNetV2 whose 17 projections are fully learnable group convolutions, Wang et al., CVPR 2019.

    The rest is dense. The defaults are those of the public code: no expansion in the first block, projected shortcuts,
    free groups, widths in multiples of eight. Its gradient, only to the chosen group, is the recipe flgc-cifar-masked.
    groups: groups of each projection
    width: multiplier of the widths
    learned: true; false: standard group convolutions in place of learned ones, the public code's other network
    balanced: false: groups of any size, as published; their count is the expected one (each weight stays with
        probability 1 / groups). true: groups of equal size, so that the MACs are exact before training. auto: false,
        true where multiple is given
    multiple: where balanced groups cannot be equal, they are nearly so, in whole multiples of this number; 1 is as
        equal as can be, 0 refuses such widths
    rounding: of scaled widths: eight, to a multiple of eight, with a head of 1280 channels that only grows; groups,
        down to a multiple of the groups (of 1 where these are free), with a head scaled as the rest
    """
    require_positive(groups=groups)
    require_width(width)
    require_choice(rounding=(rounding, FLGC_ROUNDINGS))
    require(
        learned or not (balanced or multiple),
        "balanced and multiple are for learned groups; leave them out with learned=false",
    )
    equal = bool(multiple) if balanced is None else balanced
    project: Grouping = Group(groups=groups)
    if learned:
        project = LearnedGrouping(groups=groups, balanced=equal, multiple=multiple)

    def block(expansion: int, hidden: int = 0) -> InvertedResidual:
        return InvertedResidual(
            expansion=expansion, expand=Dense(), project=project, always_expand=False, shortcut="projection"
        )

    def scaled(channels: int) -> int:
        if rounding == "eight":
            return _round(channels, width, "eight")
        return scale(channels, width, 1 if learned and (multiple or not equal) else groups)

    return inverted(
        "flgc-mobilenetv2",
        block,
        REPEATS,
        widths=tuple(map(scaled, (32, *(row[1] for row in TABLE)))),
        head=_round(1280, max(width, 1.0), "eight") if rounding == "eight" else scale(1280, width),
        dataset=dataset,
        classes=classes,
        size=size,
        channels=channels,
    )


def inverted(
    family: str,
    block: Callable[[int, int], InvertedResidual],
    repeats: tuple[int, ...],
    *,
    widths: tuple[int, ...],
    head: int,
    expanded: tuple[int, ...] = (),
    bare_starts: bool = False,
    activation: str = "relu6",
    downsampling: int | None = None,
    strides: tuple[int, ...] | None = None,
    classifier_bias: bool = True,
    dataset: str,
    classes: int | None,
    size: int | None,
    channels: int,
) -> Architecture:
    """The skeleton of MobileNetV2 and IGC V3, from `block(expansion, hidden)` and the widths of stem and stages.

    `expanded`: where given, the width that the first block of a stage multiplies, for code that multiplies another than
    its input's. `bare_starts`: the first block of a stage has no identity, even where its width is that of its input.
    Strides that are asked for are kept; else they are fitted to small images.
    """
    target = images(dataset, size=size, channels=channels, classes=classes)
    require(
        downsampling is None or downsampling in STRIDES,
        f"downsampling must be one of {tuple(STRIDES)}, but is {downsampling}",
    )
    require(
        strides is None or (downsampling is None and dataset == "cifar"),
        "msgc_strides=true is for dataset=cifar and has a downsampling of 4; leave downsampling out, or msgc_strides",
    )
    chosen = strides or STRIDES[downsampling or (32 if dataset == "imagenet" else 8)]
    if downsampling is None:
        chosen = fit_strides(chosen, target.size)
    stages: list[Stage] = []
    for number, ((expansion, _, _), count, stride) in enumerate(zip(TABLE, repeats, chosen[1:], strict=True)):
        usual = block(expansion, 0)
        rest = Stage(block=usual, width=widths[number + 1], repeats=count, stride=stride)
        hidden = expansion * expanded[number] if expanded else 0
        first = usual if hidden in (0, expansion * widths[number]) else block(expansion, hidden)
        if bare_starts and stride == 1 and widths[number] == rest.width:
            first = dataclasses.replace(first, shortcut="none")
        if first == usual:
            stages.append(rest)
            continue
        stages.append(Stage(block=first, width=rest.width, repeats=1, stride=stride))
        if count > 1:
            stages.append(Stage(block=usual, width=rest.width, repeats=count - 1))
    return Architecture(
        family=family,
        input_shape=target.shape,
        num_classes=target.classes,
        stem_channels=widths[0],
        stem_stride=chosen[0],
        stages=tuple(stages),
        head_channels=head,
        activation=activation,
        classifier_bias=classifier_bias,
    )


def _round(channels: int, width: float, rounding: str) -> int:
    if rounding == "down":
        return scale(channels, width)
    if rounding == "nearest":
        return max(1, round(channels * width))
    wanted = channels * width
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded
