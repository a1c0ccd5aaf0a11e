"""ResNeXt, and groupable convolution on it.

Xie, Girshick, Dollar, Tu, He, "Aggregated Residual Transformations for Deep Neural Networks", CVPR 2017
(arXiv:1611.05431). Zhang et al., "Differentiable Learning-to-Group Channels via Groupable Convolutional Neural
Networks", ICCV 2019 (arXiv:1908.05867).
"""

from __future__ import annotations

from collections.abc import Callable

from igcnas.errors import ArchitectureError
from igcnas.network.architecture import Architecture
from igcnas.network.blocks import Bottleneck
from igcnas.network.grouping import Group, Grouping, KroneckerGrouping
from igcnas.network.literature.common import images
from igcnas.network.literature.resnet import FOUR_STAGES, four_stages
from igcnas.system.bounds import DIGITS
from igcnas.system.checks import require, require_positive, shown

_DEPTHS = tuple(depth for depth, (_, bottleneck) in FOUR_STAGES.items() if bottleneck)
_GATES = "gates must be on, off, learned, or a power of two"


def resnext(
    *,
    depth: int = 50,
    groups: int = 32,
    base: int = 4,
    dataset: str = "imagenet",
    classes: int | None = None,
    size: int | None = None,
    channels: int = 3,
) -> Architecture:
    """ResNeXt, Xie et al., CVPR 2017: bottlenecks whose 3x3 convolution has groups; 32x4d by default.

    depth: 50, 101 or 152
    groups: groups of the 3x3 convolutions, the paper's cardinality
    base: channels of a group in the first stage
    """
    require_positive(groups=groups, base=base)
    return _resnext("resnext", depth, groups * base, lambda _: Group(groups=groups), dataset, classes, size, channels)


def dg_resnext(
    *,
    depth: int = 50,
    gates: str = "learned",
    groups: int = 32,
    base: int = 4,
    balanced: bool = False,
    dataset: str = "imagenet",
    classes: int | None = None,
    size: int | None = None,
    channels: int = 3,
) -> Architecture:
    """G-ResNeXt, Zhang et al., ICCV 2019: binary gates choose the groups of the 3x3 convolutions of ResNeXt.

    The other convolutions stay dense. The MACs of learned gates are those that the objective aims at.
    depth: 50, 101 or 152
    gates: learned; or the network after training with all gates on (dense), off (depthwise), or this many groups
    groups: groups that learned gates aim at, a power of two; one b-th of the dense connections in the paper, b = 32
    base: a thirty-second of the channels of the 3x3 convolutions of the first stage; these must be a power of two
    balanced: learned gates make exactly this many groups in every layer, our option; as published they are free
    """
    require_positive(groups=groups, base=base)
    if gates == "learned":
        require(groups & (groups - 1) == 0, f"groups must be a power of two, but is {groups}")
    return _resnext(
        "dg-resnext", depth, 32 * base, _gate_rule(gates, groups, balanced), dataset, classes, size, channels
    )


def _gate_rule(gates: str, groups: int, balanced: bool) -> Callable[[int], Grouping]:
    """Grouping of a convolution by its channels."""
    if gates == "learned":
        return lambda _: KroneckerGrouping(groups=groups, balanced=balanced)
    if gates == "on":
        return lambda _: KroneckerGrouping(groups=1)
    if gates == "off":
        return lambda mid: KroneckerGrouping(groups=mid)
    fixed = int(gates) if gates.isascii() and gates.isdecimal() and len(gates) <= DIGITS else 0
    if fixed < 1 or fixed & (fixed - 1):
        raise ArchitectureError(f"{_GATES}, but is {shown(gates)}")
    return lambda _: KroneckerGrouping(groups=fixed)


def _resnext(
    family: str,
    depth: int,
    mid: int,
    rule: Callable[[int], Grouping],
    dataset: str,
    classes: int | None,
    size: int | None,
    channels: int,
) -> Architecture:
    target = images(dataset, size=size, channels=channels, classes=classes)
    require(depth in _DEPTHS, f"depth must be one of {_DEPTHS}, but is {depth}")
    mids = tuple(mid * 2**stage for stage in range(4))
    blocks = tuple(Bottleneck(mid=width, spatial=rule(width)) for width in mids)
    widths = tuple(256 * 2**stage for stage in range(4))
    return four_stages(family, blocks, widths, FOUR_STAGES[depth][0], stem=64, dataset=dataset, target=target)
