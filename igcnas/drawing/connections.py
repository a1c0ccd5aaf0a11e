"""The connections of a learned convolution before and after training, as they are and sorted by group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from igcnas.errors import ArchitectureError


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """Who meets whom in one layer at one time.

    `values` (filters, inputs): 1 where a weight lives, 0 where not, between them the share of images that keep it.
    `groups` (filters,): the group of each filter. `rows`, `columns`: filters and inputs in the order that shows blocks.
    """

    values: NDArray[np.float64]
    groups: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]

    @property
    def graded(self) -> bool:
        """Whether some weights live for some images only."""
        return bool(((self.values > 0) & (self.values < 1)).any())

    def summary(self) -> str:
        """Connections over all pairs, and what each group has: inputs x filters."""
        total = self.values.sum()
        count = f"{total:,.0f} of {self.values.size:,} connections" + (" on average" if self.graded else "")
        if self.graded:
            return count
        sizes = []
        for group in np.unique(self.groups):
            members = self.values[self.groups == group]
            sizes.append(f"{int(members.any(0).sum())}x{len(members)}")
        if len(set(sizes)) == 1:
            return f"{count}: {len(sizes)} group{'s' * (len(sizes) > 1)} of {sizes[0]} (inputs x filters)"
        return f"{count}; inputs x filters of groups: " + ", ".join(sizes[:8]) + (", ..." if len(sizes) > 8 else "")


def assigned(inputs: ArrayLike, filters: ArrayLike) -> Connections:
    """Connections of an assignment: the group of every input channel and of every filter (FLGC, DGConv).

    >>> assigned([0, 1, 0], [1, 0]).values.tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]
    """
    of_input, of_filter = np.asarray(inputs), np.asarray(filters)
    if of_input.ndim != 1 or of_filter.ndim != 1:
        raise ArchitectureError("an assignment is two lists: the group of each input, and of each filter")
    return masked(np.equal.outer(of_filter, of_input), filter_groups=of_filter)


def masked(mask: ArrayLike, *, filter_groups: ArrayLike | None = None) -> Connections:
    """Connections of a mask (filters, inputs) with values in [0, 1].

    `filter_groups`: the group of each filter, such as its head; if not given, filters with the same inputs are a group.
    A mean over images of a gate that is 0 or 1 gives the share of images that keep a weight (MSGC).
    """
    values = np.asarray(mask, dtype=np.float64)
    if values.ndim != 2 or values.size == 0 or values.min() < 0 or values.max() > 1:
        raise ArchitectureError("a mask is a matrix (filters, inputs) of values from 0 to 1")
    if filter_groups is None:
        groups = _like_rows(values)
    else:
        groups = np.asarray(filter_groups, dtype=np.int64)
        if groups.shape != values.shape[:1]:
            raise ArchitectureError(f"{values.shape[0]} filters need as many groups, but {groups.size} are given")
    names = np.unique(groups)
    means = np.stack([values[groups == name].mean(0) for name in names])  # (groups, inputs)
    strongest = np.where(means.max(0) > 0, means.argmax(0), len(names))  # inputs that nobody uses come last
    return Connections(
        values=values,
        groups=groups,
        rows=np.argsort(groups, kind="stable"),
        columns=np.lexsort((*(-means[::-1]), -means.max(0), strongest)),
    )


def _like_rows(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """A group for each distinct row, numbered in the order in which they appear."""
    known: dict[bytes, int] = {}
    return np.array([known.setdefault(row.tobytes(), len(known)) for row in values])
