"""Zero-cost scores: values worked out by hand on tiny networks, and every network that can be built has them."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Any

import pytest
import torch
from conftest import architectures, gated_architectures
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from igcnas.errors import IgcnasError
from igcnas.modules.build import build
from igcnas.modules.layers.flgc import FullyLearnableGroupConv
from igcnas.modules.layers.msgc import MultiSpectralConv
from igcnas.modules.layers.simple import Add, GatedSequential, GlobalAveragePool
from igcnas.network import primitives
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock
from igcnas.network.cost import count
from igcnas.network.grouping import DENSE, LearnedGrouping, MultiSpectral
from igcnas.network.literature import family
from igcnas.network.plan import plan
from igcnas.network.primitives import Convolution
from igcnas.results.audit.scores import COUNTS, SCORES, naswot, score, snip, synflow
from igcnas.results.audit.scores.naswot import agreement
from igcnas.results.audit.scores.weights import weights

_NONE = torch.zeros(0, dtype=torch.int64)


def linear(*rows: list[float]) -> nn.Linear:
    layer = nn.Linear(len(rows[0]), len(rows), bias=False)
    layer.weight = nn.Parameter(torch.tensor(rows))
    return layer


def conv(*rows: list[float]) -> nn.Conv2d:
    layer = nn.Conv2d(len(rows[0]), len(rows), 1, bias=False)
    layer.weight = nn.Parameter(torch.tensor(rows)[:, :, None, None])
    return layer


def small() -> Architecture:
    stage = Stage(block=BasicBlock(grouping=DENSE), width=4, repeats=1, stride=1)
    return Architecture(family="t", input_shape=(1, 8, 8), num_classes=3, stem_channels=4, stages=(stage,))


# Synflow


def test_synflow_of_two_linear_layers_is_twice_the_sum_of_their_absolute_paths() -> None:
    # |A| = [[1, 2], [3, 4]] and |b| = [5, 6] make R = 5 * 3 + 6 * 7 = 57; each layer's w dR/dw adds up to R.
    network = nn.Sequential(linear([1.0, -2.0], [-3.0, 4.0]), linear([5.0, -6.0]))
    assert synflow(network, torch.zeros(1, 2), _NONE) == pytest.approx(math.log(2 * 57))


def test_synflow_of_a_residual_block_weighs_paths_by_their_length() -> None:
    # y = 2 (x + 3 x) on 2x2 pixels of ones, averaged: R = 8; the classifier has 8 of w dR/dw, the body 6.
    network = nn.Sequential(Add(conv([-3.0]), nn.Sequential()), GlobalAveragePool(), linear([2.0]))
    assert synflow(network, torch.zeros(7, 1, 2, 2), _NONE) == pytest.approx(math.log(14))


def test_synflow_passes_over_norms_and_rectifiers() -> None:
    norm = nn.BatchNorm2d(1)
    norm.weight = nn.Parameter(torch.tensor([0.1]))
    network = nn.Sequential(conv([9.0]), norm, nn.ReLU6(), GlobalAveragePool(), linear([1.0]))
    assert synflow(network, torch.zeros(2, 1, 3, 3), _NONE) == pytest.approx(math.log(18))  # 9 is above 6


def test_synflow_sees_the_groups_that_signs_decide() -> None:
    torch.manual_seed(0)
    convolution = primitives.Convolution("c", 8, 8, 1, 1, 1, (1, 1), LearnedGrouping(groups=2))
    layer = FullyLearnableGroupConv(convolution)
    assert torch.equal(layer.mask().sum(1), torch.full((8,), 4.0))
    network = nn.Sequential(layer, GlobalAveragePool(), linear([1.0] * 8))
    flow = (layer.weight[:, :, 0, 0].abs() * layer.mask()).sum().item()
    assert synflow(network, torch.zeros(1, 8, 1, 1), _NONE) == pytest.approx(math.log(2 * flow), rel=1e-6)
    assert weights(network) == [layer.weight, network[2].weight]


def test_synflow_of_a_gated_convolution_has_every_gate_open() -> None:
    gates_of = MultiSpectral(heads=2, attention=True)
    layer = MultiSpectralConv(Convolution("c", 3, 4, 1, 1, 1, (2, 2), gates_of, context_channels=3))
    nn.init.constant_(layer.weight, -2.0)
    gates = [child for child in layer.mask_generator.children() if isinstance(child, nn.Linear)]
    nn.init.constant_(gates[-1].bias, -9.0)
    network = nn.Sequential(GatedSequential(OrderedDict(c=layer)), GlobalAveragePool(), linear([1.0] * 4))
    assert synflow(network, torch.zeros(1, 3, 2, 2), _NONE) == pytest.approx(math.log(2 * 4 * 3 * 2))


def test_synflow_of_a_deep_network_does_not_overflow() -> None:
    deep = plan(family("resnet").from_text(["depth=110"]))
    value = synflow(build(deep), torch.zeros(1, 3, 32, 32), _NONE)
    assert math.log(1e38) < value < math.log(1e308)  # float32 could not hold it


# NASWOT


def test_naswot_counts_the_bits_in_which_images_agree() -> None:
    # Codes of three images with four values: 1100, 1010, 0111. K = [[4, 2, 1], [2, 4, 1], [1, 1, 4]], determinant 44.
    images = torch.tensor([[1.0, 1, -1, -1], [1, -1, 1, -1], [-1, 1, 1, 1]])[:, None, :, None]
    network = nn.Sequential(nn.ReLU())
    expected = torch.tensor([[4.0, 2, 1], [2, 4, 1], [1, 1, 4]]).double()
    assert torch.equal(agreement(network, images), expected)
    assert naswot(network, images, _NONE) == pytest.approx(math.log(44))


def test_naswot_adds_up_all_layers_and_takes_zero_as_off() -> None:
    images = torch.tensor([[1.0], [0.0]])[:, None, :, None]
    network = nn.Sequential(nn.ReLU(), nn.ReLU6(), conv([-1.0]), nn.ReLU())
    # Bits 110 and 000, and their third is the same: K = [[3, 1], [1, 3]].
    assert naswot(network, images, _NONE) == pytest.approx(math.log(8))


def test_naswot_of_two_images_with_one_code_is_minus_infinity() -> None:
    images = torch.tensor([[1.0, -1], [2, -3], [-1, 1]])[:, None, :, None]
    assert naswot(nn.Sequential(nn.ReLU()), images, _NONE) == -math.inf


# SNIP


def test_snip_is_the_sum_of_weight_times_gradient() -> None:
    # Logits (w1 x, w2 x) with x = 1, w = (log 3, 0): probabilities 3/4 and 1/4. dL/dw = p - label = (-1/4, 1/4).
    network = nn.Sequential(linear([math.log(3.0)], [0.0]))
    assert snip(network, torch.ones(2, 1), torch.tensor([0, 0])) == pytest.approx(math.log(3.0) / 4)


def test_snip_adds_up_convolutions_and_linear_layers_and_leaves_out_norms_and_biases() -> None:
    architecture = small()
    torch.manual_seed(0)
    network, images = build(plan(architecture)), torch.randn(4, 1, 8, 8)
    network.train()
    nn.functional.cross_entropy(network(images), torch.tensor([0, 1, 0, 1])).backward()  # type: ignore[no-untyped-call]
    layers = [m.weight for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    expected = sum((w * w.grad).abs().sum().item() for w in layers if w.grad is not None)
    network.zero_grad()
    assert snip(network, images, torch.tensor([0, 1, 0, 1])) == pytest.approx(expected, rel=1e-5)


# All of them


def of(architecture: Architecture, name: str, *, seed: int = 5) -> float:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(6, *architecture.input_shape, generator=generator)
    labels = torch.randint(architecture.num_classes, (6,), generator=generator)
    return score(name, architecture, images, labels, seed=seed)


def check(architecture: Architecture) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    found = {name: of(architecture, name) for name in (*SCORES, *COUNTS)}
    assert torch.equal(torch.get_rng_state(), before)
    assert {name: of(architecture, name) for name in found} == found
    assert all(isinstance(value, float) and not math.isnan(value) for value in found.values())
    assert math.isfinite(found["synflow"])
    assert math.isfinite(found["snip"])
    assert found["macs"] == count(architecture).macs
    assert found["params"] == count(architecture).params


@settings(max_examples=25)
@given(architectures(learned=True))
def test_every_network_has_every_score_and_the_same_one_each_time(architecture: Architecture) -> None:
    check(architecture)


@settings(max_examples=15)
@given(gated_architectures())
def test_networks_in_which_each_image_chooses_have_them_too(architecture: Architecture) -> None:
    check(architecture)


@settings(max_examples=10)
@given(st.one_of(architectures(learned=True), gated_architectures()), st.sampled_from(sorted(SCORES)))
def test_a_score_leaves_the_network_as_it_was(architecture: Architecture, name: str) -> None:
    network = build(plan(architecture)).train()
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    images = torch.randn(5, *architecture.input_shape)
    SCORES[name](network, images, torch.zeros(5, dtype=torch.int64))
    after: dict[str, Any] = network.state_dict()
    assert all(torch.equal(after[key], tensor) for key, tensor in before.items())
    assert all(p.grad is None for p in network.parameters())
    assert network.training


def test_the_seed_is_that_of_the_first_weights() -> None:
    architecture = small()
    torch.manual_seed(5)
    network = build(plan(architecture))
    assert of(architecture, "synflow") == synflow(network, torch.zeros(1, 1, 8, 8), _NONE)
    assert of(architecture, "snip", seed=6) != of(architecture, "snip")


def test_an_unknown_score_lists_the_known_ones() -> None:
    architecture = small()
    with pytest.raises(IgcnasError, match=r"unknown score 'synflo'; did you mean 'synflow'\? known: macs, naswot, par"):
        of(architecture, "synflo")
