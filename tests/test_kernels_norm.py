"""Kernels of batch normalisation, interpreted, against float64 and against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from interpreted import affine, exact, near, needs_triton, numbers, same
from torch import nn

from igcnas.kernels import norm
from igcnas.kernels.lazy import BOUNDS, Backward
from igcnas.kernels.switch import chosen

pytestmark = needs_triton


@pytest.fixture(autouse=True)
def _interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert chosen(torch.zeros(1))


@pytest.mark.parametrize("shape", [(2, 8, 1, 1), (3, 13, 5, 4), (2, 40, 6, 6)], ids=str)
def test_statistics_and_running_statistics_are_those_of_batch_norm(shape):
    x, channels = numbers(*shape), shape[1]
    layer = nn.BatchNorm2d(channels, eps=1e-3, momentum=0.3).double()
    with torch.no_grad():
        layer.weight.copy_(affine(channels).scale)
        layer.bias.copy_(affine(channels).shift)
    running = torch.zeros(channels), torch.ones(channels)
    moments = norm.statistics(x)
    options = {"epsilon": 1e-3, "momentum": 0.3, "running_mean": running[0], "running_variance": running[1]}
    batch_norm = norm.finish(moments, *affine(channels), **options)
    assert near(norm.apply(x, batch_norm.affine), layer(x.double()))
    assert near(running, (layer.running_mean, layer.running_var))
    evaluated = norm.apply(x, norm.evaluation_affine(*running, *affine(channels), epsilon=1e-3))
    assert near(evaluated, layer.eval()(x.double()))


def test_one_value_has_no_variance_and_leaves_no_nan():
    batch_norm = norm.finish(norm.statistics(numbers(1, 8, 1, 1)), epsilon=1e-5)
    assert all(vector.isfinite().all() for vector in (batch_norm.mean, batch_norm.inverse, *batch_norm.affine))


def test_a_large_mean_costs_no_digits_of_the_variance(monkeypatch):
    monkeypatch.setattr("igcnas.kernels.sizes.parts", lambda tiles, blocks: 1)  # so that a slot adds up many values
    x = numbers(4, 8, 12, 12) + 10_000
    _, _, squares = norm.statistics(x).merged()
    assert near(squares, 576 * x.double().var((0, 2, 3), correction=0), 1e-4)
    plain = (x**2).sum((0, 2, 3)) - 576 * x.mean((0, 2, 3)) ** 2
    assert not near(plain, squares, 0.1)
    batch_norm = norm.finish(norm.statistics(x), epsilon=1e-9)
    assert near(batch_norm.inverse, x.double().var((0, 2, 3), correction=0).rsqrt(), 1e-4)


def test_moments_of_many_programs_are_merged(monkeypatch):
    monkeypatch.setattr("igcnas.kernels.sizes.PARTS", 2)
    x = numbers(7, 8, 6, 6) + torch.arange(7).view(7, 1, 1, 1)
    moments = norm.statistics(x)
    assert len(moments.partials) > 4
    batch_norm = norm.finish(moments, epsilon=1e-5)
    assert near(batch_norm.mean, x.double().mean((0, 2, 3)))
    assert near(batch_norm.inverse, (x.double().var((0, 2, 3), correction=0) + 1e-5).rsqrt())
    _, sums = norm.backward_reduce(x, x, centre=batch_norm.mean)
    given = norm.coefficients(sums, batch_norm, 252, centre=batch_norm.mean)
    assert near(given.B, -batch_norm.inverse, 1e-4)


@pytest.mark.parametrize("activation", sorted(BOUNDS))
def test_the_derivative_at_a_bound_is_that_of_torch(activation):
    x = torch.tensor([-1.0, 0.0, 1.0, 5.0, 6.0, 7.0, -0.0, 3.0]).repeat(8).view(1, 8, 8, 1)
    x = x.contiguous(memory_format=torch.channels_last)
    leaf = x.clone().requires_grad_()
    stock: Any = {"none": torch.clone, "relu": torch.relu, "relu6": nn.functional.relu6}[activation]
    (expected,) = torch.autograd.grad(stock(leaf).sum(), leaf)
    given, _ = norm.backward_reduce(torch.ones_like(x), x, None, activation, store=True)
    assert torch.equal(given, expected)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(1, 5), st.integers(1, 5)),
    activation=st.sampled_from(sorted(BOUNDS)),
    residual=st.sampled_from((None, "none", "relu6")),
    add=st.sampled_from(("after", "before")),
    pending=st.booleans(),
)
def test_affine_activation_and_sum_and_their_gradients_equal_float64(shape, activation, residual, add, pending):
    x, g, r = (numbers(*shape, seed=seed) for seed in range(3))
    channels = shape[1]
    own = affine(channels) if pending else None
    added: dict[str, Any] = {}
    if residual is not None:
        lazy = affine(channels, seed=5) if residual == "relu6" else None
        added = {"residual": r, "residual_affine": lazy, "residual_activation": residual}
    assert near(
        norm.apply(x, own, activation, **added, add=add), exact(norm.apply, x, own, activation, **added, add=add)
    )
    before = added if add == "before" else {}
    for options in (before, before | {"store": True, "centre": affine(channels).shift}):
        given = norm.backward_reduce(g, x, own, activation, **options)
        assert near(given, exact(norm.backward_reduce, g, x, own, activation, **options))
    vectors = Backward(*(numbers(channels, seed=seed) for seed in range(3)), None, None)
    given = norm.backward_apply(g, x, vectors, own, activation, **before)
    assert near(given, exact(norm.backward_apply, g, x, vectors, own, activation, **before))


@pytest.mark.parametrize("add", ["after", "before"])
@pytest.mark.parametrize("centred", [True, False])
def test_the_gradients_are_those_of_autograd(add, centred):
    x, r, g = (numbers(3, 8, 4, 5, seed=seed) for seed in range(3))
    weight, bias = affine(8)
    leaves = [value.double().requires_grad_() for value in (x, r, weight, bias)]
    normed = nn.functional.batch_norm(leaves[0], None, None, leaves[2], leaves[3], training=True, eps=1e-5)
    out = torch.relu(normed) + leaves[1] if add == "after" else torch.relu(normed + leaves[1])
    expected = torch.autograd.grad(out, leaves, g.double())

    batch_norm = norm.finish(norm.statistics(x), weight, bias, epsilon=1e-5)
    pending = (batch_norm.affine, "relu")
    assert near(norm.apply(x, *pending, residual=r, add=add), out.detach())
    before = {"residual": r} if add == "before" else {}
    centre = batch_norm.mean if centred else None
    passed, sums = norm.backward_reduce(g, x, *pending, centre=centre, store=True, **before)
    backward = norm.coefficients(sums, batch_norm, 60, weight, centre=centre)
    assert near(norm.backward_apply(g, x, backward, *pending, **before), expected[0])
    assert near(norm.backward_apply(passed, x, backward), expected[0])
    assert near(passed if add == "before" else g, expected[1])
    assert near((backward.weight_gradient, backward.bias_gradient), expected[2:])


def test_gradients_of_parameters_go_where_they_are_wanted():
    x, g = numbers(2, 8, 3, 3), numbers(2, 8, 3, 3, seed=1)
    batch_norm = norm.finish(norm.statistics(x), *affine(8), epsilon=1e-5)
    _, sums = norm.backward_reduce(g, x)
    flat = torch.full((16,), torch.nan)
    norm.coefficients(sums, batch_norm, 18, affine(8).scale, weight_gradient=flat[:8], bias_gradient=flat[8:])
    assert near(flat[8:], g.double().sum((0, 2, 3)))
    assert flat.isfinite().all()


def test_two_runs_are_equal_bit_for_bit():
    x, g = numbers(2, 24, 5, 5), numbers(2, 24, 5, 5, seed=1)

    def results():
        batch_norm = norm.finish(norm.statistics(x), *affine(24), epsilon=1e-5)
        passed, sums = norm.backward_reduce(g, x, batch_norm.affine, "relu", centre=batch_norm.mean, store=True)
        backward = norm.coefficients(sums, batch_norm, 50, affine(24).scale, centre=batch_norm.mean)
        return batch_norm, passed, sums, backward, norm.backward_apply(passed, x, backward)

    assert same(results(), results())


@pytest.mark.parametrize("parts", [1, 5, 40])
def test_a_buffer_of_partial_results_is_added_up(parts):
    partials = numbers(parts, 70)
    assert near(norm.total(partials, out=torch.full((7, 10), torch.nan)), partials.double().sum(0).view(7, 10))


def test_an_unknown_activation_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown activation 'swish'; known: none, relu, relu6"):
        norm.apply(numbers(1, 8, 2, 2), None, "swish")
