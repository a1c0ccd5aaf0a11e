"""The Pareto front of networks, fewer MACs and more accuracy, and what a front is worth; one definition for all."""

from __future__ import annotations

import math
from collections.abc import Sequence


def pareto_front(macs: Sequence[float], accuracy: Sequence[float]) -> list[int]:
    """Indices of the networks that no other beats on both counts, cheapest first; both arguments have n entries.

    A network is beaten by one that is at least as cheap and at least as accurate, and better in one of the two. Of
    equal ones the first stays. NaN is an error: a training was recorded as finished that was not.

    >>> pareto_front([30, 10, 20, 20], [90.0, 80.0, 85.0, 84.0])
    [1, 2, 0]
    """
    if any(value != value for value in accuracy):
        raise ValueError("accuracy contains NaN; a network without an accuracy cannot be on a front")
    front: list[int] = []
    for index in sorted(range(len(macs)), key=lambda i: (macs[i], -accuracy[i], i)):
        if not front or accuracy[index] > accuracy[front[-1]]:
            front.append(index)
    return front


def hypervolume(
    macs: Sequence[float], accuracies: Sequence[float], *, reference_macs: float, reference_accuracy: float
) -> float:
    """How good a front is, as one number: points of accuracy times octaves of MACs.

    The reference point is (reference_macs, reference_accuracy). Of the networks given, the best accuracy at or under x
    MACs is a staircase; its height above the reference accuracy is integrated over log2 x up to reference_macs. One
    unit is one point of accuracy over a factor of two in MACs; networks beyond the reference point add nothing.

    >>> hypervolume([100, 200], [90.0, 92.0], reference_macs=400, reference_accuracy=80.0)
    22.0
    """
    front = pareto_front(macs, accuracies)
    steps = [(macs[i], accuracies[i]) for i in front if macs[i] < reference_macs]
    total = 0.0
    for number, (cost, accuracy) in enumerate(steps):
        until = steps[number + 1][0] if number + 1 < len(steps) else reference_macs
        total += max(0.0, accuracy - reference_accuracy) * math.log2(until / cost)
    return total


def front_hypervolume(
    macs: Sequence[float],
    observed: Sequence[float],
    truth: Sequence[float],
    *,
    reference_macs: float,
    reference_accuracy: float,
) -> float:
    """Hypervolume of the front that was *observed*, at what its networks are worth in truth: what a user takes home."""
    front = pareto_front(macs, observed)
    return hypervolume(
        [macs[i] for i in front],
        [truth[i] for i in front],
        reference_macs=reference_macs,
        reference_accuracy=reference_accuracy,
    )
