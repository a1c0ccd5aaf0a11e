"""Networks of the papers by name, with the papers' parameters: `igcnas count`, `igcnas networks`, and the baselines.

Each family is a function from keyword parameters to an Architecture. Counts to meet: tests/data/literature.csv.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from igcnas.architecture import Architecture, Stage
from igcnas.blocks import BasicBlock, InvertedResidual
from igcnas.checks import require, require_positive
from igcnas.errors import ArchitectureError, unknown_name
from igcnas.grouping import Dense, Group, Grouping, Interleaved, LearnedGrouping

# (expansion, width, repeats, stride) of MobileNetV2, Sandler et al., table 2, with the strides used at 32x32.
_MOBILENETV2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 1),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_REPEATS = tuple(row[2] for row in _MOBILENETV2)
_IGCV3_REPEATS = (1, 4, 6, 8, 6, 6, 1)
_MIN_FINAL_SIZE = 4


def igc(
    *,
    L: int = 24,
    M: int = 2,
    depth: int = 20,
    residual: bool = False,
    classes: int = 10,
    size: int = 32,
    channels: int = 3,
) -> Architecture:
    """IGC V1, Zhang et al., ICCV 2017: L constant, M doubles with each stage; plain or residual."""
    require_positive(L=L, M=M)
    repeats = _repeats(depth, units=2 if residual else 1)
    stages = tuple(
        Stage(
            block=BasicBlock(grouping=Interleaved(L=L, M=M * 2**stage), residual=residual),
            width=L * M * 2**stage,
            repeats=repeats,
            stride=stride,
        )
        for stage, stride in enumerate(_fit_strides((1, 2, 2), size))
    )
    return _architecture("igcv1", stages, stem=L * M, classes=classes, size=size, channels=channels)


def resnet(
    *, depth: int = 20, width: int = 16, residual: bool = True, classes: int = 10, size: int = 32, channels: int = 3
) -> Architecture:
    """ResNet for CIFAR (option B), He et al., CVPR 2016; if not residual, the RegConv of the IGC paper."""
    require_positive(width=width)
    repeats = _repeats(depth, units=2 if residual else 1)
    block = BasicBlock(grouping=Dense(), residual=residual)
    stages = tuple(
        Stage(block=block, width=width * 2**stage, repeats=repeats, stride=stride)
        for stage, stride in enumerate(_fit_strides((1, 2, 2), size))
    )
    return _architecture("resnet", stages, stem=width, classes=classes, size=size, channels=channels)


def mobilenetv2(
    *,
    width: float = 1.0,
    shortcut: str = "projection",
    always_expand: bool = True,
    activation: str = "relu6",
    classes: int = 10,
    size: int = 32,
    channels: int = 3,
) -> Architecture:
    """MobileNetV2 for CIFAR, Sandler et al., CVPR 2018; the head is scaled with the width."""

    def block(expansion: int) -> InvertedResidual:
        return InvertedResidual(
            expansion=expansion, expand=Dense(), project=Dense(), always_expand=always_expand, shortcut=shortcut
        )

    settings: dict[str, Any] = {"classes": classes, "size": size, "channels": channels, "activation": activation}
    return _inverted("mobilenetv2", block, _REPEATS, width=width, multiple=1, head=width, **settings)


def igcv3(
    *,
    width: float = 1.0,
    G1: int = 2,
    G2: int = 2,
    repeats: str = "-".join(map(str, _IGCV3_REPEATS)),
    scale_head: bool = False,
    classes: int = 10,
    size: int = 32,
    channels: int = 3,
) -> Architecture:
    """IGCV3-D for CIFAR (final map 4x4 at 32x32), Sun et al., BMVC 2018: twice as deep as MobileNetV2.

    The head has 1280 channels at any width, unless scale_head.
    """

    def block(expansion: int) -> InvertedResidual:
        return InvertedResidual(
            expansion=expansion, expand=Group(groups=G1), project=Group(groups=G2), expand_activation=False
        )

    require_positive(G1=G1, G2=G2)
    counts = _parse_repeats(repeats)
    settings: dict[str, Any] = {"classes": classes, "size": size, "channels": channels, "activation": "relu6"}
    return _inverted(
        "igcv3", block, counts, width=width, multiple=math.lcm(G1, G2), head=width if scale_head else 1.0, **settings
    )


def flgc_mobilenetv2(
    *, groups: int = 8, width: float = 1.0, balanced: bool = True, classes: int = 10, size: int = 32, channels: int = 3
) -> Architecture:
    """MobileNetV2 whose projections are fully learnable group convolutions, Wang et al., CVPR 2019."""

    def block(expansion: int) -> InvertedResidual:
        project: Grouping = LearnedGrouping(groups=groups, balanced=balanced)
        return InvertedResidual(
            expansion=expansion, expand=Dense(), project=project, always_expand=False, shortcut="projection"
        )

    require_positive(groups=groups)
    settings: dict[str, Any] = {"classes": classes, "size": size, "channels": channels, "activation": "relu6"}
    return _inverted("flgc-mobilenetv2", block, _REPEATS, width=width, multiple=groups, head=width, **settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A named family of networks; its parameters are the keyword parameters of `build`."""

    name: str
    build: Callable[..., Architecture]

    @property
    def summary(self) -> str:
        """What it is and which paper says so."""
        return inspect.getdoc(self.build) or ""

    @property
    def parameters(self) -> dict[str, Any]:
        """Name and default of each parameter."""
        return {name: parameter.default for name, parameter in inspect.signature(self.build).parameters.items()}

    def from_text(self, assignments: list[str]) -> Architecture:
        """The network of `key=value` words, as a command line has them."""
        values: dict[str, Any] = {}
        for word in assignments:
            key, separator, text = word.partition("=")
            if not separator:
                raise ArchitectureError(f"{word!r} is not of the form key=value, as in classes=10")
            if key not in self.parameters:
                raise ArchitectureError(unknown_name(f"parameter of {self.name}", key, self.parameters))
            values[key] = _parse_value(key, text, type(self.parameters[key]))
        return self.build(**values)


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(name="igc", build=igc),
        Family(name="igcv3", build=igcv3),
        Family(name="mobilenetv2", build=mobilenetv2),
        Family(name="flgc-mobilenetv2", build=flgc_mobilenetv2),
        Family(name="resnet", build=resnet),
    )
}


def family(name: str) -> Family:
    """The family of this name; else ArchitectureError with the known ones."""
    if name not in FAMILIES:
        raise ArchitectureError(unknown_name("family", name, FAMILIES))
    return FAMILIES[name]


def _parse_value(key: str, text: str, kind: type) -> Any:
    words: dict[type, dict[str, Any]] = {bool: {"true": True, "false": False, "1": True, "0": False}}
    try:
        return words[kind][text.lower()] if kind in words else kind(text)
    except (ValueError, KeyError):
        expected = {bool: "true or false", int: "a whole number", float: "a number"}.get(kind, "text")
        raise ArchitectureError(f"{key}={text!r}: {expected} is expected") from None


def _parse_repeats(text: str) -> tuple[int, ...]:
    words = text.split("-")
    if len(words) != len(_MOBILENETV2) or not all(word.isdigit() and int(word) > 0 for word in words):
        raise ArchitectureError(f"repeats={text!r}: seven positive numbers are expected, as in 1-4-6-8-6-6-1")
    return tuple(map(int, words))


def _repeats(depth: int, *, units: int) -> int:
    """Blocks in each of three stages: depth = 2 + 3 * units * blocks."""
    require_positive(depth=depth)
    blocks, rest = divmod(depth - 2, 3 * units)
    require(rest == 0 and blocks >= 1, f"depth must be 2 plus a multiple of {3 * units}, as in 20, but is {depth}")
    return blocks


def _fit_strides(strides: tuple[int, ...], size: int) -> tuple[int, ...]:
    """Strides that leave a map of 4x4 or more: the later ones become 1 on images smaller than the paper's.

    >>> _fit_strides((1, 2, 2), 32), _fit_strides((1, 2, 2), 8)
    ((1, 2, 2), (1, 2, 1))
    """
    fitted = []
    for stride in strides:
        kept = stride if -(-size // stride) >= _MIN_FINAL_SIZE else 1
        size = -(-size // kept)
        fitted.append(kept)
    return tuple(fitted)


def _inverted(
    name: str,
    block: Callable[[int], InvertedResidual],
    repeats: tuple[int, ...],
    *,
    width: float,
    multiple: int,
    head: float,
    classes: int,
    size: int,
    channels: int,
    activation: str,
) -> Architecture:
    require(0 < width < math.inf, f"width must be positive and finite, but is {width}")
    strides = _fit_strides(tuple(row[3] for row in _MOBILENETV2), size)
    stages = tuple(
        Stage(block=block(row[0]), width=_scale(row[1], width, multiple), repeats=count, stride=stride)
        for row, count, stride in zip(_MOBILENETV2, repeats, strides, strict=True)
    )
    return Architecture(
        family=name,
        input_shape=(channels, size, size),
        num_classes=classes,
        stem_channels=_scale(32, width, multiple),
        stages=stages,
        head_channels=_scale(1280, head, 1),
        activation=activation,
    )


def _scale(channels: int, width: float, multiple: int) -> int:
    """channels * width, cut down to a multiple of the groups, at least one multiple."""
    return max(int(channels * width) // multiple, 1) * multiple


def _architecture(
    name: str, stages: tuple[Stage, ...], *, stem: int, classes: int, size: int, channels: int
) -> Architecture:
    require_positive(size=size, channels=channels, classes=classes)
    return Architecture(
        family=name, input_shape=(channels, size, size), num_classes=classes, stem_channels=stem, stages=stages
    )
