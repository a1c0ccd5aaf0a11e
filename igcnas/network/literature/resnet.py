"""ResNets on CIFAR and ImageNet, and the regular convolutions that IGC V1 compares with.

He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", CVPR 2016 (arXiv:1512.03385).
"""

from __future__ import annotations

from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock, Block, Bottleneck
from igcnas.network.grouping import DENSE, Dense
from igcnas.network.literature.common import Images, blocks_of_depth, fit_strides, images, require_choice
from igcnas.system.checks import require, require_positive

SKELETONS = ("thin", "wide")
# Repeats of the four stages, and whether the blocks are bottlenecks.
FOUR_STAGES: dict[int, tuple[tuple[int, ...], bool]] = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}


def resnet(
    *,
    depth: int | None = None,
    width: int | None = None,
    residual: bool = True,
    shortcut: str = "projection",
    strided: str = "spatial",
    skeleton: str | None = None,
    dataset: str = "cifar",
    classes: int | None = None,
    size: int | None = None,
    channels: int = 3,
) -> Architecture:
    """ResNet, He et al., CVPR 2016: the thin ones for CIFAR with three stages, and those with four stages.

    If not residual, the RegConv of the IGC paper (see regconv).
    depth: 6n + 2 for the thin skeleton, as in 20 (3n + 2 if not residual); 18, 34, 50, 101, 152 for the wide one;
        auto: 20 and 18
    width: channels of the first stage; auto: 16 for the thin skeleton, 64 for the wide one
    residual: blocks of two convolutions with a shortcut, or one convolution without
    shortcut: where the shape changes, a 1x1 projection (option B) or, in basic blocks, pad: zeros for new channels
        (option A)
    strided: the convolution of a bottleneck that has the stride: spatial (v1.5, torchvision) or reduce (v1, the paper)
    skeleton: thin (three stages) or wide (four stages of the ImageNet networks; on CIFAR with a 3x3 stem and no
        pooling, as in pytorch-cifar by kuangliu); auto: thin on CIFAR, wide on ImageNet
    """
    target = images(dataset, size=size, channels=channels, classes=classes)
    chosen = skeleton if skeleton is not None else ("wide" if dataset == "imagenet" else "thin")
    require_choice(skeleton=(chosen, SKELETONS), shortcut=(shortcut, ("projection", "pad")))
    if chosen == "wide":
        require(residual, "the wide skeleton is residual; residual=false is not defined there")
        return _wide(18 if depth is None else depth, 64 if width is None else width, shortcut, strided, dataset, target)
    require(dataset == "cifar", "the thin skeleton is for CIFAR; skeleton=wide is that of imagenet")
    return thin(
        depth=20 if depth is None else depth,
        width=16 if width is None else width,
        residual=residual,
        shortcut=shortcut,
        target=target,
    )


def regconv(
    *,
    width: int = 16,
    depth: int = 20,
    residual: bool = False,
    classes: int | None = None,
    size: int | None = None,
    channels: int = 3,
) -> Architecture:
    """RegConv-W(width), the regular convolutions that Zhang et al., ICCV 2017, compare IGC V1 with on CIFAR.

    The skeleton is that of IGC, with a dense 3x3 convolution for each IGC block.
    width: channels of the first stage
    depth: convolutions of the network
    residual: blocks of two convolutions with a projected shortcut (+Ident in the paper)
    """
    target = images("cifar", size=size, channels=channels, classes=classes)
    return thin(depth=depth, width=width, residual=residual, shortcut="projection", target=target)


def thin(*, depth: int, width: int, residual: bool, shortcut: str, target: Images) -> Architecture:
    """Three stages of equal depth, of widths w, 2w, 4w."""
    require_positive(width=width)
    repeats = blocks_of_depth(depth, units=2 if residual else 1)
    block = BasicBlock(grouping=Dense(), residual=residual, shortcut=shortcut)
    stages = tuple(
        Stage(block=block, width=width * 2**stage, repeats=repeats, stride=stride)
        for stage, stride in enumerate(fit_strides((1, 2, 2), target.size))
    )
    return Architecture(
        family="resnet", input_shape=target.shape, num_classes=target.classes, stem_channels=width, stages=stages
    )


def _wide(depth: int, width: int, shortcut: str, strided: str, dataset: str, target: Images) -> Architecture:
    require(depth in FOUR_STAGES, f"depth must be one of {tuple(FOUR_STAGES)} for the wide skeleton, but is {depth}")
    require_positive(width=width)
    repeats, bottleneck = FOUR_STAGES[depth]
    require(shortcut == "projection" or not bottleneck, "shortcut=pad is defined for basic blocks, of depth 18 and 34")
    blocks = tuple(
        Bottleneck(mid=width * 2**stage, strided=strided)
        if bottleneck
        else BasicBlock(grouping=DENSE, shortcut=shortcut)
        for stage in range(4)
    )
    widths = tuple(width * 2**stage * (4 if bottleneck else 1) for stage in range(4))
    return four_stages("resnet", blocks, widths, repeats, stem=width, dataset=dataset, target=target)


def four_stages(
    family: str,
    blocks: tuple[Block, ...],
    widths: tuple[int, ...],
    repeats: tuple[int, ...],
    *,
    stem: int,
    dataset: str,
    target: Images,
) -> Architecture:
    """The skeleton of the ImageNet networks: 7x7 stem and pooling (3x3 and none on CIFAR), strides 1, 2, 2, 2."""
    first = (2, 2) if dataset == "imagenet" else (1, 1)
    stem_stride, pool_stride, *strides = fit_strides((*first, 1, 2, 2, 2), target.size)
    stages = tuple(
        Stage(block=block, width=width, repeats=count, stride=stride)
        for block, width, count, stride in zip(blocks, widths, repeats, strides, strict=True)
    )
    return Architecture(
        family=family,
        input_shape=target.shape,
        num_classes=target.classes,
        stem_channels=stem,
        stem_kernel=7 if dataset == "imagenet" else 3,
        stem_stride=stem_stride,
        stem_pool=pool_stride == 2,
        stages=stages,
    )
