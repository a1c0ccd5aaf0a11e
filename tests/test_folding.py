"""A folded network is the same function, with fewer gathers and norms; exactly so but for rounding."""

from __future__ import annotations

from collections.abc import Sequence as Items

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.equality import finished, randomised, rebuilt
from support.networks import all_kinds
from torch import nn

from igcnas.modules.build import build
from igcnas.modules.folding import fold, remaining
from igcnas.modules.lowering import Lowered, lower
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock, Block, InvertedResidual
from igcnas.network.cost import count_plan
from igcnas.network.grouping import Condensing, Dense, Group, Grouping, LearnedGrouping
from igcnas.network.literature import FAMILIES
from igcnas.network.plan import Plan, plan
from igcnas.network.primitives import (
    Activation,
    Convolution,
    Gather,
    GlobalPool,
    Layer,
    Linear,
    Norm,
    Permutation,
    Residual,
    Sequence,
    SplitConvolution,
)

torch.set_num_threads(1)
SIZE = (5, 4)


def logits(network: Lowered, images: torch.Tensor) -> torch.Tensor:
    """In the type of the images."""
    module = build(network.plan).to(images.dtype)
    module.load_state_dict(network.state)
    with torch.no_grad():
        return module.eval()(images)


def assert_same(before: Lowered, *, wide: bool = True) -> Lowered:
    """The folded network, after a check that float64 finds no difference, and float32 little."""
    images = torch.rand(3, *before.plan.input_shape)
    with torch.no_grad():
        exact = rebuilt(before).double()(images.double())
    double = fold(before, wide=wide, dtype=torch.float64)
    torch.testing.assert_close(logits(double, images.double()), exact, rtol=1e-9, atol=1e-9)
    after = fold(before, wide=wide)
    assert after.plan == double.plan
    assert (logits(after, images) - exact).abs().max() < 1e-5 * max(1.0, float(exact.abs().max()))
    return after


@pytest.mark.parametrize("name", all_kinds())
def test_a_folded_network_of_any_kind_gives_the_logits_of_the_trained_one(name: str) -> None:
    network = plan(all_kinds()[name])
    module = finished(randomised(network))
    after = assert_same(lower(network, module))
    images = torch.rand(3, *network.input_shape)
    with torch.no_grad():
        expected = module(images)
    assert (logits(after, images) - expected).abs().max() < 1e-5 * max(1.0, float(expected.abs().max()))


def calm(network: Plan) -> nn.Sequential:
    """Its norms have seen images, so that deep networks do not multiply what is rounded."""
    module = finished(randomised(network))
    norms = [child for child in module.modules() if isinstance(child, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
        norm.reset_running_stats()
        norm.train()
    with torch.no_grad():
        module(torch.rand(8, *network.input_shape))
    return module.eval()


SMALL = {
    "condensenet": ["size=16", "stages=2-2-2", "growth=4-8-8"],
    "dgc": ["size=16", "stages=2-2-2", "growth=4-8-8"],
    "dg-resnext": ["size=32", "groups=4", "base=2"],
    "flgc-mobilenetv2": ["size=16", "width=0.5"],
    "igc": ["size=16", "L=4", "M=4", "depth=8"],
    "igcv2": ["size=16", "depth=8", "width=64"],
    "igcv3": ["size=16", "width=0.5"],
    "mobilenetv2": ["size=16", "width=0.5"],
    "msgc": ["size=16"],
    "regconv": ["size=16", "depth=8"],
    "resnet": ["size=16", "depth=8"],
    "resnext": ["size=32", "groups=4", "base=2"],
}


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_networks_of_the_literature_lose_their_norms_and_keep_their_function(name: str) -> None:
    network = plan(FAMILIES[name].from_text(["classes=5", *SMALL[name]]))
    before = lower(network, calm(network))
    after = assert_same(before)
    old, new = remaining(before.plan), remaining(after.plan)
    assert len(new.gathers) <= len(old.gathers)
    if name not in ("condensenet", "dgc", "msgc"):  # pre-activation, and gates
        assert old.norms
        assert not new.norms
    if name in ("dg-resnext", "mobilenetv2", "resnet", "resnext"):
        assert not new.gathers


GROUPINGS = st.one_of(
    st.builds(LearnedGrouping, groups=st.sampled_from([2, 4]), balanced=st.just(False)),
    st.builds(LearnedGrouping, groups=st.sampled_from([2, 4]), balanced=st.just(True), multiple=st.just(1)),
    st.builds(Condensing, groups=st.just(4), factor=st.just(4)),
    st.builds(Group, groups=st.sampled_from([2, 4])),
    st.just(Dense()),
)


@st.composite
def networks(draw: st.DrawFn) -> tuple[Plan, nn.Sequential]:
    """Of any blocks in a row, with any learned assignment: skewed ones leave groups empty."""

    def block() -> Block:
        first: Grouping = draw(GROUPINGS)
        if draw(st.booleans()):
            return BasicBlock(grouping=first, kernel=1 if isinstance(first, LearnedGrouping | Condensing) else 3)
        shortcut = draw(st.sampled_from(["identity", "projection", "none"]))
        return InvertedResidual(expansion=2, expand=first, project=draw(GROUPINGS), shortcut=shortcut)

    stages = tuple(
        Stage(
            block=block(), width=draw(st.sampled_from([8, 16])), repeats=draw(st.integers(1, 2)), stride=1 + number % 2
        )
        for number in range(draw(st.integers(1, 3)))
    )
    architecture = Architecture(family="own", input_shape=(3, 6, 5), num_classes=4, stem_channels=8, stages=stages)
    network = plan(architecture)
    module = finished(randomised(network, draw(st.integers(0, 10**6))))
    for child in module.modules():
        if hasattr(child, "in_logits"):
            for decides in (child.in_logits, child.out_logits):
                decides.data += draw(st.sampled_from([0.0, 1.0, 4.0])) * torch.randn(decides.shape[-1])
    return network, module


@given(networks(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_learned_groups_fold_exactly(drawn: tuple[Plan, nn.Sequential], wide: bool) -> None:
    network, module = drawn
    assert_same(lower(network, module), wide=wide)


def network_of(*layers: Layer, channels: int = 8) -> Lowered:
    """With random weights and norms that have seen data."""
    network = Plan(Sequence("", layers), (channels, *SIZE))
    module = randomised(network)
    return Lowered(network, {name: tensor.clone() for name, tensor in module.state_dict().items()}, {})


def conv(name: str, inputs: int, outputs: int, groups: int = 1, kernel: int = 1) -> Convolution:
    return Convolution(name, inputs, outputs, kernel, 1, groups, SIZE)


def end(channels: int) -> tuple[Layer, ...]:
    return (GlobalPool("pool", channels, SIZE), Linear("classifier", channels, 3))


def names(network: Lowered) -> list[str]:
    return [path for path, _ in network.plan.layers()]


def shuffled(channels: int, seed: int = 0) -> tuple[int, ...]:
    return tuple(torch.randperm(channels, generator=torch.Generator().manual_seed(seed)).tolist())


def test_a_norm_goes_into_the_convolution_before_it_through_permutations() -> None:
    before = network_of(
        conv("a", 8, 8), Gather("g", shuffled(8)), Permutation("p", 8, 2), Norm("norm", 8, SIZE), *end(8)
    )
    after = assert_same(before)
    assert names(after) == ["a", "pool", "classifier"]
    assert after.plan.root.layers[0] == conv("a", 8, 8)._replace(bias=True)


def test_a_norm_whose_input_others_read_stays() -> None:
    body = Sequence("body", (Norm("norm", 8, SIZE), Activation("act", "relu", 8, SIZE), conv("b", 8, 8)))
    before = network_of(conv("a", 8, 8), Residual("add", body, Sequence("shortcut", ())), *end(8))
    after = assert_same(before)
    assert list(remaining(after.plan).norms) == ["add.body.norm"]


def test_a_permutation_passes_through_norms_activations_and_depthwise_convolutions_into_dense_layers() -> None:
    before = network_of(
        conv("a", 8, 16),
        Norm("norm", 16, SIZE),
        Activation("act", "relu6", 16, SIZE),
        conv("depthwise", 16, 16, groups=16, kernel=3),
        Gather("g", shuffled(16)),
        conv("b", 16, 16, groups=2),
        Permutation("p", 16, 2),
        conv("c", 16, 8, kernel=3),
        *end(8),
    )
    after = assert_same(before, wide=False)
    assert names(after) == ["a", "act", "depthwise", "b", "c", "pool", "classifier"]


def test_the_branches_of_a_sum_get_one_order() -> None:
    body = Sequence("body", (conv("b", 8, 8), Gather("g", shuffled(8)), Norm("norm", 8, SIZE)))
    shortcut = Sequence("shortcut", (conv("s", 8, 8), Gather("h", shuffled(8, 1))))
    before = network_of(conv("a", 8, 8), Residual("add", body, shortcut), Gather("i", shuffled(8, 2)), *end(8))
    after = assert_same(before)
    assert not remaining(after.plan).gathers


def test_a_sum_of_a_value_and_its_own_permutation_keeps_one_gather() -> None:
    body = Sequence("body", (Gather("g", shuffled(8)), Activation("act", "relu", 8, SIZE)))
    before = network_of(conv("a", 8, 8), Residual("add", body, Sequence("shortcut", ())), *end(8))
    after = assert_same(before)
    assert list(remaining(after.plan).gathers.values()) == [8]


def test_a_permutation_of_a_wide_tensor_becomes_finer_groups_of_a_narrow_one_for_as_many_macs() -> None:
    before = network_of(
        conv("expand", 8, 48, groups=2),
        Permutation("p", 48, 2),
        conv("depthwise", 48, 48, groups=48, kernel=3),
        conv("project", 48, 8, groups=2),
        *end(8),
    )
    after = assert_same(before, wide=False)
    assert remaining(after.plan).gathers == {"expand_in": 16}
    expand = next(layer for path, layer in after.plan.layers() if path == "expand")
    assert expand == conv("expand", 16, 48, groups=4)
    assert count_plan(after.plan).macs == count_plan(before.plan).macs


def test_gathers_in_a_row_are_one_also_where_they_repeat_and_drop() -> None:
    before = network_of(
        conv("a", 8, 8),
        Gather("g", (0, 0, 3, 3, 5, 6, 7, 7)),
        Gather("h", (7, 0, 2, 4)),
        conv("b", 4, 4, groups=2),
        *end(4),
    )
    after = assert_same(before, wide=False)
    assert not remaining(after.plan).gathers  # four of eight channels are read, each once: the others were removed
    assert after.plan.root.layers[0] == conv("a", 8, 4)


def test_a_repeated_channel_in_front_of_a_norm_stays_repeated() -> None:
    before = network_of(conv("a", 8, 4), Gather("g", (0, 0, 1, 3)), Norm("norm", 4, SIZE), *end(4))
    after = assert_same(before)
    assert remaining(after.plan) == ({"g": 4}, {"norm": 4})
    assert after.plan.root.layers[0] == conv("a", 8, 3)


def split(name: str, inputs: Items[int], outputs: Items[int]) -> SplitConvolution:
    return SplitConvolution(name, tuple(inputs), tuple(outputs), SIZE)


def test_channels_that_nobody_reads_go_with_all_that_made_them() -> None:
    before = network_of(
        conv("a", 8, 8),
        Norm("norm", 8, SIZE),
        Activation("act", "relu", 8, SIZE),
        conv("depthwise", 8, 8, groups=8, kernel=3),
        split("b", (3, 2, 3), (4, 0, 4)),  # nothing is made of channels 3 and 4
        *end(8),
    )
    after = assert_same(before, wide=False)
    assert after.plan.root.layers[0] == conv("a", 8, 6)._replace(bias=True)
    assert [layer.groups for _, layer in after.plan.layers() if isinstance(layer, Convolution)] == [1, 6, 2]
    assert count_plan(after.plan).macs < count_plan(before.plan).macs


def test_constant_channels_become_a_bias_but_not_at_the_edge_of_a_padded_convolution() -> None:
    layers = (
        conv("a", 8, 8),
        split("b", (8, 0), (4, 4)),  # four channels are zero, and the norm shifts them
        Norm("norm", 8, SIZE),
        Activation("act", "relu", 8, SIZE),
    )
    pointwise = assert_same(network_of(*layers, conv("c", 8, 8), *end(8)))
    assert [layer.in_channels for _, layer in pointwise.plan.layers() if isinstance(layer, Convolution)][-1] == 4
    padded = assert_same(network_of(*layers, conv("c", 8, 8, kernel=3), *end(8)))
    shift = randomised(Plan(Sequence("", layers), (8, *SIZE))).state_dict()["norm.bias"]
    assert any(shift[4:] > 0)
    assert [layer.in_channels for _, layer in padded.plan.layers() if isinstance(layer, Convolution)][-1] > 4


def test_a_constant_channel_gets_an_edge_in_a_padded_depthwise_convolution() -> None:
    before = network_of(
        conv("a", 8, 8),
        split("b", (8, 0), (4, 4)),
        Norm("norm", 8, SIZE),
        conv("depthwise", 8, 8, groups=8, kernel=3),
        conv("c", 8, 8),
        *end(8),
    )
    assert_same(before)


def test_narrow_groups_are_joined_and_gathers_around_a_narrow_layer_make_it_dense() -> None:
    before = network_of(
        conv("a", 32, 32, groups=16, kernel=3),
        Permutation("p", 32, 16),
        conv("b", 32, 32, groups=2),
        *end(32),
        channels=32,
    )
    after = assert_same(before)
    assert [layer.groups for _, layer in after.plan.layers() if isinstance(layer, Convolution)] == [4, 1]
    assert not remaining(after.plan).gathers
    assert remaining(fold(before, wide=False).plan).gathers


def test_a_network_that_ends_in_a_permutation_still_gives_its_outputs_in_order() -> None:
    assert_same(network_of(conv("a", 8, 8), Gather("g", shuffled(8))))
    assert_same(network_of(Activation("act", "relu", 8, SIZE), Gather("g", shuffled(8))))


def test_what_is_folded_is_left_as_it_was() -> None:
    before = network_of(conv("a", 8, 8), Norm("norm", 8, SIZE), *end(8))
    kept = {name: tensor.clone() for name, tensor in before.state.items()}
    after = fold(before)
    assert all(torch.equal(tensor, kept[name]) for name, tensor in before.state.items())
    assert all(tensor.is_contiguous() for tensor in after.state.values())
