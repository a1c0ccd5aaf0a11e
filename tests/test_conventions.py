"""Each convention gives what its counter prints: here ptflops and fvcore; the rest by published figures."""

from __future__ import annotations

import copy
from fractions import Fraction

import pytest
import torch
from conftest import architectures
from fvcore.nn import FlopCountAnalysis
from hypothesis import given, settings
from hypothesis import strategies as st
from ptflops import get_model_complexity_info
from torch import nn

from igcnas.errors import IgcnasError
from igcnas.modules.build import build
from igcnas.modules.layers import GlobalAveragePool
from igcnas.modules.lowering import lower
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock, Bottleneck, DenseLayer, InvertedResidual
from igcnas.network.conventions import CONVENTIONS, condensenet, figure, figures, msgc, tools
from igcnas.network.cost import count_plan
from igcnas.network.grouping import Dense, DynamicChannels, Group, LearnedGrouping, MultiSpectral, SparseProduct
from igcnas.network.literature import FAMILIES, family
from igcnas.network.plan import Plan, plan

SMALL = {
    "igc": "L=4 M=2 depth=8 residual=true transition=reference",
    "regconv": "depth=8",
    "igcv2": "width=64 depth=8",
    "igcv3": "width=0.25 dataset=imagenet size=64 permute_back=true",
    "mobilenetv2": "width=0.25 activation=relu classifier_bias=false",
    "resnet": "dataset=imagenet width=8 size=63",
    "resnext": "base=1 size=64 classes=10",
}


@st.composite
def skeletons(draw: st.DrawFn) -> Architecture:
    """Random networks with what conftest's have not: bottlenecks, dense layers, poolings, pre-activation."""
    grouping = st.sampled_from((Dense(), Group(groups=2), Group(groups=4)))
    blocks = st.one_of(
        st.builds(BasicBlock, grouping=st.just(SparseProduct(K=(1, 2, 4)))),
        st.builds(BasicBlock, grouping=grouping, second=grouping),
        st.builds(BasicBlock, grouping=st.just(Dense()), shortcut=st.just("pad")),
        st.builds(
            Bottleneck,
            mid=st.just(8),
            spatial=grouping,
            reduce=grouping,
            strided=st.sampled_from(("spatial", "reduce")),
        ),
        st.builds(DenseLayer, reduce=grouping, spatial=grouping),
    )
    widths = sorted(draw(st.lists(st.sampled_from((8, 16, 24)), min_size=1, max_size=3)))
    stages = tuple(
        Stage(block=draw(blocks), width=width, repeats=draw(st.integers(1, 2)), stride=draw(st.integers(1, 3)))
        for width in widths
    )
    if any(isinstance(stage.block, DenseLayer) for stage in stages):
        stages = tuple(stage for stage in stages if getattr(stage.block, "shortcut", "") != "pad") or stages[:1]
    return Architecture(
        family="random",
        input_shape=(3, draw(st.integers(8, 33)), draw(st.integers(8, 33))),
        num_classes=draw(st.integers(1, 12)),
        stem_channels=8,
        stem_kernel=draw(st.sampled_from((1, 3, 7))),
        stem_pool=draw(st.booleans()),
        preactivation=draw(st.booleans()),
        classifier_bias=draw(st.booleans()),
        stages=stages,
        activation=draw(st.sampled_from(("relu", "relu6"))),
    )


def stock(network: Plan) -> nn.Module:
    """The module with the global pooling of torch, which counters know, in place of our mean."""
    module = build(network).eval()
    for name, child in module.named_modules():
        if isinstance(child, GlobalAveragePool):
            setattr(module, name, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    return module


def ptflops(module: nn.Module, shape: tuple[int, int, int], backend: str) -> int:
    macs, _ = get_model_complexity_info(
        copy.deepcopy(module), shape, as_strings=False, print_per_layer_stat=False, backend=backend
    )
    return macs


def fvcore(module: nn.Module, shape: tuple[int, int, int]) -> int:
    analysis = FlopCountAnalysis(copy.deepcopy(module), torch.zeros(1, *shape))
    return int(analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).total())


def assert_all_agree(network: Plan) -> None:
    module, shape = stock(network), network.input_shape
    assert figure(network, "ptflops-aten") == ptflops(module, shape, "aten")
    assert figure(network, "ptflops") == ptflops(module, shape, "pytorch")
    assert figure(network, "fvcore") == fvcore(module, shape)


@given(architectures(learned=False))
@settings(max_examples=40)
def test_installed_counters_print_what_their_conventions_say(architecture):
    assert_all_agree(plan(architecture))


@given(skeletons())
@settings(max_examples=60)
def test_installed_counters_agree_on_every_skeleton(architecture):
    assert_all_agree(plan(architecture))


@pytest.mark.parametrize("name", SMALL)
def test_installed_counters_agree_on_networks_of_the_literature(name):
    assert_all_agree(plan(family(name).from_text(SMALL[name].split())))


def decided_once(architecture: Architecture) -> bool:
    """No layer chooses its channels for each image: such networks have no figure in these counters."""
    learned = (getattr(layer, "learned", None) for _, layer in plan(architecture).layers())
    return not any(isinstance(one, MultiSpectral | DynamicChannels) for one in learned)


@given(architectures(learned=True).filter(decided_once))
@settings(max_examples=20)
def test_installed_counters_agree_on_learned_groups_once_they_are_plain(architecture):
    network = plan(architecture)
    assert_all_agree(lower(network, build(network)).plan)


def test_our_mean_is_what_the_pytorch_backend_does_not_count():
    network = plan(family("igc").build(size=8))
    assert ptflops(build(network), network.input_shape, "pytorch") == tools.ptflops(network, mean=True)


def test_balanced_learned_groups_have_the_figures_of_the_groups_they_become():
    learned = family("flgc-mobilenetv2").build(groups=4)
    stages = tuple(
        Stage(
            block=InvertedResidual(
                expansion=stage.block.expansion,
                expand=Dense(),
                project=Group(groups=4),
                always_expand=False,
                shortcut="projection",
            ),
            width=stage.width,
            repeats=stage.repeats,
            stride=stage.stride,
        )
        for stage in learned.stages
    )
    plain = Architecture(
        family="plain",
        input_shape=learned.input_shape,
        num_classes=10,
        stem_channels=learned.stem_channels,
        stages=stages,
        head_channels=1280,
        activation="relu6",
    )
    assert figures(plan(learned)) == figures(plan(plain))


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_every_family_has_a_figure_of_its_own_authors(name):
    found = figures(plan(family(name).build()))
    assert list(found) == list(CONVENTIONS)
    assert found["macs"] == count_plan(plan(family(name).build())).macs
    missing = {key for key, value in found.items() if value is None}
    general = {"ptflops", "ptflops-aten", "fvcore", "thop"}
    assert missing == {"msgc": general | {"condensenet"}, "dgc": general | {"msgc"}}.get(name, set())


def test_thop_counts_global_and_average_pooling_and_four_for_a_norm():
    """thop's rules: nn.BatchNorm2d 4 per element, nn.AvgPool2d its outputs, nn.AdaptiveAvgPool2d inputs and outputs."""
    network = plan(family("condensenet").build(stages="1-1", growth="8-8", size=8))
    # Stem of 16 channels at 8x8; layer 1 normalizes 16 + 32 there; a pooling of 24 channels to 4x4; layer 2 normalizes
    # 24 + 32; the last norm 32.
    norms = (16 + 32) * 64 + (24 + 32) * 16 + 32 * 16
    assert figure(network, "thop") == count_plan(network).macs + 4 * norms + 24 * 16 + 32 * 16 + 32


def test_a_convention_that_has_no_figure_says_which_has():
    network = plan(family("msgc").build(size=64))
    for name in ("ptflops", "fvcore", "condensenet"):
        with pytest.raises(IgcnasError, match="use macs or msgc"):
            figure(network, name)
    with pytest.raises(IgcnasError, match="use macs or condensenet"):
        figure(plan(family("dgc").build(size=8)), "msgc")
    with pytest.raises(IgcnasError, match=r"unknown convention 'ptflop'; did you mean 'ptflops'\?"):
        figure(network, "ptflop")


def dynamic(keep: float) -> Plan:
    block = BasicBlock(grouping=DynamicChannels(heads=2, keep=keep), residual=False)
    stage = Stage(block=block, width=8, repeats=1)
    return plan(Architecture(family="by hand", input_shape=(3, 4, 6), num_classes=5, stem_channels=8, stages=(stage,)))


def test_dynamic_convolution_by_hand_in_its_authors_convention():
    stem, head = 27 * 8 * 24 + 8 * 24, 8 * 24 + 8 * 5 + 5
    generators = 2 * (2 * 8 * 1 + 1 + 3 * 8)
    assert condensenet.figure(dynamic(0.25)) == stem + 9 * 8 * 8 * 24 // 4 + 8 * 24 + generators + 8 * 24 + head
    assert condensenet.figure(dynamic(1.0)) - condensenet.figure(dynamic(0.5)) == 9 * 8 * 8 * 24 // 2


def gated(**values: object) -> msgc.Count:
    keep = {"keep": 0.5, **values}
    block = BasicBlock(grouping=MultiSpectral(heads=1, **keep), second=MultiSpectral(heads=2, **keep))
    stage = Stage(block=block, width=8, repeats=1)
    network = Architecture(family="by hand", input_shape=(3, 4, 4), num_classes=5, stem_channels=8, stages=(stage,))
    return msgc.count(plan(network))


def test_masks_of_a_block_by_hand_in_their_authors_convention():
    counted = gated()
    convolution = 9 * 8 * 8 * 16 + 8 * 16  # with the activation after it
    assert counted.dgc == 2 * convolution
    assert counted.main == 27 * 8 * 16 + 8 * 16 + 8 * 16 + 8 * 5
    assert counted.mask == 8 * 16 + (8 * 2 + 2 + 2 * 8) + (8 * 2 + 2 + 2 * 16)
    assert gated(attention=True).dgc == 2 * convolution + (1 + 2) * 8 * 16
    assert gated(attention=True).original == counted.original == counted.main + counted.dgc
    first, second = (layer.name for layer in counted.masked)
    half, none = [True] * 4 + [False] * 4, [False] * 8
    measured = counted.measured({first: [half], second: [half, none]})
    # The second head is idle; half of what the first convolution makes is used by nobody and need not be made.
    assert measured.dgc == Fraction(convolution, 2) + Fraction(convolution, 4)
    assert measured.bonus == Fraction(convolution, 2) / 2
    assert measured.total == counted.main + counted.mask + measured.dgc - measured.bonus


@given(share=st.sampled_from((0.25, 0.5, 0.75, 1.0)))
def test_expected_cost_is_between_the_parts(share):
    counted = gated(keep=share)
    assert counted.main + counted.mask < counted.expected() <= counted.main + counted.mask + counted.dgc
    assert counted.expected() == counted.main + counted.mask + counted.dgc * Fraction(share)


def test_free_groups_have_the_expected_figure():
    network = plan(family("flgc-mobilenetv2").build(groups=3, balanced=False))
    learned = [layer for _, layer in network.layers() if isinstance(getattr(layer, "learned", None), LearnedGrouping)]
    assert len(learned) == 17
    assert figure(network, "ptflops-aten") == count_plan(network).macs + 10
