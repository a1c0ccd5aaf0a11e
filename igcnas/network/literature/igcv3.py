"""IGC V3 on CIFAR and ImageNet.

Sun, Li, Liu, Wang, "IGCV3: Interleaved Low-Rank Group Convolutions for Efficient Deep Neural Networks", BMVC 2018
(arXiv:1806.00178).
"""

from __future__ import annotations

import math

from igcnas.network.architecture import Architecture
from igcnas.network.blocks import InvertedResidual
from igcnas.network.grouping import Group
from igcnas.network.literature.common import numbers, require_choice, require_width, scale
from igcnas.network.literature.mobilenetv2 import REPEATS, TABLE, inverted
from igcnas.system.checks import require, require_positive

_DEEP = "1-4-6-8-6-6-1"
ROUNDINGS = ("down", "exact", "even", "released")


def igcv3(
    *,
    width: float = 1.0,
    G1: int = 2,
    G2: int = 2,
    repeats: str = _DEEP,
    wider: bool = False,
    rounding: str = "down",
    scale_head: bool = False,
    expand_activation: bool = False,
    permute_back: bool = False,
    downsampling: int | None = None,
    dataset: str = "cifar",
    classes: int | None = None,
    size: int | None = None,
    channels: int = 3,
) -> Architecture:
    """IGC V3-D, Sun et al., BMVC 2018: MobileNetV2, twice as deep, whose 1x1 convolutions have G1 and G2 groups.

    On CIFAR the last map is 4x4; downsampling=4 is the setting that the best documented port has from the authors.
    The 0.5x and 0.7x of the paper's CIFAR tables are fewer blocks, not narrower ones: repeats=1-2-3-4-3-3-1 is the
    port's 0.5x; those of 0.7x were not published.
    width: multiplier of the widths
    G1: groups of the expansion
    G2: groups of the projection
    repeats: blocks of the seven stages
    wider: twice the widths at the repeats of MobileNetV2, the authors' other network; as in their code the first block
        of a stage has no identity, not even that of the first stage, whose width is that of the stem
    rounding: of scaled widths: down to a multiple of the groups; exact, int(c * width), as the CIFAR ports, which fails
        where groups do not divide; even, the authors' rule as pytorchcv corrects it; released, the authors' code, whose
        multiplier also scales twice the width that is expanded where a stage begins, and adds one to a wider head
    scale_head: the head of 1280 channels is scaled with the width; else only where that makes it wider for rounding
        even and released, and not at all for down and exact
    expand_activation: an activation after the expansion, as in one CIFAR port; the authors have none
    permute_back: a permutation after the projection undoes that after the expansion, as in the CIFAR ports
    downsampling: image size over last map, 4, 8, 16 or 32; auto: 8 on CIFAR, 32 on ImageNet, less on small images
    """
    require_positive(G1=G1, G2=G2)
    require_width(width)
    require_choice(rounding=(rounding, ROUNDINGS))
    require(not wider or repeats == _DEEP, "wider has the repeats of MobileNetV2; repeats cannot be given with it")
    counts = REPEATS if wider else numbers(repeats, name="repeats", count=7, example=_DEEP)

    def block(expansion: int, hidden: int = 0) -> InvertedResidual:
        return InvertedResidual(
            expansion=expansion,
            expand=Group(groups=G1),
            project=Group(groups=G2),
            expand_activation=expand_activation,
            permute_back=permute_back,
            hidden=hidden,
        )

    table = (32, *(row[1] * (2 if wider else 1) for row in TABLE))
    widths = tuple(_width(channels, width, rounding, math.lcm(G1, G2)) for channels in table)
    return inverted(
        "igcv3",
        block,
        counts,
        widths=widths,
        head=_head(width, rounding, scale_head),
        expanded=(widths[0], *(_released(channels, width) for channels in widths[1:]))
        if rounding == "released"
        else (),
        bare_starts=wider or rounding == "released",
        downsampling=downsampling,
        dataset=dataset,
        classes=classes,
        size=size,
        channels=channels,
    )


def _width(channels: int, width: float, rounding: str, multiple: int) -> int:
    if rounding == "down":
        return scale(channels, width, multiple)
    wanted = round(channels * width) if rounding == "released" else int(channels * width)
    return max(1, wanted) if rounding == "exact" else max(2, wanted + wanted % 2)


def _released(channels: int, width: float) -> int:
    """The width that the released code expands after a stage: scaled again; if that is odd, one more than unscaled."""
    again = round(channels * width)
    return again if again % 2 == 0 else channels + 1


def _head(width: float, rounding: str, scale_head: bool) -> int:
    if scale_head or (rounding in ("even", "released") and width > 1):
        head = scale(1280, width)
        if rounding == "released":
            return head + 1
        return head + head % 2 if rounding == "even" else head
    return 1280
