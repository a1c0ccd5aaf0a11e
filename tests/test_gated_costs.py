"""Gated networks cost what their authors count, and the saving is real."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import torch
from conftest import gated_architectures
from hypothesis import given, settings
from hypothesis import strategies as st
from support.gated import (
    HOSTS,
    NAMES,
    assert_one_function,
    every_other,
    everything,
    first_part,
    force,
    network,
    nothing,
    random_weights,
    spectral,
)

from igcnas.modules.build import build
from igcnas.modules.lowering import lower
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock, Block, Bottleneck, InvertedResidual
from igcnas.network.cost import count, count_plan, training_params
from igcnas.network.grouping import DENSE, Group
from igcnas.network.plan import Plan, plan
from igcnas.network.primitives import Activation, Convolution, GatedConvolution
from igcnas.training.measuring import measure_gates

# Counts


def resnet18(attention: bool) -> Architecture:
    block = BasicBlock(grouping=spectral(1, attention=attention), second=spectral(4, attention=attention))
    rows = ((64, 1), (128, 2), (256, 2), (512, 2))
    stages = tuple(Stage(block=block, width=width, repeats=2, stride=stride) for width, stride in rows)
    stem = {"stem_channels": 64, "stem_kernel": 7, "stem_stride": 2, "stem_pool": True}
    return Architecture(family="resnet18", input_shape=(3, 224, 224), num_classes=1000, stages=stages, **stem)


def resnet50(attention: bool) -> Architecture:
    one, many = spectral(1, reduction=8), spectral(4, attention=attention, reduction=8)
    stages = tuple(
        Stage(
            block=Bottleneck(mid=width // 4, reduce=one, spatial=many, restore=one),
            width=width,
            repeats=repeats,
            stride=stride,
        )
        for width, repeats, stride in ((256, 3, 1), (512, 4, 2), (1024, 6, 2), (2048, 3, 2))
    )
    stem = {"stem_channels": 64, "stem_kernel": 7, "stem_stride": 2, "stem_pool": True}
    return Architecture(family="resnet50", input_shape=(3, 224, 224), num_classes=1000, stages=stages, **stem)


def mobilenetv2(attention: bool) -> Architecture:
    rows = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    project = spectral(4, attention=attention)
    stages = tuple(
        Stage(
            block=InvertedResidual(expansion=expansion, expand=DENSE, project=project, always_expand=False),
            width=width,
            repeats=repeats,
            stride=stride,
        )
        for expansion, width, repeats, stride in rows
    )
    ends = {"stem_channels": 32, "stem_stride": 2, "head_channels": 1280, "activation": "relu6"}
    return Architecture(family="mobilenetv2", input_shape=(3, 224, 224), num_classes=1000, stages=stages, **ends)


@pytest.mark.parametrize(
    ("family", "attention", "backbone", "masks", "attentions"),
    [
        (resnet18, False, 11_689_512, 863_616, 0),
        (resnet18, True, 11_689_512, 863_616, 863_616),
        (resnet50, False, 25_557_032, 10_712_432, 0),
        (resnet50, True, 25_557_032, 10_712_432, 4_174_288),
        (mobilenetv2, False, 3_504_872, 813_632, 0),
        (mobilenetv2, True, 3_504_872, 813_632, 813_632),
    ],
)
def test_generators_have_the_parameters_that_the_authors_code_has(
    family: Callable[[bool], Architecture], attention: bool, backbone: int, masks: int, attentions: int
) -> None:
    with torch.device("meta"):
        module = build(plan(family(attention)))
    sizes = {name: parameter.numel() for name, parameter in module.named_parameters()}
    found = {
        word: sum(size for name, size in sizes.items() if word in name)
        for word in ("mask_generator", "attention_generator")
    }
    assert found == {"mask_generator": masks, "attention_generator": attentions}
    assert sum(sizes.values()) - masks - attentions == backbone
    assert sum(sizes.values()) == count(family(attention)).params == training_params(plan(family(attention)))


def relu_elements(network_plan: Plan, *words: str) -> int:
    """Outputs of the activations with these words in their names: the authors' counter adds them."""
    layers = [layer for name, layer in network_plan.layers() if any(word in name for word in words)]
    assert all(isinstance(layer, Activation) for layer in layers)
    return sum(layer.channels * layer.size[0] * layer.size[1] for layer in layers)


def test_forced_masks_on_resnet18_cost_what_the_authors_counter_says() -> None:
    """dgc 1,677,785,088; mod: dgc 607,493,376, no bonus; head0: bonus 282,070,656. Their dgc holds one ReLU a layer."""
    network_plan = plan(resnet18(False))
    module = build(network_plan)
    first, second = (relu_elements(network_plan, "residual.body.act1"), relu_elements(network_plan, "block1.act2"))
    assert first == relu_elements(network_plan, ".act2") == 2 * second
    convs = [(name, layer) for name, layer in network_plan.layers() if isinstance(layer, Convolution)]
    dense = {
        word: sum(
            layer.in_channels * layer.out_channels * 9 * layer.out_size[0] * layer.out_size[1]
            for name, layer in convs
            if name.endswith(word)
        )
        for word in ("conv1", "conv2")
    }
    assert dense["conv1"] + dense["conv2"] + 2 * first == 1_677_785_088
    for pattern, dgc, bonus in (
        (everything, 1_677_785_088, 0),
        (every_other, 607_493_376, 0),
        (first_part, 607_493_376, 282_070_656),
    ):
        force(module, pattern)
        measure_gates(network_plan, module, [torch.rand(1, 3, 224, 224)])
        gated = [layer for _, layer in lower(network_plan, module).plan.layers() if isinstance(layer, GatedConvolution)]
        shares = (1.0, 1.0) if pattern is everything else (0.5, 0.25)
        activations = shares[0] * first * (0.25 if bonus else 1.0) + shares[1] * first
        assert sum(layer.macs for layer in gated) + activations == dgc - bonus


def test_forced_masks_on_mobilenetv2_cost_what_the_authors_counter_says() -> None:
    """dgc 118,114,304; head0: bonus 117,084,912, which holds the ReLU of what is skipped."""
    network_plan = plan(mobilenetv2(False))
    module = build(network_plan)
    activations = relu_elements(network_plan, "expand_act", "depthwise_act")
    for pattern, dgc, bonus in (
        (everything, 118_114_304, 0),
        (every_other, 118_114_304 // 4, 0),
        (first_part, 118_114_304 // 4, 117_084_912),
    ):
        force(module, pattern)
        measure_gates(network_plan, module, [torch.rand(1, 3, 224, 224)])
        layers = [layer for _, layer in lower(network_plan, module).plan.layers()]
        assert sum(layer.macs for layer in layers if isinstance(layer, GatedConvolution)) == dgc
        skipped = sum(layer.skipped_macs for layer in layers if isinstance(layer, Convolution))
        assert skipped + (0.75 * activations if bonus else 0) == bonus


def test_a_network_that_was_never_measured_counts_what_was_planned() -> None:
    for block in HOSTS:
        architecture = network(block)
        assert count_plan(lower(plan(architecture), random_weights(architecture)).plan) == count(architecture)


@given(gated_architectures())
@settings(max_examples=40)
def test_a_gated_network_trains_with_as_many_parameters_as_its_plan_counts(architecture: Architecture) -> None:
    parameters = sum(parameter.numel() for parameter in build(plan(architecture)).parameters())
    assert parameters == training_params(plan(architecture)) == count(architecture).params


@given(gated_architectures())
@settings(max_examples=40)
def test_a_gated_architecture_survives_json(architecture: Architecture) -> None:
    assert Architecture.from_dict(json.loads(architecture.to_json())) == architecture


# Masked, lowered, reorganised


@given(gated_architectures(), st.integers(0, 10**6))
@settings(max_examples=50)
def test_masked_lowered_and_reorganised_are_one_function_and_reorganised_computes_what_was_measured(
    architecture: Architecture, seed: int
) -> None:
    network_plan, module = plan(architecture), random_weights(architecture, seed)
    assert_one_function(network_plan, module, torch.randn(3, *architecture.input_shape))


@pytest.mark.parametrize("block", HOSTS, ids=NAMES)
@pytest.mark.parametrize("pattern", [everything, every_other, first_part, nothing])
def test_extreme_masks_are_one_function_too(block: Block, pattern: Callable[[int, int], torch.Tensor]) -> None:
    architecture = network(block)
    module = random_weights(architecture)
    force(module, pattern)
    assert_one_function(plan(architecture), module, torch.randn(2, 1, 8, 8))


def test_a_network_that_is_lowered_already_comes_back_with_what_was_measured() -> None:
    architecture = network(HOSTS[0])
    module = random_weights(architecture)
    force(module, every_other)
    once = lower(plan(architecture), module)
    trained = build(once.plan)
    trained.load_state_dict(once.state)
    again = lower(once.plan, trained)
    assert again.plan == once.plan
    assert count_plan(again.plan) == count_plan(once.plan)


def test_skipped_outputs_are_found_through_the_permutation_behind_a_grouped_expansion() -> None:
    block = InvertedResidual(expansion=2, expand=Group(groups=2), project=spectral(2))
    architecture = network(block, stride=1)
    module = random_weights(architecture)
    force(module, lambda heads, channels: (torch.arange(channels) < 6).expand(heads, -1))
    assert_one_function(plan(architecture), module, torch.randn(2, 1, 8, 8))
    layers = dict(lower(plan(architecture), module).plan.layers())
    expand = layers["stage1.block1.residual.body.expand"]
    assert isinstance(expand, Convolution)
    assert expand.skipped_macs == 10 * (8 // 2) * 64
