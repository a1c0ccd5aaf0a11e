"""How long a search will take is told by one network of each sort, whatever their order and number."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.networks import searched

from igcnas.network.architecture import Architecture
from igcnas.network.baselines import baselines
from igcnas.network.budget import macs_budget
from igcnas.network.cost import count
from igcnas.search.expected import mean_seconds, to_measure

KNOWN = [one.architecture for one in baselines((1, 8, 8), 5, macs_budget(150_000)).values()]
SMALL = [one.architecture for one in baselines((1, 8, 8), 5, macs_budget(50_000)).values()]
SAMPLES = searched("all")


def seconds(network: Architecture, power: float) -> float:
    """A family takes what its name says."""
    return len(network.family) * count(network).macs ** power


def test_one_network_of_each_sort_is_measured_and_none_where_a_known_one_is_of_it():
    alone = to_measure(SAMPLES, [])
    assert {one.family for one in alone} == {one.family for one in SAMPLES}
    assert max(Counter(one.family for one in alone).values()) <= 2  # with learned groupings, and without
    assert to_measure(SAMPLES, alone) == alone
    beside = to_measure(SAMPLES, KNOWN)
    assert beside[: len(KNOWN)] == tuple(KNOWN)
    assert 0 < len(beside) - len(KNOWN) < len(alone)


@pytest.mark.parametrize("power", [0.3, 0.7, 1.0])
def test_where_seconds_are_a_power_of_macs_in_each_family_the_mean_is_exact(power):
    looked_at = to_measure(SAMPLES, [*KNOWN, *SMALL])
    measured = [(one, seconds(one, power)) for one in looked_at]
    exact = sum(seconds(one, power) for one in SAMPLES) / len(SAMPLES)
    assert mean_seconds(SAMPLES, measured) == pytest.approx(exact)


@given(st.lists(st.floats(0.01, 100), min_size=len(KNOWN), max_size=len(KNOWN)), st.randoms())
def test_the_mean_is_positive_and_does_not_depend_on_an_order(times, random):
    measured = list(zip(KNOWN, times, strict=True))
    found = mean_seconds(SAMPLES, measured)
    random.shuffle(measured)
    assert found > 0
    assert mean_seconds(SAMPLES[::-1], measured) == pytest.approx(found)


def test_a_sort_of_few_samples_is_not_measured():
    few = [*[KNOWN[0]] * 39, SMALL[-1]]
    assert {one.family for one in (KNOWN[0], SMALL[-1])} == {"resnet", "mobilenetv2"}
    assert to_measure(few, []) == (KNOWN[0],)
    assert to_measure([*few, SMALL[-1], SMALL[-1]], []) == (KNOWN[0], SMALL[-1])


def test_nothing_is_expected_where_nothing_was_measured():
    assert mean_seconds(SAMPLES, []) == mean_seconds([], [(KNOWN[0], 1.0)]) == 0
