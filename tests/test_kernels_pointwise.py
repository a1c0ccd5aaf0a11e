"""Kernels of grouped 1x1 convolutions, interpreted, against float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from interpreted import affine, exact, gradient_affine, near, needs_triton, numbers, same

from igcnas.kernels import pointwise
from igcnas.kernels.lazy import BOUNDS
from igcnas.kernels.switch import chosen

pytestmark = needs_triton


@pytest.fixture(autouse=True)
def _interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert chosen(torch.zeros(1))


def case(
    size: tuple[int, int, int], groups: int, in_group: int, out_group: int, dtype=torch.float32
) -> tuple[Any, ...]:
    """x, weights, the gradient of the output, and a raw output."""
    B, H, W = size
    x = numbers(B, groups * in_group, H, W, dtype=dtype)
    weight = numbers(groups * out_group, in_group, seed=1)
    return x, weight, *(numbers(B, groups * out_group, H, W, seed=seed, dtype=dtype) for seed in (2, 3))


def all_three(case, groups, *, index=None, pending: dict[str, Any], behind: dict[str, Any], derivative=True):
    x, weight, g, _ = case
    yield pointwise.forward, (x, weight, groups), pending | {"index": index, "statistics": True}
    options = behind | {"index": index} | (pending | {"x": x, "centre": affine(x.shape[1]).shift} if derivative else {})
    yield pointwise.input_grad, (g, weight, groups), options
    yield pointwise.weight_grad, (x, g, groups), pending | behind | {"index": index}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)),
    groups=st.integers(1, 9),
    in_group=st.sampled_from((1, 2, 3, 4, 8, 13, 16, 24)),
    out_group=st.sampled_from((1, 2, 3, 4, 8, 13, 16, 24)),
    permuted=st.booleans(),
    pending=st.booleans(),
    lazy=st.booleans(),
    derivative=st.booleans(),
    activation=st.sampled_from(sorted(BOUNDS)),
)
def test_all_three_equal_float64(size, groups, in_group, out_group, permuted, pending, lazy, derivative, activation):
    drawn = case(size, groups, in_group, out_group)
    channels = groups * in_group
    index = torch.randperm(channels, generator=torch.Generator().manual_seed(channels)) if permuted else None
    before: dict[str, Any] = {"activation": activation, "affine": affine(channels) if pending else None}
    behind = {"gradient_affine": gradient_affine(drawn[3]) if lazy else None}
    calls = all_three(drawn, groups, index=index, pending=before, behind=behind, derivative=derivative)
    for operation, values, options in calls:
        assert near(operation(*values, **options), exact(operation, *values, **options))


@pytest.mark.parametrize(("groups", "in_group", "out_group"), [(1, 96, 72), (2, 72, 40), (24, 8, 4), (5, 3, 30)])
def test_groups_wider_and_narrower_than_a_tile(groups, in_group, out_group):
    drawn = case((3, 5, 5), groups, in_group, out_group)
    pending = {"affine": affine(groups * in_group), "activation": "relu6"}
    for operation, values, options in all_three(drawn, groups, pending=pending, behind={}):
        assert near(operation(*values, **options), exact(operation, *values, **options))


def test_an_index_is_the_permutation_in_front():
    x, weight, _, _ = case((2, 3, 3), 2, 8, 8)
    index = torch.randperm(16, generator=torch.Generator().manual_seed(0))
    permuted = x[:, index].contiguous(memory_format=torch.channels_last)
    assert torch.equal(pointwise.forward(x, weight, 2, index=index)[0], pointwise.forward(permuted, weight, 2)[0])


def test_bf16_is_cast_up_on_load_and_rounded_once():
    drawn = case((2, 4, 4), 2, 16, 8, torch.bfloat16)
    pending = {"affine": affine(32), "activation": "relu"}
    behind = {"gradient_affine": gradient_affine(drawn[3])}
    for operation, values, options in all_three(drawn, 2, pending=pending, behind=behind):
        assert near(operation(*values, **options), exact(operation, *values, **options), 2e-2)


def test_two_runs_are_equal_bit_for_bit():
    drawn = case((2, 5, 5), 3, 8, 16)
    for operation, values, options in all_three(drawn, 3, pending={"activation": "relu"}, behind={}):
        assert same(operation(*values, **options), operation(*values, **options))


def test_moments_of_many_tiles_are_merged_whatever_the_mean():
    x, weight, _, _ = case((8, 6, 6), 1, 16, 8)
    x = x + 100 * torch.arange(8).view(8, 1, 1, 1)
    for programs in (1, 3):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("igcnas.kernels.sizes.parts", lambda tiles, blocks, _=0, most=programs: min(tiles, most))
            _, moments = pointwise.forward(x, weight, 1, statistics=True)
        assert len(moments.partials) == programs
        assert near(moments, exact(pointwise.forward, x, weight, 1, statistics=True)[1])


def test_weights_that_do_not_fit_are_refused():
    x = numbers(1, 8, 2, 2)
    with pytest.raises(ValueError, match="do not join 8 channels in 3 groups"):
        pointwise.forward(x, torch.zeros(9, 2), 3)
