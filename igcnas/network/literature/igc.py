"""IGC V1 on CIFAR and ImageNet.

Zhang, Qi, Xiao, Wang, "Interleaved Group Convolutions for Deep Neural Networks", ICCV 2017 (arXiv:1707.02725).
"""

from __future__ import annotations

from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock
from igcnas.network.grouping import Interleaved
from igcnas.network.literature.common import Images, blocks_of_depth, fit_strides, images, require_choice
from igcnas.system.checks import require, require_positive

DOUBLES = ("M", "L")
# What a transition is called here, and in the grouping. There 'reference' is a mistaken one that older files have.
TRANSITIONS = {"clean": "clean", "reference": "authors"}


def igc(
    *,
    L: int = 24,
    M: int = 2,
    depth: int | None = None,
    residual: bool | None = None,
    transition: str = "clean",
    doubles: str = "M",
    dataset: str = "cifar",
    classes: int | None = None,
    size: int | None = None,
    channels: int = 3,
) -> Architecture:
    """IGC V1, Zhang et al., ICCV 2017: a spatial group convolution, then a pointwise one that complements it.

    On CIFAR three stages of widths LM, 2LM, 4LM, plain or residual. On ImageNet the residual nets of depth 18 with
    four stages: IGC-L4M32 and IGC-L16M16 as such, IGC-L100M2 with doubles=L.
    L: primary partitions, the groups of the spatial convolution
    M: channels of a primary partition, in the first stage where M doubles
    depth: convolutions of the network, an IGC block being one; auto: 20 on CIFAR, 18 on ImageNet
    residual: blocks of two convolutions with a shortcut; auto: false on CIFAR, true on ImageNet
    transition: where the width changes, clean (the default) has M secondary partitions as elsewhere, reference the M
        of the stage before, and the permutation back over as many, as the authors' residual code for CIFAR does
    doubles: what doubles with the width: M, or L (IGC-L100M2, whose stem is half as wide as its first stage)
    """
    require_positive(L=L, M=M)
    require_choice(doubles=(doubles, DOUBLES), transition=(transition, tuple(TRANSITIONS)))
    rule = TRANSITIONS[transition]
    target = images(dataset, size=size, channels=channels, classes=classes)
    if dataset == "imagenet":
        require(residual is not False, "the networks for imagenet are residual; residual=false is not defined there")
        return _imagenet(L, M, depth, rule, doubles, target)
    require(doubles == "M", "doubles=L is defined for dataset=imagenet alone")
    repeats = blocks_of_depth(20 if depth is None else depth, units=2 if residual else 1)
    stages = tuple(
        Stage(
            block=BasicBlock(grouping=Interleaved(L=L, M=M * 2**stage, transition=rule), residual=bool(residual)),
            width=L * M * 2**stage,
            repeats=repeats,
            stride=stride,
        )
        for stage, stride in enumerate(fit_strides((1, 2, 2), target.size))
    )
    return Architecture(
        family="igcv1", input_shape=target.shape, num_classes=target.classes, stem_channels=L * M, stages=stages
    )


def _imagenet(L: int, M: int, depth: int | None, transition: str, doubles: str, target: Images) -> Architecture:
    """Stem 7x7, pooling, four stages of two residual blocks.

    Where M doubles, the stem has the LM channels of the first stage (the released graphs); where L doubles, half of
    them, so that the first stage projects its shortcut, too (the authors' generator).
    """
    require(depth in (None, 18), f"depth must be 18 for dataset=imagenet, but is {depth}")
    require(doubles == "M" or M % 2 == 0, f"doubles=L needs an even M, half of which is in the stem, but M is {M}")
    stem_stride, pool_stride, *strides = fit_strides((2, 2, 1, 2, 2, 2), target.size)
    stages = []
    for stage, stride in enumerate(strides):
        factor = 2**stage
        grouping = (
            Interleaved(L=L, M=M * factor, transition=transition)
            if doubles == "M"
            else Interleaved(L=L * factor, M=M, transition=transition)
        )
        stages.append(
            Stage(block=BasicBlock(grouping=grouping), width=grouping.L * grouping.M, repeats=2, stride=stride)
        )
    return Architecture(
        family="igcv1",
        input_shape=target.shape,
        num_classes=target.classes,
        stem_channels=L * M if doubles == "M" else L * M // 2,
        stem_kernel=7,
        stem_stride=stem_stride,
        stem_pool=pool_stride == 2,
        stages=tuple(stages),
    )
