"""The Gaussian process over structures: what it predicts, against the formula, and how it is fitted."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import check_grad, minimize

from igcnas.search.proposals.gaussian import Axis, GaussianProcess, distances, encode, negative_log_posterior

AXES = [Axis("kind", None), Axis("depth", {1: 0.0, 2: 0.5, 3: 1.0}), Axis("a.groups", {1: 0.0, 2: 0.5, 4: 1.0})]


def some_structures(count: int, seed: int = 0) -> Any:
    draws = random.Random(seed)
    every = []
    for _ in range(count):
        structure = {"kind": draws.choice("abc"), "depth": draws.choice((1, 2, 3))}
        if structure["kind"] == "a":
            structure["a.groups"] = draws.choice((1, 2, 4))
        every.append(structure)
    return encode(every, AXES, {})


def test_the_gradient_of_the_process_is_that_of_its_loss() -> None:
    structures = some_structures(12)
    generator = np.random.default_rng(0)
    loss = negative_log_posterior(
        distances(structures, structures), generator.normal(size=12), generator.uniform(1, 4, size=12)
    )
    for seed in range(5):
        logs = np.random.default_rng(seed).normal(size=5)
        error = check_grad(lambda x: loss(x)[0], lambda x: loss(x)[1], logs)
        assert error < 1e-4 * max(1.0, np.abs(loss(logs)[1]).max())


def test_the_loss_is_the_density_of_the_scores_and_of_the_priors() -> None:
    """Priors are log-normal: weights around 1/2 and the noise around 0.1 give or take e, the scale around 1 and e/2."""
    structures = some_structures(8)
    generator = np.random.default_rng(0)
    scores, uncertainty = generator.normal(size=8), generator.uniform(1, 4, size=8)
    loss = negative_log_posterior(distances(structures, structures), scores, uncertainty)

    def by_hand(logs: Any) -> float:
        weights, scale, noise = np.exp(logs[:3]), np.exp(logs[3]), np.exp(logs[4])
        kernel = scale * np.exp(-np.tensordot(weights, distances(structures, structures), 1))
        told = stats.multivariate_normal(np.zeros(8), kernel + np.diag(noise * uncertainty)).logpdf(scores)
        priors = stats.norm(np.log([0.5, 0.5, 0.5, 1.0, 0.1]), [1, 1, 1, 0.5, 1]).logpdf(logs).sum()
        return -float(told + priors)

    one, other = generator.normal(size=(2, 5))
    assert loss(one)[0] - loss(other)[0] == pytest.approx(by_hand(one) - by_hand(other), rel=1e-3)


@given(st.integers(0, 10_000), st.floats(0.01, 50), st.floats(0.01, 50), st.floats(0.01, 50))
def test_no_weights_make_the_covariance_indefinite(seed: int, kind: float, depth: float, groups: float) -> None:
    structures = some_structures(15, seed)
    covariance = np.exp(-np.tensordot(np.array([kind, depth, groups]), distances(structures, structures), 1))
    assert np.linalg.eigvalsh(covariance).min() > -1e-9


def test_the_process_is_sure_where_it_has_seen_much_and_not_elsewhere() -> None:
    codes: dict[Any, float] = {}
    seen = encode([{"kind": "a", "depth": 1, "a.groups": 2}] * 20 + [{"kind": "b", "depth": 3}] * 20, AXES, codes)
    process = GaussianProcess.fit(seen, np.array([1.0] * 20 + [-1.0] * 20), np.ones(40))
    asked = [{"kind": "a", "depth": 1, "a.groups": 2}, {"kind": "b", "depth": 3}, {"kind": "c", "depth": 2}]
    mean, spread = process.predict(encode(asked, AXES, codes))
    assert mean[0] == pytest.approx(1, abs=0.1)
    assert mean[1] == pytest.approx(-1, abs=0.1)
    assert abs(mean[2]) < 0.5
    assert spread[2] > 3 * max(spread[:2])


def test_a_pruned_score_moves_the_process_less_than_a_finished_one() -> None:
    codes: dict[Any, float] = {}
    structures = encode([{"kind": "a", "depth": 1}, {"kind": "b", "depth": 1}], AXES, codes)
    scores = np.array([1.0, -1.0])
    there = encode([{"kind": "a", "depth": 1}], AXES, codes)
    finished = GaussianProcess.fit(structures, scores, np.ones(2)).predict(there)[0]
    pruned = GaussianProcess.fit(structures, scores, np.array([20.0, 1.0])).predict(there)[0]
    assert pruned < finished


def textbook(kernel: Any, noise: Any, scores: Any, cross: Any, scale: float) -> tuple[Any, Any]:
    inverse = np.linalg.inv(kernel + np.diag(noise))
    return cross @ inverse @ scores, np.sqrt(scale - np.einsum("ij,jk,ik->i", cross, inverse, cross))


def test_distances_are_1_between_names_steps_between_numbers_and_a_half_where_one_has_no_such_choice() -> None:
    one = encode([{"kind": "a", "depth": 1, "a.groups": 2}, {"kind": "b", "depth": 3}], AXES, codes := {})
    other = encode([{"kind": "b", "depth": 2}, {"kind": "a", "depth": 1, "a.groups": 4}], AXES, codes)
    assert distances(one, other) == pytest.approx(
        np.array([[[1, 0], [0, 1]], [[0.5, 0], [0.5, 1]], [[0.5, 0.5], [0, 0.5]]])
    )


def test_the_process_predicts_what_the_textbook_says_and_is_surer_where_it_believes_something() -> None:
    structures, asked = some_structures(12), some_structures(5, seed=3)
    generator = np.random.default_rng(0)
    scores, uncertainty = generator.normal(size=12), generator.uniform(1, 4, size=12)
    process = GaussianProcess.fit(structures, scores, uncertainty)

    def kernel(first: Any, second: Any) -> Any:
        return process.scale * np.exp(-np.tensordot(process.weights, distances(first, second), 1))

    noise = process.noise * uncertainty + 1e-6
    mean, spread = process.predict(asked)
    by_hand = textbook(kernel(structures, structures), noise, scores, kernel(asked, structures), process.scale)
    assert mean == pytest.approx(by_hand[0], abs=1e-6)
    assert spread == pytest.approx(by_hand[1], abs=1e-4)
    believed, surer = process.believing(asked).predict(asked)
    assert believed == pytest.approx(mean, abs=1e-6)
    assert np.all(surer < spread)


def test_the_process_is_fitted_where_no_step_makes_it_more_probable() -> None:
    structures = some_structures(40)
    scores = (structures.values[:, 1] - 0.5) / 0.4 + 0.1 * np.random.default_rng(1).normal(size=40)
    loss = negative_log_posterior(distances(structures, structures), scores, np.ones(40))
    process = GaussianProcess.fit(structures, scores, np.ones(40))
    logs = np.log([*process.weights, process.scale, process.noise])
    for place, step in itertools.product(range(5), (-0.2, 0.2)):
        assert loss(logs + step * np.eye(5)[place])[0] > loss(logs)[0]
    assert process.weights[1] > 3 * process.weights[0]  # depth alone tells


def test_a_fit_to_many_structures_is_about_as_probable_as_one_that_takes_all_its_steps() -> None:
    axes = [Axis(f"choice {number}", None) for number in range(20)]
    generator = np.random.default_rng(0)
    drawn = generator.integers(0, 3, size=(200, 20))
    structures = encode([{axis.name: value for axis, value in zip(axes, row, strict=True)} for row in drawn], axes, {})
    scores = (drawn[:, 0] == drawn[:, 1]) + 0.5 * generator.normal(size=200)
    scores = (scores - scores.mean()) / scores.std()
    process = GaussianProcess.fit(structures, scores, np.ones(200))
    found = np.log([*process.weights, process.scale, process.noise])
    loss = negative_log_posterior(distances(structures, structures), scores, np.ones(200))
    best = minimize(loss, found, jac=True, method="L-BFGS-B").fun
    assert loss(found)[0] < best + 5
