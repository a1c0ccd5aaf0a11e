"""The baselines at a budget: the published ones at the published budgets, and never over it."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igcnas.network.architecture import Architecture
from igcnas.network.baselines import baselines
from igcnas.network.budget import macs_budget
from igcnas.network.cost import count
from igcnas.network.literature import igc, igcv3, mobilenetv2, resnet

SHAPE = (3, 32, 32)


@pytest.mark.parametrize(
    ("name", "macs", "network"),
    [
        ("ResNet-20", 40_813_184, resnet()),
        ("IGC-LxM2 D20", 28_755_840, igc()),
        ("MobileNetV2", 91_154_944, mobilenetv2()),
        ("IGCV3-D", 93_531_648, igcv3()),
    ],
)
def test_published_network_comes_back_at_its_published_budget(name, macs, network):
    fit = baselines(SHAPE, 10, macs_budget(macs))[name]
    assert fit.used == macs
    assert fit.architecture == network


@pytest.mark.parametrize("name", ["ResNet-20", "IGC-LxM2 D20", "MobileNetV2", "IGCV3-D"])
def test_one_mac_below_the_published_budget_gives_a_narrower_network(name):
    exact = baselines(SHAPE, 10, macs_budget(93_531_648))[name]
    narrower = baselines(SHAPE, 10, macs_budget(exact.used - 1))[name]
    assert narrower.used < exact.used
    assert narrower.n < exact.n


@given(
    shape=st.tuples(st.sampled_from((1, 3)), st.integers(8, 64), st.integers(8, 64)),
    classes=st.integers(2, 100),
    budget=st.integers(0, 10**8),
)
@settings(max_examples=50)
def test_nothing_is_over_budget_or_of_another_shape(shape, classes, budget):
    for fit in baselines(shape, classes, macs_budget(budget)).values():
        assert count(fit.architecture).macs == fit.used <= budget
        assert fit.architecture.input_shape == shape
        assert fit.architecture.num_classes == classes


@pytest.mark.parametrize("budget", [2_000_000, 20_000_000])
def test_every_baseline_is_as_wide_as_the_budget_allows(budget):
    wider = {
        "ResNet-20": lambda n: resnet(width=n, size=28, channels=1),
        "IGC-LxM2 D20": lambda n: igc(L=n, size=28, channels=1),
    }
    fits = baselines((1, 28, 28), 10, macs_budget(budget))
    for name, build in wider.items():
        assert fits[name].architecture == build(fits[name].n)
        assert count(build(fits[name].n + 1)).macs > budget


def test_every_baseline_fits_a_middling_budget():
    assert set(baselines(SHAPE, 10, macs_budget(10_000_000))) == {"ResNet-20", "IGC-LxM2 D20", "MobileNetV2", "IGCV3-D"}


def test_head_of_a_narrower_igcv3_is_narrower_too():
    fit = baselines(SHAPE, 10, macs_budget(40_000_000))["IGCV3-D"]
    assert fit.architecture.head_channels == 1280 * fit.n // 256 < 1280


def test_tiny_budget_has_no_baselines():
    assert baselines(SHAPE, 10, macs_budget(1000)) == {}


def test_images_that_are_not_square_are_kept():
    fit = baselines((3, 32, 48), 10, macs_budget(40_813_184))["ResNet-20"]
    square: Architecture = dataclasses.replace(fit.architecture, input_shape=SHAPE)
    assert fit.architecture.input_shape == (3, 32, 48)
    assert count(square).macs < fit.used
