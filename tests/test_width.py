"""The width solver finds the widest network that fits, and counts few."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igcnas.network.architecture import Architecture
from igcnas.network.budget import macs_budget
from igcnas.network.cost import count
from igcnas.network.literature import igc, resnet
from igcnas.network.width import widest


def network(n: int) -> Architecture:
    return resnet(width=n, depth=8, size=8)


def stepped(n: int) -> Architecture:
    return network(-(-n // 3))  # three n share a width


def macs(n: int) -> int:
    return count(network(n)).macs


@pytest.mark.parametrize("build", [network, stepped])
@given(target=st.integers(0, macs(40)), limit=st.integers(1, 45))
def test_widest_is_the_largest_n_that_fits(build, target, limit):
    fitting = [n for n in range(1, limit + 1) if count(build(n)).macs <= target]
    fit = widest(build, macs_budget(target), most=limit)
    assert (fit.n if fit else None) == max(fitting, default=None)


@given(n=st.integers(1, 60))
def test_a_target_met_exactly_gives_that_network(n):
    fit = widest(network, macs_budget(macs(n)), most=100)
    assert fit is not None
    assert (fit.n, fit.architecture, fit.used) == (n, network(n), macs(n))


@given(n=st.integers(2, 60))
def test_one_mac_less_gives_the_next_smaller_network(n):
    fit = widest(network, macs_budget(macs(n) - 1), most=100)
    assert fit is not None
    assert fit.n == n - 1


def test_nothing_fits_below_the_smallest_network():
    assert widest(network, macs_budget(macs(1) - 1), most=100) is None


def test_limit_is_never_passed_even_to_look():
    asked = []

    def build(n: int) -> Architecture:
        asked.append(n)
        return network(n)

    fit = widest(build, macs_budget(10**15), most=37)
    assert fit is not None
    assert fit.n == 37
    assert max(asked) == 37


@pytest.mark.parametrize("n", [1, 7, 300, 4095, 4096])
def test_about_two_log_n_networks_are_counted(n):
    asked = []

    def build(n: int) -> Architecture:
        asked.append(n)
        return igc(L=n, M=2, depth=8, size=8)

    fit = widest(build, macs_budget(count(igc(L=n, M=2, depth=8, size=8)).macs), most=1 << 16)
    assert fit is not None
    assert fit.n == n
    assert len(asked) <= 2 * math.log2(n) + 3


def test_published_igc_comes_back_at_its_published_cost():
    fit = widest(lambda n: igc(L=n, M=2), macs_budget(28_755_840), most=1000)
    assert fit is not None
    assert fit.architecture == igc(L=24, M=2)


def test_a_fit_is_the_network_it_counted():
    fit = widest(lambda n: dataclasses.replace(network(n), family="named"), macs_budget(100_000), most=64)
    assert fit is not None
    assert count(fit.architecture).macs == fit.used <= 100_000
