"""IGC V2 on CIFAR, and its condition of balance.

Xie, Wang, Zhang, Lai, Hong, Qi, "Interleaved Structured Sparse Convolutional Neural Networks", CVPR 2018
(arXiv:1804.06202). The authors published no code: the defaults are a reconstruction from the paper's table 7.
"""

from __future__ import annotations

from igcnas.errors import ArchitectureError
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock
from igcnas.network.grouping import SparseProduct
from igcnas.network.literature.common import blocks_of_depth, fit_strides, images, numbers
from igcnas.system.checks import require, require_bool, require_positive


def igcv2(
    *,
    width: int = 416,
    K: str = "8-8",
    kernels: int | None = None,
    spatial: int = 1,
    depth: int = 20,
    residual: bool = False,
    strict: bool = False,
    classes: int | None = None,
    size: int | None = None,
    channels: int = 3,
) -> Architecture:
    """IGC V2, Xie et al., CVPR 2018: a spatial and several pointwise sparse kernels for each convolution.

    Three stages of widths C, 2C, 4C. The default, IGCV2*-C416, is a reconstruction that agrees with the published 0.65M
    parameters at 100 classes. Norm and ReLU follow each product.
    width: C, channels of the first stage
    K: channels of a branch of each pointwise kernel, joined by dashes; or one number for all of them
    kernels: sparse kernels in all, the paper's L, where K is one number; auto: one more than K has numbers
    spatial: channels of a branch of the 3x3 kernel; 1 is depthwise
    depth: convolutions of the network, a product being one
    residual: blocks of two products with a projected shortcut
    strict: exactly one path from each input to each output channel: the product of the branch sizes is the width, and
        the last size doubles with it; false: K in every stage (the paper's IGCV2*)
    """
    sizes = numbers(K, name="K", example="8-8")
    require_positive(width=width, spatial=spatial)
    require_bool(strict=strict)
    if kernels is not None:
        require(kernels >= 2, f"kernels must be 2 or more, but is {kernels}")
        wanted = kernels - 1
        require(len(sizes) in (1, wanted), f"K={K!r} has {len(sizes)} numbers, but {kernels} kernels have {wanted}")
        sizes = (sizes * wanted)[:wanted]
    target = images("cifar", size=size, channels=channels, classes=classes)
    product = spatial
    for branch in sizes:
        product *= branch
    if strict and product != width:
        raise ArchitectureError(
            f"strict: spatial times the product of K must be the width, but "
            f"{' * '.join(map(str, (spatial, *sizes)))} = {product} is not {width}"
        )
    repeats = blocks_of_depth(depth, units=2 if residual else 1)
    stages = []
    for stage, stride in enumerate(fit_strides((1, 2, 2), target.size)):
        last = sizes[-1] * 2**stage if strict else sizes[-1]
        # Loose products in a row would be networks that never meet if each restored the order of channels.
        grouping = SparseProduct(K=(spatial, *sizes[:-1], last), restore=strict)
        block = BasicBlock(grouping=grouping, residual=residual)
        stages.append(Stage(block=block, width=width * 2**stage, repeats=repeats, stride=stride))
    return Architecture(
        family="igcv2",
        input_shape=target.shape,
        num_classes=target.classes,
        stem_channels=width,
        stages=tuple(stages),
    )
