"""Middle spectrum grouped convolution on its hosts.

Su et al., "Boosting Convolutional Neural Networks with Middle Spectrum Grouped Convolution", TNNLS 2024
(arXiv:2304.06305).
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from igcnas.errors import ArchitectureError
from igcnas.network.architecture import Architecture
from igcnas.network.blocks import BasicBlock, Block, Bottleneck, DenseLayer, InvertedResidual
from igcnas.network.cost import count_plan, layer_cost
from igcnas.network.grouping import Dense, MultiSpectral
from igcnas.network.literature.common import Images, images, require_choice
from igcnas.network.literature.condensenet import dense, shape
from igcnas.network.literature.mobilenetv2 import MSGC_CIFAR, REPEATS, TABLE, inverted
from igcnas.network.literature.resnet import FOUR_STAGES, four_stages
from igcnas.network.plan import plan
from igcnas.network.primitives import Convolution
from igcnas.network.upstream import positions
from igcnas.system.checks import require

HOSTS = ("resnet18", "resnet50", "mobilenetv2", "mobilenetv2-cifar", "condensenet")
_FINE = 10**6  # a solved share is a whole number of millionths
_WIDE = 200  # input channels of a dense layer from which the authors squeeze its generators more


def msgc(
    *,
    host: str = "resnet18",
    heads: int = 4,
    attention: bool = False,
    keep: float | None = None,
    target: float | None = None,
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
    keep: share of channel pairs that meet in an image on average; the loss aims at it; auto: 0.5, or what target needs
    target: MACs of the whole network over those of its host, which the loss aims at, as the authors' --target: solved
        for keep, with the generators but without what no head reads and need not be computed; auto: keep says it
    dataset: cifar or imagenet; auto: imagenet, cifar for mobilenetv2-cifar
    """
    require_choice(host=(host, HOSTS))
    if target is not None:
        require(keep is None, "keep and target both say how much is kept; leave out one of them")
        options: dict[str, Any] = {"host": host, "heads": heads, "attention": attention, "dataset": dataset}
        options |= {"classes": classes, "size": size, "channels": channels}
        return _at_target(target, lambda share: msgc(keep=share, **options))
    share = 0.5 if keep is None else keep
    data = dataset if dataset is not None else ("cifar" if host == "mobilenetv2-cifar" else "imagenet")
    require(host != "mobilenetv2-cifar" or data == "cifar", "host=mobilenetv2-cifar is for dataset=cifar alone")
    shown = images(data, size=size, channels=channels, classes=classes)

    def gate(heads: int, reduction: int, attended: bool) -> MultiSpectral:
        return MultiSpectral(heads=heads, keep=share, attention=attention and attended, reduction=reduction)

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
        return four_stages("msgc", blocks, widths, repeats, stem=64, dataset=data, target=shown)
    if host == "condensenet":
        layers, growth = shape(None, None, data)

        def layer(in_channels: int) -> DenseLayer:
            reduction = 8 if in_channels >= _WIDE else 4
            return DenseLayer(reduce=gate(1, reduction, attended=False), spatial=gate(heads, reduction, attended=True))

        return dense("msgc", layer, layers, growth, dataset=data, target=shown)
    return _mobilenetv2(gate(heads, 4, attended=True), authors=host == "mobilenetv2-cifar", dataset=data, target=shown)


def _at_target(target: float, build: Callable[[float], Architecture]) -> Architecture:
    """The network of the largest share, in millionths, whose MACs are at most this share of those of its host."""
    require(0 < target <= 1, f"target must be in (0, 1], but is {target}")
    all_kept = plan(build(1.0))
    macs = count_plan(all_kept).macs
    masked = generators = 0
    for _, layer in all_kept.layers():
        if isinstance(layer, Convolution) and layer.learned is not None:
            extra = layer_cost(layer).macs - layer.connections * positions(layer)
            masked, generators = masked + layer_cost(layer).macs - extra, generators + extra
    host, rest = macs - generators, macs - masked
    allowed = Fraction(str(target)) * host
    millionths = int((allowed - rest) / masked * _FINE)
    while millionths > 0:  # rounding up to whole pairs may take a millionth
        found = build(millionths / _FINE)
        if count_plan(plan(found)).macs <= allowed:
            return found
        millionths -= 1
    raise ArchitectureError(
        f"target={target:g} leaves nothing to the masked convolutions: the rest of this network takes "
        f"{rest / host:.4f} of the MACs of its host; take a target above that"
    )


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
