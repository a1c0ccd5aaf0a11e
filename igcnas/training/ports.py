"""Weights of public ports under their own names: maps from the names here to theirs, as data.

Only names change, and a 1x1 convolution in the place of a linear layer loses its two ones; the networks are the same.
A port is told by tensors that it alone has, and only modules that a network here has are looked up: a shape that does
not fit is an error that names both tensors (igcnas/training/pretrained.py).

The place of a block is spelled by what stands in braces: stage and block counted within their stage, number over all
blocks; with 0 at the end counted from 0. {after} is the number behind the last block.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

Names = Mapping[str, str]
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_CIFAR = ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A family of checkpoints. ends, basic, bottleneck, expanded, plain: names here to theirs, of modules or tensors.

    has, lacks: names of tensors that tell it. block: theirs for a block. basic and bottleneck are those of ResNets,
    expanded and plain inverted residuals with and without an expansion. ignored: endings of tensors that say nothing
    here. normalisation: mean and standard deviation of its images, None for those of the data.
    """

    name: str
    has: tuple[str, ...]
    lacks: tuple[str, ...] = ()
    ends: Names
    block: str
    basic: Names | None = None
    bottleneck: Names | None = None
    expanded: Names | None = None
    plain: Names | None = None
    ignored: tuple[str, ...] = ()
    normalisation: tuple[tuple[float, ...], tuple[float, ...]] | None = None


def _shortcut(at: str) -> Names:
    return {"shortcut.conv": f"{at}.0", "shortcut.norm": f"{at}.1"}


def _resnet_basic(at: str) -> Names:
    return {"conv1": "conv1", "norm1": "bn1", "conv2": "conv2", "norm2": "bn2", **_shortcut(at)}


def _resnet_bottleneck(at: str, spatial: str = "conv2") -> Names:
    names = {"reduce": "conv1", "reduce_norm": "bn1", "spatial": spatial, "spatial_norm": "bn2"}
    return {**names, "restore": "conv3", "restore_norm": "bn3", **_shortcut(at)}


def _inverted(parts: str, at: str | None = None) -> Names:
    """Of the three convolutions and their norms, in order; two convolutions are without the expansion."""
    own = ("expand", "expand_norm", "depthwise", "depthwise_norm", "project", "project_norm")
    theirs = parts.split()
    return {**dict(zip(own[-len(theirs) :], theirs, strict=True)), **({} if at is None else _shortcut(at))}


def _learned(parts: str, at: str) -> Names:
    """The same where the projection learns its groups, as the port of FLGC spells it."""
    names = _inverted(parts, at)
    project = names["project"]
    return {
        **names,
        "project.weight": f"{project}.conv.weight",
        "project.in_logits": f"{project}.in_channels_in_group_assignment_map",
        "project.out_logits": f"{project}.out_channels_in_group_assignment_map",
    }


_STEM = {"stem.conv": "conv1", "stem.norm": "bn1"}
_FEATURES = {
    "stem.conv": "features.0.0",
    "stem.norm": "features.0.1",
    "head.conv": "features.{after}.0",
    "head.norm": "features.{after}.1",
}
_SEQUENTIAL = "conv.0.0 conv.0.1 conv.1.0 conv.1.1 conv.2 conv.3"
_SEQUENTIAL_PLAIN = "conv.0.0 conv.0.1 conv.1 conv.2"

PORTS = (
    Port(
        name="torchvision or timm (ResNet, ResNeXt)",
        has=("layer1.0.conv1.weight", "layer4.0.conv2.weight", "fc.weight"),
        ends={**_STEM, "classifier": "fc"},
        block="layer{stage}.{block0}",
        basic=_resnet_basic("downsample"),
        bottleneck=_resnet_bottleneck("downsample"),
        normalisation=IMAGENET,
    ),
    Port(
        name="d-li14/dgconv.pytorch (G-ResNeXt)",
        has=("layer1.0.conv2.gate", "fc.weight"),
        ends={**_STEM, "classifier": "fc"},
        block="layer{stage}.{block0}",
        bottleneck={
            **_resnet_bottleneck("downsample", spatial="conv2.conv"),
            "spatial.gates": "conv2.gate",
        },
        ignored=("conv2.D", "conv2.I"),
        normalisation=IMAGENET,
    ),
    Port(
        name="kuangliu/pytorch-cifar (ResNet)",
        has=("layer1.0.conv1.weight", "layer4.0.conv2.weight", "linear.weight"),
        ends={**_STEM, "classifier": "linear"},
        block="layer{stage}.{block0}",
        basic=_resnet_basic("shortcut"),
        bottleneck=_resnet_bottleneck("shortcut"),
        normalisation=_CIFAR,
    ),
    Port(
        name="akamaster/pytorch_resnet_cifar10",
        has=("layer1.0.conv1.weight", "layer3.0.conv2.weight", "linear.weight"),
        lacks=("layer4.0.conv1.weight",),
        ends={**_STEM, "classifier": "linear"},
        block="layer{stage}.{block0}",
        basic=_resnet_basic("shortcut"),
        normalisation=IMAGENET,
    ),
    Port(
        name="kuangliu/pytorch-cifar (MobileNetV2)",
        has=("layers.0.conv1.weight", "layers.0.conv3.weight", "linear.weight"),
        ends={**_STEM, "head.conv": "conv2", "head.norm": "bn2", "classifier": "linear"},
        block="layers.{number0}",
        expanded=_inverted("conv1 bn1 conv2 bn2 conv3 bn3", "shortcut"),
        normalisation=_CIFAR,
    ),
    Port(
        name="torchvision (MobileNetV2)",
        has=("features.0.0.weight", "features.1.conv.0.0.weight", "classifier.1.weight"),
        ends={**_FEATURES, "classifier": "classifier.1"},
        block="features.{number}",
        expanded=_inverted(_SEQUENTIAL),
        plain=_inverted(_SEQUENTIAL_PLAIN),
        normalisation=IMAGENET,
    ),
    Port(
        name="Daniil-Osokin/fully-learnable-group-convolution.pytorch",
        has=("features.0.0.weight", "features.1.conv.0.0.weight", "features.1.conv.1.conv.weight", "classifier.weight"),
        ends={**_FEATURES, "classifier": "classifier"},
        block="features.{number}",
        expanded=_learned(_SEQUENTIAL, "shortcut"),
        plain=_learned(_SEQUENTIAL_PLAIN, "shortcut"),
        normalisation=_CIFAR,
    ),
    Port(
        name="Daniil-Osokin/fully-learnable-group-convolution.pytorch (standard groups)",
        has=("features.0.0.weight", "features.1.conv.0.0.weight", "features.1.conv.1.weight", "classifier.weight"),
        ends={**_FEATURES, "classifier": "classifier"},
        block="features.{number}",
        expanded=_inverted(_SEQUENTIAL, "shortcut"),
        plain=_inverted(_SEQUENTIAL_PLAIN, "shortcut"),
        normalisation=_CIFAR,
    ),
    Port(
        name="xxradon/IGCV3-pytorch (IGCV3)",
        has=("features.0.0.weight", "features.1.conv.0.weight", "features.1.conv.8.weight", "classifier.1.weight"),
        ends={**_FEATURES, "classifier": "classifier.1"},
        block="features.{number}",
        expanded=_inverted("conv.0 conv.1 conv.4 conv.5 conv.7 conv.8"),
    ),
    # The same numbers twice: one has an activation where the other has a permutation.
    Port(
        name="xxradon/IGCV3-pytorch (MobileNetV2) or cvtower/SeesawNet_pytorch (IGCV3)",
        has=("features.0.0.weight", "features.1.conv.0.weight", "features.1.conv.7.weight", "classifier.1.weight"),
        lacks=("features.1.conv.8.weight",),
        ends={**_FEATURES, "classifier": "classifier.1"},
        block="features.{number}",
        expanded=_inverted("conv.0 conv.1 conv.3 conv.4 conv.6 conv.7"),
    ),
    Port(
        name="MG2033/MobileNet-V2",
        has=("network.0.0.weight", "network.1.block.0.weight", "network.22.weight"),
        ends={
            "stem.conv": "network.0.0",
            "stem.norm": "network.0.1",
            "head.conv": "network.{after}.0",
            "head.norm": "network.{after}.1",
            "classifier": "network.22",
        },
        block="network.{number}",
        expanded=_inverted("block.0 block.1 block.3 block.4 block.6 block.7", "conv_res"),
    ),
    Port(
        name="timm (MobileNetV2)",
        has=("conv_stem.weight", "blocks.0.0.conv_dw.weight", "blocks.1.0.conv_pwl.weight", "conv_head.weight"),
        ends={
            "stem.conv": "conv_stem",
            "stem.norm": "bn1",
            "head.conv": "conv_head",
            "head.norm": "bn2",
            "classifier": "classifier",
        },
        block="blocks.{stage0}.{block0}",
        expanded=_inverted("conv_pw bn1 conv_dw bn2 conv_pwl bn3"),
        plain=_inverted("conv_dw bn1 conv_pw bn2"),
        normalisation=IMAGENET,
    ),
)


def recognise(state: Iterable[str]) -> Port | None:
    """The port whose names these are; None for those of igcnas, or of nobody that is known."""
    names = set(state)
    for port in PORTS:
        if names.issuperset(port.has) and names.isdisjoint(port.lacks):
            return port
    return None


def ignores(port: Port, name: str) -> bool:
    """Whether a tensor of the port says nothing here."""
    return name.endswith((*port.ignored, ".num_batches_tracked"))


def names_of(port: Port, own: Iterable[str]) -> dict[str, str]:
    """How the port spells the tensors of a network here, by our name; without those that it has no place for."""
    own = tuple(own)
    blocks = _blocks(own)
    ends = {ours: theirs.format(after=len(blocks) + 1) for ours, theirs in port.ends.items()}
    parts = {block: _parts(port, layers) or {} for block, layers in blocks.items()}
    at = {block: port.block.format(**place) for block, place in _places(tuple(blocks))}
    spelled = {}
    for name in own:
        module, _, tensor = name.rpartition(".")
        if module in ends:
            spelled[name] = f"{ends[module]}.{tensor}"
        elif found := _IN_BLOCK.fullmatch(name):
            block, part = found.groups()
            module, _, tensor = part.rpartition(".")
            if part in parts[block]:  # a tensor that has a name of its own
                spelled[name] = f"{at[block]}.{parts[block][part]}"
            elif module in parts[block]:
                spelled[name] = f"{at[block]}.{parts[block][module]}.{tensor}"
    return spelled


_IN_BLOCK = re.compile(r"(stage\d+\.block\d+)\.(?:residual\.)?(?:body\.)?(.*)")


def _blocks(own: tuple[str, ...]) -> dict[str, set[str]]:
    """The names of layers in each block, in order."""
    blocks: dict[str, set[str]] = {}
    for name in own:
        if found := _IN_BLOCK.fullmatch(name):
            blocks.setdefault(found[1], set()).update(found[2].split("."))
    return blocks


def _parts(port: Port, layers: set[str]) -> Names | None:
    """Those of the kind of a block that has these layers."""
    if "reduce" in layers:
        return port.bottleneck
    if "depthwise" in layers:
        return port.expanded if "expand" in layers else port.plain
    return port.basic


def _places(blocks: tuple[str, ...]) -> Iterator[tuple[str, dict[str, int]]]:
    for number, name in enumerate(blocks, 1):
        stage, block = (int(digits) for digits in re.findall(r"\d+", name))
        place = {"stage": stage, "block": block, "number": number}
        yield name, place | {f"{key}0": value - 1 for key, value in place.items()}
