"""Dynamic group convolution on its hosts.

Su et al., "Dynamic Group Convolution for Accelerating Convolutional Neural Networks", ECCV 2020 (arXiv:2007.04242).
"""

from __future__ import annotations

import dataclasses

from igcnas.network.architecture import Architecture
from igcnas.network.blocks import BasicBlock, DenseLayer
from igcnas.network.grouping import DynamicChannels, Group
from igcnas.network.literature.common import images, require_choice
from igcnas.network.literature.condensenet import dense, shape
from igcnas.network.literature.resnet import FOUR_STAGES, four_stages
from igcnas.system.checks import require_positive

HOSTS = ("densenet", "resnet18")


def dgc(
    *,
    host: str = "densenet",
    heads: int = 4,
    keep: float = 0.25,
    ties: str = "first",
    stages: str | None = None,
    growth: str | None = None,
    dataset: str | None = None,
    classes: int | None = None,
    size: int | None = None,
    channels: int = 3,
) -> Architecture:
    """DGC, Su et al., ECCV 2020: each image chooses the input channels of each head by their saliency.

    host: densenet, dense layers whose 1x1 is dynamic and whose 3x3 has as many groups as heads (DenseNet86 on CIFAR,
        the shape of CondenseNet-74 on ImageNet); resnet18, all of whose convolutions but the stem are dynamic, with a
        norm and a ReLU of their own
    heads: heads of each dynamic convolution
    keep: share of input channels that a head keeps, the authors' gate factor
    ties: which of equally salient channels stay: the first ones, so that every head keeps its share in every image; or
        dropped, none of them, as in the authors' code, which then keeps fewer
    stages: layers of each stage of densenet; auto: 14-14-14, or 4-6-8-10-8 on ImageNet
    growth: channels that a layer of each stage appends; auto: 8-16-32, or 8-16-32-64-128 on ImageNet
    dataset: cifar or imagenet; auto: cifar for densenet, imagenet for resnet18
    """
    require_choice(host=(host, HOSTS))
    require_positive(heads=heads)
    data = dataset if dataset is not None else ("imagenet" if host == "resnet18" else "cifar")
    target = images(data, size=size, channels=channels, classes=classes)
    dynamic = DynamicChannels(heads=heads, keep=keep, ties=ties)
    if host == "resnet18":
        inside = dataclasses.replace(dynamic, normalize=True)
        blocks = (BasicBlock(grouping=inside, shortcut="alike"),) * 4
        widths = (64, 128, 256, 512)
        return four_stages("dgc", blocks, widths, FOUR_STAGES[18][0], stem=64, dataset=data, target=target)
    layer = DenseLayer(reduce=dynamic, spatial=Group(groups=heads))
    layers, rates = shape(stages, growth, data)
    return dense("dgc", lambda _: layer, layers, rates, dataset=data, target=target)
