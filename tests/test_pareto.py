"""The front equals its definition."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igcnas.statistics.pareto import pareto_front

points = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=25)


def beats(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] <= b[0] and a[1] >= b[1] and a != b


def front_of(pairs: list[tuple[int, int]]) -> list[int]:
    return pareto_front([macs for macs, _ in pairs], [float(accuracy) for _, accuracy in pairs])


@given(points)
def test_front_is_every_first_point_that_no_other_beats(pairs):
    unbeaten = {i for i, a in enumerate(pairs) if a not in pairs[:i] and not any(beats(b, a) for b in pairs)}
    front = front_of(pairs)
    assert len(front) == len(unbeaten)
    assert set(front) == unbeaten


@given(points)
def test_front_goes_from_cheap_to_expensive_and_gains_accuracy_at_every_step(pairs):
    chosen = [pairs[i] for i in front_of(pairs)]
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in itertools.pairwise(chosen))


def test_front_drops_a_network_that_costs_more_for_no_gain():
    assert pareto_front([10, 20], [80.0, 80.0]) == [0]


def test_front_drops_the_worse_of_two_at_one_cost():
    assert pareto_front([10, 10], [70.0, 80.0]) == [1]


def test_of_equal_networks_the_first_stays():
    assert pareto_front([10, 10, 10], [80.0, 80.0, 80.0]) == [0]


def test_nothing_has_an_empty_front():
    assert pareto_front([], []) == []


def test_nan_is_an_error():
    with pytest.raises(ValueError, match="accuracy contains NaN"):
        pareto_front([10, 20], [80.0, math.nan])
