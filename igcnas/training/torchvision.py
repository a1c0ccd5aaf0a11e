"""The names of the tensors in torchvision's ResNets, ResNeXts and MobileNetV2, as the networks here name them.

The authors of MSGC start from torchvision's weights (Su et al., arXiv:2304.06305, released code). Only names change;
the networks are the same: resnet with dataset=imagenet, and mobilenetv2 as `igcnas networks` says of torchvision's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import torch

_BASIC = {"conv1": "conv1", "bn1": "norm1", "conv2": "conv2", "bn2": "norm2"}
_BOTTLENECK = {
    "conv1": "reduce",
    "bn1": "reduce_norm",
    "conv2": "spatial",
    "bn2": "spatial_norm",
    "conv3": "restore",
    "bn3": "restore_norm",
}
_SHORTCUT = {"downsample.0": "shortcut.conv", "downsample.1": "shortcut.norm"}
_RESNET_ENDS = {"conv1": "stem.conv", "bn1": "stem.norm", "fc": "classifier"}

_DEPTHWISE = ("depthwise", "depthwise_norm", "project", "project_norm")
_INVERTED = {  # an expansion shifts the numbers of the rest
    False: dict(zip(("conv.0.0", "conv.0.1", "conv.1", "conv.2"), _DEPTHWISE, strict=True)),
    True: {
        "conv.0.0": "expand",
        "conv.0.1": "expand_norm",
        **dict(zip(("conv.1.0", "conv.1.1", "conv.2", "conv.3"), _DEPTHWISE, strict=True)),
    },
}


def from_torchvision(state: Mapping[str, torch.Tensor], own: Iterable[str]) -> dict[str, torch.Tensor]:
    """The tensors under the names of the network whose tensors are `own`, in order; others keep the names they have.

    A state dict that is not torchvision's stays as it is.
    """
    own = tuple(own)
    if "layer1.0.conv1.weight" in state:
        names = _resnet(own)
    elif "features.0.0.weight" in state:
        names = _mobilenetv2(own, state)
    else:
        return dict(state)
    return {_renamed(name, names): tensor for name, tensor in state.items()}


def _renamed(name: str, names: Mapping[str, str]) -> str:
    module, _, tensor = name.rpartition(".")
    return f"{names[module]}.{tensor}" if module in names else name


def _resnet(own: tuple[str, ...]) -> dict[str, str]:
    """Modules of torchvision by ours: layer1.0.bn2 is stage1.block1.residual.body.norm2, or .spatial_norm."""
    body = _BOTTLENECK if any(name.endswith(".body.reduce.weight") for name in own) else _BASIC
    names = dict(_RESNET_ENDS)
    for block in _blocks(own):
        found = re.fullmatch(r"stage(\d+)\.block(\d+)\.residual\.body", block)
        if found is None:
            continue
        theirs = f"layer{found[1]}.{int(found[2]) - 1}"
        names |= {f"{theirs}.{part}": f"{block}.{name}" for part, name in body.items()}
        names |= {f"{theirs}.{part}": f"{block.removesuffix('body')}{name}" for part, name in _SHORTCUT.items()}
    return names


def _mobilenetv2(own: tuple[str, ...], state: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """features.0 is the stem, the last one the head, and those between are the blocks of all stages in order."""
    blocks = _blocks(own)
    head = f"features.{len(blocks) + 1}"
    names = {"features.0.0": "stem.conv", "features.0.1": "stem.norm", "classifier.1": "classifier"}
    names |= {f"{head}.0": "head.conv", f"{head}.1": "head.norm"}
    for number, block in enumerate(blocks, 1):
        parts = _INVERTED[f"features.{number}.conv.3.weight" in state]
        names |= {f"features.{number}.{part}": f"{block}.{name}" for part, name in parts.items()}
    return names


def _blocks(own: tuple[str, ...]) -> tuple[str, ...]:
    """The bodies of the blocks in order: stage2.block1, or stage2.block2.residual.body where there is a shortcut."""
    found = (re.match(r"stage\d+\.block\d+(\.residual\.body)?(?=\.(?!residual))", name) for name in own)
    return tuple(dict.fromkeys(match[0] for match in found if match))
