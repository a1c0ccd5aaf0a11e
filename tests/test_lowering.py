"""Lowering: a trained masked network and its plain form are the same function, and the count is what is left."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.equality import randomised, rebuilt
from torch import nn

from igcnas.errors import ExportError
from igcnas.modules import lowering
from igcnas.modules.build import build
from igcnas.modules.layers import FullyLearnableGroupConv
from igcnas.modules.lowering import Lowered, lower, lower_groups
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock, InvertedResidual
from igcnas.network.cost import count, count_plan
from igcnas.network.grouping import DynamicChannels, Group, Interleaved, LearnedGrouping, MultiSpectral
from igcnas.network.plan import Plan, plan
from igcnas.network.primitives import Convolution, Gather, Norm, Residual, Sequence, SplitConvolution

torch.set_num_threads(1)


def one_layer(channels: int, filters: int, stride: int, grouping: LearnedGrouping) -> Plan:
    conv = Convolution("mix", channels, filters, 1, stride, 1, (5, 4), grouping)
    return Plan(Sequence("", (conv, Norm("norm", filters, conv.out_size))), (channels, 5, 4))


def assign_groups(layer: nn.Module, inputs: list[int], filters: list[int]) -> None:
    assert isinstance(layer, FullyLearnableGroupConv)
    for logits, groups in ((layer.in_logits, inputs), (layer.out_logits, filters)):
        logits.data.zero_()
        logits.data[range(len(groups)), groups] = 5.0


def assert_same_function(network: Plan, module: nn.Module, lowered: Lowered) -> None:
    images = torch.rand(3, *network.input_shape)
    with torch.no_grad():
        torch.testing.assert_close(rebuilt(lowered)(images), module(images), rtol=1e-5, atol=1e-5)


@st.composite
def learned_layers(draw: st.DrawFn) -> tuple[Plan, nn.Sequential]:
    groups = draw(st.integers(1, 5))
    balanced = draw(st.booleans())
    channels, filters = (draw(st.integers(1, 6)) * groups + draw(st.integers(0, 4)) for _ in "io")
    more = {"multiple": draw(st.sampled_from([1, 4, 16]))} if balanced else {"nonempty": draw(st.booleans())}
    grouping = LearnedGrouping(groups=groups, balanced=balanced, **more)
    network = one_layer(channels, filters, draw(st.sampled_from([1, 2])), grouping)
    module = randomised(network, draw(st.integers(0, 10**6)))
    # Skewed logits leave groups empty; rounded ones tie.
    skew = draw(st.sampled_from([0.0, 1.0, 4.0]))
    for logits in (module.mix.in_logits, module.mix.out_logits):
        logits.data += skew * torch.randn(groups)
        if draw(st.booleans()):
            logits.data.round_()
    return network, module


@given(learned_layers())
@settings(max_examples=150, deadline=None)
def test_masked_and_lowered_layers_are_the_same_function_and_only_living_weights_are_counted(
    drawn: tuple[Plan, nn.Sequential],
) -> None:
    network, module = drawn
    lowered = lower(network, module)
    assert_same_function(network, module, lowered)
    conv = network.root.layers[0]
    assert isinstance(conv, Convolution)
    living = int((module.mix.mask() != 0).sum())
    pixels = conv.out_size[0] * conv.out_size[1]
    assert count_plan(lowered.plan).macs == living * pixels
    assert count_plan(lowered.plan).params == living + 2 * conv.out_channels
    assert conv.learned is not None
    if conv.learned.balanced:
        assert count_plan(lowered.plan) == count_plan(network)


def test_equal_groups_become_one_group_convolution_between_two_gathers() -> None:
    network = one_layer(4, 4, 2, LearnedGrouping(groups=2))
    module = randomised(network)
    assign_groups(module.mix, [1, 0, 1, 0], [1, 1, 0, 0])
    lowered = lower(network, module)
    assert lowered.plan.root.layers == (
        Gather("mix_in", (1, 3, 0, 2)),
        Convolution("mix", 4, 4, 1, 2, 2, (5, 4)),
        Gather("mix_out", (2, 3, 0, 1)),
        Norm("norm", 4, (3, 2)),
    )
    assert lowered.assignments == {"mix": {"inputs": [1, 0, 1, 0], "filters": [1, 1, 0, 0]}}
    assert lowered.state["mix.weight"].shape == (4, 2, 1, 1)
    assert_same_function(network, module, lowered)


def test_unequal_groups_become_a_split_convolution_and_sorted_channels_need_no_gather() -> None:
    network = one_layer(4, 3, 1, LearnedGrouping(groups=2, balanced=False))
    module = randomised(network)
    assign_groups(module.mix, [0, 0, 0, 1], [0, 1, 1])
    lowered = lower(network, module)
    assert lowered.plan.root.layers[:-1] == (SplitConvolution("mix", (3, 1), (1, 2), (5, 4)),)
    assert_same_function(network, module, lowered)


def test_a_stride_before_unequal_groups_picks_pixels_for_nothing() -> None:
    network = one_layer(4, 3, 2, LearnedGrouping(groups=2, balanced=False))
    module = randomised(network)
    assign_groups(module.mix, [0, 1, 0, 0], [0, 1, 1])
    lowered = lower(network, module)
    assert [layer.name for layer in lowered.plan.root.layers] == ["mix_in", "mix_sample", "mix", "norm"]
    assert count_plan(lowered.plan).macs == (3 * 1 + 1 * 2) * 3 * 2
    assert_same_function(network, module, lowered)


@pytest.mark.parametrize(
    ("inputs", "filters", "macs"),
    [
        ([0, 0, 0, 0], [1, 1, 1, 1], 0),  # nothing meets: all outputs are zero
        ([2, 0, 0, 2], [2, 2, 1, 1], 4),  # group 0 has no filters, group 1 no inputs
        ([2, 0, 2, 0], [0, 2, 2, 0], 8),  # group 1 has neither: the other two are equal
        ([1, 1, 1, 1], [1, 1, 1, 1], 16),  # one group has all
    ],
)
def test_groups_without_inputs_or_without_filters_are_lowered_and_cost_nothing(
    inputs: list[int], filters: list[int], macs: int
) -> None:
    network = one_layer(4, 4, 1, LearnedGrouping(groups=3, balanced=False))
    module = randomised(network)
    assign_groups(module.mix, inputs, filters)
    lowered = lower(network, module)
    assert_same_function(network, module, lowered)
    assert count_plan(lowered.plan).macs == macs * 5 * 4


@pytest.mark.parametrize("balanced", [True, False])
def test_ties_go_where_the_mask_puts_them(balanced: bool) -> None:
    network = one_layer(8, 8, 1, LearnedGrouping(groups=4, balanced=balanced))
    module = randomised(network)
    module.mix.in_logits.data.zero_()
    module.mix.out_logits.data.zero_()
    assert_same_function(network, module, lower(network, module))


def whole_network(block: InvertedResidual | BasicBlock) -> Architecture:
    stages = (Stage(block=block, width=8, repeats=2), Stage(block=block, width=8, repeats=1, stride=2))
    return Architecture(family="test", input_shape=(3, 8, 8), num_classes=4, stem_channels=8, stages=stages)


@pytest.mark.parametrize(
    "block",
    [
        InvertedResidual(
            expansion=2, expand=LearnedGrouping(groups=4), project=LearnedGrouping(groups=2, balanced=False)
        ),
        BasicBlock(grouping=LearnedGrouping(groups=4, balanced=False), kernel=1),
        BasicBlock(grouping=Interleaved(L=2, M=4, learned=True)),
    ],
)
def test_whole_networks_are_the_same_function_without_any_learned_layer(block: InvertedResidual | BasicBlock) -> None:
    network = plan(whole_network(block))
    module = randomised(network)
    lowered = lower(network, module)
    assert lowered.assignments
    assert all(getattr(layer, "learned", None) is None for _, layer in lowered.plan.layers())
    paths = [path for path, _ in lowered.plan.layers()]
    assert len(paths) == len(set(paths))
    assert not [name for name in lowered.state if "logits" in name]
    assert_same_function(network, module, lowered)


def test_balanced_learned_groups_cost_exactly_what_the_architecture_promised() -> None:
    grouping = LearnedGrouping(groups=4)
    architecture = whole_network(InvertedResidual(expansion=2, expand=grouping, project=grouping))
    network = plan(architecture)
    assert count_plan(lower(network, randomised(network)).plan) == count(architecture)


def test_a_plan_without_learned_layers_comes_back_unchanged() -> None:
    network = plan(whole_network(InvertedResidual(expansion=2, expand=Group(groups=2), project=Group(groups=2))))
    module = randomised(network)
    lowered = lower(network, module)
    assert lowered.plan is network
    assert lowered.assignments == {}
    assert_same_function(network, module, lowered)


def test_the_state_is_contiguous_and_shares_no_memory_with_the_network() -> None:
    network = one_layer(4, 4, 1, LearnedGrouping(groups=1))
    module = randomised(network).to(memory_format=torch.channels_last)
    lowered = lower(network, module)
    assert lowered.state["mix.weight"].stride() == (4, 1, 1, 1)
    before = lowered.state["norm.bias"].clone()
    module.norm.bias.data += 1.0
    assert torch.equal(lowered.state["norm.bias"], before)


def test_new_names_differ_from_those_of_the_neighbours_in_residual_branches_too() -> None:
    conv = Convolution("mix", 4, 4, 1, 1, 1, (5, 4), LearnedGrouping(groups=2))
    body = Sequence("body", (conv, Norm("mix_in", 4, (5, 4)), Norm("mix_out", 4, (5, 4))))
    network = Plan(Sequence("", (Residual("add", body, Sequence("shortcut", (conv,))),)), (4, 5, 4))
    module = randomised(network)
    for branch in ("body", "shortcut"):
        assign_groups(module.get_submodule(f"add.{branch}.mix"), [1, 0, 1, 0], [1, 0, 0, 1])
    lowered = lower(network, module)
    assert [path for path, _ in lowered.plan.layers()] == [
        *(f"add.body.{name}" for name in ("mix_in_", "mix", "mix_out_", "mix_in", "mix_out")),
        *(f"add.shortcut.{name}" for name in ("mix_in", "mix", "mix_out")),
    ]
    assert_same_function(network, module, lowered)


def test_a_module_of_another_plan_is_refused_in_one_line() -> None:
    network = one_layer(4, 4, 1, LearnedGrouping(groups=2))
    other = build(
        Plan(Sequence("", (network.root.layers[0]._replace(learned=None), network.root.layers[1])), (4, 5, 4))
    )
    with pytest.raises(ExportError, match=r"^layer mix is a Conv2d, not a FullyLearnableGroupConv, [^\n]*$"):
        lower(network, other)


@pytest.mark.parametrize("grouping", [MultiSpectral(heads=2), DynamicChannels(heads=2)], ids=["msgc", "dgc"])
def test_a_module_without_the_gates_of_its_plan_is_refused_in_one_line(
    grouping: MultiSpectral | DynamicChannels,
) -> None:
    conv = Convolution("mix", 4, 4, 1, 1, 1, (5, 4), grouping)
    gated, plain = (Plan(Sequence("", (one,)), (4, 5, 4)) for one in (conv, conv._replace(learned=None)))
    with pytest.raises(ExportError, match=r"^layer mix is a Conv2d, not a (MultiSpectralConv|DynamicConv), [^\n]*$"):
        lower(gated, build(plain))


def test_group_numbers_may_have_gaps() -> None:
    conv = Convolution("mix", 2, 2, 1, 1, 1, (5, 4), LearnedGrouping(groups=2))
    weight = torch.tensor([[1.0, 2.0], [3.0, 4.0]])[:, :, None, None]
    new = lower_groups(conv, weight, [7, 3], [3, 7], {"mix"})
    assert new.layers == (Gather("mix_in", (1, 0)), conv._replace(groups=2, learned=None))
    assert new.state["mix.weight"].flatten().tolist() == [2.0, 3.0]


def test_everything_that_the_package_offers_is_there() -> None:
    assert all(hasattr(lowering, name) for name in lowering.__all__)
