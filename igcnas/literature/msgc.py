"""Middle spectrum grouped convolution on its hosts.

Su et al., "Boosting Convolutional Neural Networks with Middle Spectrum Grouped Convolution", TNNLS 2024
(arXiv:2304.06305).
"""

from __future__ import annotations

from igcnas.architecture import Architecture
from igcnas.blocks import BasicBlock, Block, Bottleneck, DenseLayer, InvertedResidual
from igcnas.checks import require
from igcnas.grouping import Dense, MultiSpectral
from igcnas.literature.common import Images, images, require_choice
from igcnas.literature.condensenet import dense, shape
from igcnas.literature.mobilenetv2 import MSGC_CIFAR, REPEATS, TABLE, inverted
from igcnas.literature.resnet import FOUR_STAGES, four_stages

HOSTS = ("resnet18", "resnet50", "mobilenetv2", "mobilenetv2-cifar", "condensenet")
_WIDE = 200  # input channels of a dense layer from which the authors squeeze its generators more


def msgc(
    *,
    host: str = "resnet18",
    heads: int = 4,
    attention: bool = False,
    keep: float = 0.5,
    dataset: str | None = None,
    classes: int | None = None,
    size: int | None = None,
    channels: int = 3,
) -> Architecture:
    """MSGC, Su et al., TNNLS 2024: each image chooses the input channels of each head of the convolutions of a host.

    As in the authors' code: of a basic block the first convolution has one head and the second several, of a bottleneck
    the 3x3 has several and the others one, of an inverted residual block the projection has several, of a dense layer
    the 3x3. Attention on all masked convolutions of basic and inverted residual blocks, on the 3x3 of the others.
    host: resnet18, resnet50, mobilenetv2, mobilenetv2-cifar (the authors' strides), condensenet (without condensing)
    heads: heads of the convolutions that have several
    attention: kept channels are also multiplied by a factor for each image
    keep: share of channel pairs that meet in an image on average; the loss aims at it
    dataset: cifar or imagenet; auto: imagenet, cifar for mobilenetv2-cifar
    """
    require_choice(host=(host, HOSTS))
    data = dataset if dataset is not None else ("cifar" if host == "mobilenetv2-cifar" else "imagenet")
    require(host != "mobilenetv2-cifar" or data == "cifar", "host=mobilenetv2-cifar is for dataset=cifar alone")
    target = images(data, size=size, channels=channels, classes=classes)

    def gate(heads: int, reduction: int, attended: bool) -> MultiSpectral:
        return MultiSpectral(heads=heads, keep=keep, attention=attention and attended, reduction=reduction)

    if host in ("resnet18", "resnet50"):
        blocks: tuple[Block, ...]
        repeats, bottleneck = FOUR_STAGES[int(host.removeprefix("resnet"))]
        if bottleneck:
            one, several = gate(1, 8, attended=False), gate(heads, 8, attended=True)
            blocks = tuple(Bottleneck(mid=64 * 2**n, reduce=one, spatial=several, restore=one) for n in range(4))
        else:
            basic = BasicBlock(grouping=gate(1, 4, attended=True), second=gate(heads, 4, attended=True))
            blocks = (basic,) * 4
        widths = tuple(64 * 2**n * (4 if bottleneck else 1) for n in range(4))
        return four_stages("msgc", blocks, widths, repeats, stem=64, dataset=data, target=target)
    if host == "condensenet":
        layers, growth = shape(None, None, data)

        def layer(in_channels: int) -> DenseLayer:
            reduction = 8 if in_channels >= _WIDE else 4
            return DenseLayer(reduce=gate(1, reduction, attended=False), spatial=gate(heads, reduction, attended=True))

        return dense("msgc", layer, layers, growth, dataset=data, target=target)
    return _mobilenetv2(gate(heads, 4, attended=True), authors=host == "mobilenetv2-cifar", dataset=data, target=target)


def _mobilenetv2(project: MultiSpectral, *, authors: bool, dataset: str, target: Images) -> Architecture:
    def block(expansion: int, hidden: int = 0) -> InvertedResidual:
        return InvertedResidual(expansion=expansion, expand=Dense(), project=project, always_expand=False)

    return inverted(
        "msgc",
        block,
        REPEATS,
        widths=(32, *(row[1] for row in TABLE)),
        head=1280,
        strides=MSGC_CIFAR if authors else None,
        dataset=dataset,
        classes=target.classes,
        size=target.size,
        channels=target.channels,
    )
