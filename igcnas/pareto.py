"""The Pareto front of networks: fewer MACs, more accuracy. One definition for plots, exports and tests."""

from __future__ import annotations

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
