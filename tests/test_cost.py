"""The count is what the real module does: layer by layer with hooks, in total with ptflops."""

from __future__ import annotations

import copy
from collections import Counter
from functools import partial

import torch
from conftest import architectures
from hypothesis import given, settings
from ptflops import get_model_complexity_info
from torch import nn

from igcnas.modules import layers
from igcnas.modules.build import build
from igcnas.modules.lowering import lower
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock, InvertedResidual
from igcnas.network.cost import Cost, count, count_plan, layer_cost, training_params
from igcnas.network.grouping import Dense, Interleaved, LearnedGrouping
from igcnas.network.plan import Plan, plan
from igcnas.network.primitives import Convolution, Linear, SplitConvolution

fixed = architectures(learned=False)
learned = architectures(learned=True)

_COUNTING = (nn.Conv2d, nn.Linear)


def forward(module: nn.Module, shape: tuple[int, int, int]) -> torch.Tensor:
    with torch.no_grad():
        return module.eval()(torch.zeros(1, *shape))


def measure(module: nn.Module, shape: tuple[int, int, int]) -> dict[str, tuple[int, torch.Size]]:
    """MACs and output size of every convolution and linear layer, from its real weight, in the order of running."""
    measured: dict[str, tuple[int, torch.Size]] = {}

    def hook(name: str, child: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        assert name not in measured
        measured[name] = (child.weight.numel() * output[0, 0].numel(), output.shape[2:])

    handles = [
        child.register_forward_hook(partial(hook, name))
        for name, child in module.named_modules()
        if isinstance(child, _COUNTING)
    ]
    forward(module, shape)
    for handle in handles:
        handle.remove()
    return measured


def planned(network: Plan) -> dict[str, tuple[int, torch.Size]]:
    return {
        name: (layer_cost(layer).macs, torch.Size(getattr(layer, "out_size", ())))
        for name, layer in network.layers()
        if isinstance(layer, (Convolution, Linear))
    }


def ptflops_macs(module: nn.Module, shape: tuple[int, int, int]) -> int:
    macs, _ = get_model_complexity_info(
        copy.deepcopy(module), shape, as_strings=False, print_per_layer_stat=False, backend="aten"
    )
    return macs


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@given(fixed)
@settings(max_examples=300)
def test_plan_agrees_with_the_module_layer_by_layer_in_order(architecture):
    network = plan(architecture)
    module = build(network)
    measured = measure(module, architecture.input_shape)
    assert list(planned(network).items()) == list(measured.items())
    assert count(architecture).macs == sum(macs for macs, _ in measured.values())
    assert count(architecture).params == parameters(module)


@given(fixed)
@settings(max_examples=100)
def test_total_is_what_ptflops_counts_without_biases(architecture):
    cost = count(architecture)
    module = build(plan(architecture))
    assert cost.macs == ptflops_macs(module, architecture.input_shape) - cost.bias_outputs


@given(learned)
@settings(max_examples=50)
def test_names_of_the_plan_are_names_of_modules(architecture):
    network = plan(architecture)
    modules = dict(build(network).named_modules())
    names = [name for name, _ in network.layers()]
    assert len(set(names)) == len(names)
    assert set(names) <= set(modules)
    counting = {name for name, module in modules.items() if isinstance(module, (*_COUNTING, layers.LearnedModule))}
    assert counting == {name for name, layer in network.layers() if layer_cost(layer).macs}


@given(learned)
@settings(max_examples=50)
def test_sizes_of_the_plan_are_sizes_of_the_activations(architecture):
    network = plan(architecture)
    module = build(network)
    seen: dict[str, torch.Size] = {}
    for name, child in module.named_modules():
        child.register_forward_hook(lambda _child, inputs, _output, name=name: seen.update({name: inputs[0].shape[2:]}))
    forward(module, architecture.input_shape)
    for name, layer in network.layers():
        size = getattr(layer, "in_size", getattr(layer, "size", None))
        assert size is None or torch.Size(size) == seen[name], name


@given(learned)
@settings(max_examples=50)
def test_forward_gives_logits_for_every_image(architecture):
    module = build(plan(architecture)).eval()
    with torch.no_grad():
        logits = module(torch.rand(2, *architecture.input_shape))
    assert logits.shape == (2, architecture.num_classes)
    assert logits.isfinite().all()


@given(learned)
@settings(max_examples=100)
def test_lowered_network_costs_what_its_plan_says(architecture):
    network = plan(architecture)
    lowered = lower(network, build(network))
    module = build(lowered.plan)
    cost = count_plan(lowered.plan)
    by_layer: Counter[str] = Counter()
    for name, (macs, _) in measure(module, architecture.input_shape).items():
        by_layer[name.partition(".convs.")[0]] += macs  # the groups of a split convolution are modules of their own
    layers_with_macs = {name: layer_cost(layer).macs for name, layer in lowered.plan.layers() if layer_cost(layer).macs}
    assert layers_with_macs == dict(by_layer)
    assert cost.params == parameters(module)


@given(learned)
@settings(max_examples=25)
def test_lowered_network_costs_what_ptflops_counts(architecture):
    network = plan(architecture)
    lowered = lower(network, build(network)).plan
    cost = count_plan(lowered)
    assert cost.macs == ptflops_macs(build(lowered), architecture.input_shape) - cost.bias_outputs


def is_exact(architecture: Architecture) -> bool:
    """Whether its counts are known before training: no grouping leaves their number to the training."""
    convolutions = [layer for _, layer in plan(architecture).layers() if isinstance(layer, Convolution)]
    return all(getattr(conv.learned, "balanced", True) for conv in convolutions)


@given(learned.filter(is_exact))
@settings(max_examples=50)
def test_groups_that_are_exact_before_training_cost_after_it_what_was_counted(architecture):
    network = plan(architecture)
    module = build(network)
    for child in module.modules():
        if isinstance(child, layers.LearnedModule):
            child.finish()
    assert count_plan(lower(network, module).plan) == count(architecture)


@given(learned)
@settings(max_examples=100)
def test_training_params_are_the_parameters_of_the_module(architecture):
    network = plan(architecture)
    assert training_params(network) == parameters(build(network))


def one_stage(block: BasicBlock | InvertedResidual, *, width: int, stem: int) -> Architecture:
    return Architecture(
        family="by hand",
        input_shape=(3, 8, 6),
        num_classes=5,
        stem_channels=stem,
        stages=(Stage(block=block, width=width, repeats=1, stride=2),),
    )


def test_cost_of_a_basic_block_by_hand():
    cost = count(one_stage(BasicBlock(grouping=Dense()), width=8, stem=4))
    stem, block = 27 * 4 * 48, (9 * 4 * 8 + 9 * 8 * 8 + 4 * 8) * 12
    norms = 2 * (4 + 8 + 8 + 8)
    weights = 27 * 4 + 9 * 4 * 8 + 9 * 8 * 8 + 4 * 8
    assert cost == Cost(macs=stem + block + 8 * 5, params=weights + norms + 8 * 5 + 5, bias_outputs=5)


def test_cost_of_an_interleaved_block_is_g_times_ms_plus_l_a_position():
    """T = G (M S + L) parameters at each position; Zhang et al., ICCV 2017, equation 7."""
    unit = BasicBlock(grouping=Interleaved(L=24, M=2), residual=False)
    names = {name: layer_cost(layer) for name, layer in plan(one_stage(unit, width=48, stem=48)).layers()}
    block = [cost for name, cost in names.items() if "conv1" in name]
    assert sum(cost.params for cost in block) == 48 * (2 * 9 + 24) == 2016
    assert sum(cost.macs for cost in block) == 2016 * 4 * 3


def test_unbalanced_learned_groups_count_their_expected_connections():
    free = LearnedGrouping(groups=3, balanced=False)
    conv = Convolution("mix", 4, 5, 1, 1, 1, (2, 2), free)
    assert layer_cost(conv) == Cost(macs=7 * 4, params=7)


def test_split_convolution_counts_the_pairs_that_meet():
    assert layer_cost(SplitConvolution("split", (3, 0, 2), (1, 4, 5), (2, 3))) == Cost(macs=13 * 6, params=13)
