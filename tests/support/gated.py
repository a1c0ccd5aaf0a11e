"""What tests of gated networks share: networks with gates, masks forced to a pattern, and that all forms agree."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from igcnas.data.loading import load_dataset
from igcnas.modules.build import build
from igcnas.modules.layers import MultiSpectralConv
from igcnas.modules.lowering import lower
from igcnas.modules.reorganised import run_reorganised
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock, Block, Bottleneck, DenseLayer, InvertedResidual
from igcnas.network.cost import Cost, count_plan
from igcnas.network.grouping import DENSE, Grouping, MultiSpectral
from igcnas.network.plan import Plan, plan
from igcnas.network.primitives import Convolution
from igcnas.training.measuring import measure_gates

CPU = torch.device("cpu")
DIGITS = load_dataset("digits")


def spectral(heads: int, *, keep: float = 0.5, attention: bool = False, reduction: int = 4) -> MultiSpectral:
    return MultiSpectral(heads=heads, keep=keep, attention=attention, reduction=reduction)


def layer(heads: int = 4, *, attention: bool = False, channels: int = 8) -> MultiSpectralConv:
    torch.manual_seed(0)
    conv = Convolution("mix", channels, 8, 3, 1, 1, (5, 4), spectral(heads, attention=attention), channels)
    return MultiSpectralConv(conv)


def hosts(first: Grouping, second: Grouping) -> list[Block]:
    """The four hosts of the paper with these groupings where it puts one and several heads."""
    return [
        BasicBlock(grouping=first, second=second),
        Bottleneck(mid=8, reduce=first, spatial=second, restore=first),
        InvertedResidual(expansion=3, expand=DENSE, project=second, always_expand=False),
        DenseLayer(reduce=first, spatial=second),
    ]


HOSTS = hosts(spectral(1, attention=True), spectral(4, attention=True))
NAMES = ["basic", "bottleneck", "inverted", "dense"]


def network(*blocks: Block, width: int = 8, stride: int = 2) -> Architecture:
    stages = tuple(Stage(block=block, width=width, repeats=2, stride=stride) for block in blocks)
    preactivated = any(isinstance(block, DenseLayer) for block in blocks)
    shape = {"input_shape": (1, 8, 8), "num_classes": 10, "stem_channels": 8, "preactivation": preactivated}
    return Architecture(family="test", stages=stages, **shape)


def random_weights(architecture: Architecture, seed: int = 0) -> nn.Sequential:
    """The module as no training left it: random norms, masks that drop about half, attention that is not 1."""
    torch.manual_seed(seed)
    module = build(plan(architecture)).eval()
    for child in module.modules():
        if isinstance(child, nn.BatchNorm2d | nn.BatchNorm1d):
            for tensor in (child.running_mean, child.bias.data):
                tensor.normal_(std=0.5)
            for tensor in (child.running_var, child.weight.data):
                tensor.uniform_(0.5, 2.0)
        if isinstance(child, MultiSpectralConv):
            child.mask_generator[3].bias.data.normal_()
            if child.attention_generator is not None:
                child.attention_generator[3].weight.data.normal_(std=0.1)
    return module


def force(module: nn.Module, pattern: Callable[[int, int], torch.Tensor]) -> None:
    """Let every image choose the channels for which pattern(heads, channels) is true, of shape (heads, channels)."""
    for child in module.modules():
        if isinstance(child, MultiSpectralConv):
            kept = pattern(child.heads, child.weight.shape[1])
            child.mask_generator[3].weight.data.zero_()
            child.mask_generator[3].bias.data = torch.where(kept, 1.0, -1.0).flatten()


def everything(heads: int, channels: int) -> torch.Tensor:
    return torch.ones(heads, channels, dtype=torch.bool)


def every_other(heads: int, channels: int) -> torch.Tensor:
    """One head keeps the even channels; of several, head h keeps the channels c with c % heads == h."""
    return torch.arange(channels) % max(2, heads) == torch.arange(heads)[:, None]


def first_part(heads: int, channels: int) -> torch.Tensor:
    """One head keeps the first half; of several, every one keeps the first part of as many as there are heads."""
    return (torch.arange(channels) < channels // max(2, heads)).expand(heads, -1)


def nothing(heads: int, channels: int) -> torch.Tensor:
    return ~everything(heads, channels)


def assert_one_function(network_plan: Plan, module: nn.Module, images: torch.Tensor) -> Cost:
    """Returns what the lowered network costs, by the mean over these images."""
    with torch.no_grad():
        masked = module.eval()(images)
    reorganised, macs = run_reorganised(network_plan, module, images)
    scale = masked.abs().max().clamp(min=1.0)
    assert (reorganised - masked).abs().max() < 1e-5 * scale
    for image, spent in zip(images, macs, strict=True):
        measure_gates(network_plan, module, [image[None]])
        assert count_plan(lower(network_plan, module).plan).macs == spent
    measure_gates(network_plan, module, [images])
    lowered = lower(network_plan, module)
    cost = count_plan(lowered.plan)
    # What a layer computes is rounded up, and what it skips down.
    assert 0 <= cost.macs - sum(macs) / len(macs) < len(list(lowered.plan.layers()))
    rebuilt = build(lowered.plan)
    rebuilt.load_state_dict(lowered.state)
    assert cost.params == sum(parameter.numel() for parameter in rebuilt.parameters())
    assert not [child for child in rebuilt.modules() if isinstance(child, MultiSpectralConv)]
    with torch.no_grad():
        assert torch.equal(rebuilt.eval()(images), masked)
    assert run_reorganised(lowered.plan, rebuilt, images)[1] == macs
    return cost
