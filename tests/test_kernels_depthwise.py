"""Depthwise kernels, interpreted, against float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from interpreted import affine, exact, gradient_affine, near, needs_triton, numbers, same

from igcnas.kernels import depthwise
from igcnas.kernels.lazy import BOUNDS
from igcnas.kernels.switch import chosen

pytestmark = needs_triton
SHAPES = [(1, 8, 1, 1), (2, 13, 5, 7), (1, 40, 9, 3)]


@pytest.fixture(autouse=True)
def _interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert chosen(torch.zeros(1))


def case(shape: tuple[int, ...], kernel: int, stride: int, dtype: torch.dtype = torch.float32) -> tuple[Any, ...]:
    """x, weights, the gradient of the output, and a raw output."""
    B, C, H, W = shape
    out = (B, C, -(-H // stride), -(-W // stride))
    weight = numbers(C, kernel * kernel, seed=1).view(C, 1, kernel, kernel)
    return numbers(*shape, dtype=dtype), weight, numbers(*out, seed=2, dtype=dtype), numbers(*out, seed=3, dtype=dtype)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
def test_all_three_equal_float64(shape, stride, kernel):
    x, weight, g, y = case(shape, kernel, stride)
    pending = {"affine": affine(shape[1]), "activation": "relu6"}
    lazy = {"gradient_affine": gradient_affine(y)}
    forward = (depthwise.forward, x, weight, stride)
    assert near(*(call(*forward, **pending, statistics=True) for call in (run, exact)))
    backward = (depthwise.input_grad, g, weight, stride, shape[2:])
    options = lazy | pending | {"x": x, "centre": affine(shape[1]).shift}
    assert near(*(call(*backward, **options) for call in (run, exact)))
    weights = (depthwise.weight_grad, x, g, stride, kernel)
    assert near(*(call(*weights, **lazy, **pending) for call in (run, exact)))


def run(operation, *values, **options):
    return operation(*values, **options)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 20), st.integers(1, 6), st.integers(1, 6)),
    stride=st.sampled_from((1, 2)),
    activation=st.sampled_from(sorted(BOUNDS)),
    pending=st.booleans(),
    lazy=st.booleans(),
    derivative=st.booleans(),
)
def test_whatever_is_pending_is_done_on_load(shape, stride, activation, pending, lazy, derivative):
    x, weight, g, y = case(shape, 3, stride)
    before: dict[str, Any] = {"activation": activation, "affine": affine(shape[1]) if pending else None}
    behind = {"gradient_affine": gradient_affine(y) if lazy else None}
    for operation, values, options in (
        (depthwise.forward, (x, weight, stride), before),
        (depthwise.input_grad, (g, weight, stride, shape[2:]), behind | (before | {"x": x} if derivative else {})),
        (depthwise.weight_grad, (x, g, stride, 3), before | behind),
    ):
        assert near(operation(*values, **options), exact(operation, *values, **options))


@pytest.mark.parametrize("stride", [1, 2])
def test_bf16_is_cast_up_on_load_and_rounded_once(stride):
    """The interpreter cuts bits off where a device rounds them; hence the tolerance."""
    x, weight, g, y = case((2, 8, 6, 5), 3, stride, torch.bfloat16)
    before: dict[str, Any] = {"activation": "relu", "affine": affine(8)}
    behind = {"gradient_affine": gradient_affine(y)}
    for operation, values, options in (
        (depthwise.forward, (x, weight, stride), before | {"statistics": True}),
        (depthwise.input_grad, (g, weight, stride, (6, 5)), behind | before | {"x": x}),
        (depthwise.weight_grad, (x, g, stride, 3), before | behind),
    ):
        assert near(operation(*values, **options), exact(operation, *values, **options), 2e-2)
    assert depthwise.forward(x, weight, stride)[0].dtype == torch.bfloat16


def test_two_runs_are_equal_bit_for_bit_and_do_not_depend_on_what_was_in_memory():
    x, weight, g, y = case((2, 16, 6, 6), 3, 1)
    options = {"gradient_affine": gradient_affine(y), "x": x, "affine": affine(16), "activation": "relu"}

    def results():
        return (
            depthwise.forward(x, weight, 1, statistics=True),
            depthwise.input_grad(g, weight, 1, (6, 6), **options),
            depthwise.weight_grad(x, g, 1, 3, out=torch.full((16, 1, 3, 3), torch.nan)),
        )

    assert same(results(), results())


def test_a_nan_stays_one():
    x, weight, _, _ = case((1, 8, 3, 3), 3, 1)
    x[0, 3, 1, 1] = torch.nan
    y, _ = depthwise.forward(x, weight, 1, activation="relu6")
    assert y[0, 3].isnan().all()
    assert not y[0, :3].isnan().any()


@pytest.mark.parametrize(("stride", "shape"), [(1, (5, 8, 18, 5)), (2, (5, 8, 35, 9))])
def test_many_tiles_are_shared_by_few_programs_and_meet_at_their_seams(monkeypatch, stride, shape):
    monkeypatch.setattr("igcnas.kernels.sizes.parts", lambda tiles, blocks: min(tiles, 3))
    assert depthwise.rows(18) == 9
    x, weight, g, _ = case(shape, 3, stride)
    y, moments = depthwise.forward(x, weight, stride, statistics=True)
    assert moments.partials.shape == (3, 3, 8)
    assert near((y, moments), exact(depthwise.forward, x, weight, stride, statistics=True))
    assert near(depthwise.weight_grad(x, g, stride, 3), exact(depthwise.weight_grad, x, g, stride, 3))
    given = depthwise.input_grad(g, weight, stride, shape[2:], x=x)
    assert near(given, exact(depthwise.input_grad, g, weight, stride, shape[2:], x=x))


@pytest.mark.parametrize(
    ("weight", "stride", "words"),
    [((8, 1, 7, 7), 1, "k one of"), ((8, 1, 3, 3), 3, "stride must be"), ((8, 1, 3, 3), 1, "is not channels_last")],
)
def test_what_cannot_be_computed_is_refused(weight, stride, words):
    x = torch.zeros(2, 8, 4, 4)
    if "channels_last" not in words:
        x = x.contiguous(memory_format=torch.channels_last)
    with pytest.raises(ValueError, match=words):
        depthwise.forward(x, torch.zeros(weight), stride)
