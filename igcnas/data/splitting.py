"""Which images leave for the other side of a split, where images of one group must stay together.

Every group is whole on one side. Among the choices that keep groups whole, the share of each class that leaves is near
to the one that was asked for, and each class has images on both sides where groups allow it: first of all where images
stay, which are trained on. A class that lies in one group stays. Groups of several images are moved from side to side,
alone or two at once, in an order drawn by the seed, for as long as that brings the shares nearer; images that are alone
then make up what is left. This finds a good split, not the best of all, which is a hard problem (set partition).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igcnas.errors import DataError

# Sweeps over the groups: it ends when none moves; of many groups a few bring the shares right.
_SWEEPS, _SWEEPS_OF_MANY = 50, 3
_NEAR = 1e-7  # a mean square of shares that are off: three in ten thousand, on average
_MOST_PAIRED = 200  # groups of which pairs are looked at, too
_ABSENT_HERE, _ABSENT_THERE = 1000.0, 10.0  # what it costs that a class has no image to stay, or none to leave

Indices = NDArray[np.intp]


def grouped_indices(
    labels: NDArray[np.int64], groups: NDArray[np.int64], *, fraction: float, seed: int
) -> tuple[Indices, Indices]:
    """Positions of the images that stay and of those that leave, each ascending; labels and groups (n,), from 0.

    DataError where nothing could leave, or nothing stay, or a class would lose its last image that stays.
    """
    _, group = np.unique(groups, return_inverse=True)
    present, label = np.unique(labels, return_inverse=True)
    sizes = np.bincount(group)
    if len(sizes) < 2:
        raise DataError(
            f"all {len(labels):,} images are of one group, so that none can be put aside; give a --groups that tells "
            "more apart"
        )
    # The raw stream of a bit generator is promised for ever (NEP 19).
    order = np.argsort(np.random.PCG64(seed).random_raw(len(sizes)), kind="stable")
    several = sizes > 1
    # Images of each class in each group of several images: with a row for each image that is alone it would be huge.
    row = np.cumsum(several) - 1
    table = np.zeros((int(several.sum()), len(present)), np.int64)
    together = several[group]
    np.add.at(table, (row[group[together]], label[together]), 1)
    alone = np.bincount(label[~together], minlength=len(present))
    moved = np.zeros(len(table), bool)
    _move(table, moved, row[order[several[order]]], fraction, alone=alone)
    leaves = np.zeros(len(sizes), bool)
    leaves[several] = moved
    own = np.zeros(len(sizes), np.int64)  # the class of an image that is alone
    own[group[~together]] = label[~together]
    _fill(leaves, order[~several[order]], own, totals=table.sum(0) + alone, left=table[moved].sum(0), fraction=fraction)
    chosen = leaves[group]
    if not chosen.any() or len(np.unique(label[~chosen])) < len(present):
        raise DataError(
            f"groups are so large that putting {fraction:.0%} of the images aside leaves a class without any to train "
            "on; give a --groups of smaller groups, or more images"
        )
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def _move(
    table: NDArray[np.int64], leaves: NDArray[np.bool_], order: Indices, fraction: float, alone: NDArray[np.int64]
) -> None:
    """Put groups of several images on their side. alone: images of each class that are in no group with others."""
    totals = table.sum(0) + alone
    lonely = (alone < 2) & ((alone < 1) | (totals < 2))
    costs = _Costs(totals=totals, aim=fraction * (totals - alone), lonely=lonely, images=int(totals.sum()))
    left = np.zeros(table.shape[1], np.int64)
    now = float(costs(left[None])[0])
    few = len(order) <= _MOST_PAIRED
    for _ in range(_SWEEPS if few else _SWEEPS_OF_MANY):
        before = now
        for one in order:
            now = _turn(table, leaves, left, order[:0], one, now, costs)
        if now == before and few:  # two at once, such as one for another
            for place, one in enumerate(order):
                now = _turn(table, leaves, left, order[place + 1 :], one, now, costs)
        if now == before or now < _NEAR:
            return


def _turn(
    table: NDArray[np.int64],
    leaves: NDArray[np.bool_],
    left: NDArray[np.int64],
    others: Indices,
    one: np.intp,
    now: float,
    costs: _Costs,
) -> float:
    """Move one group to its other side, together with the best of the `others` if there are any; what it costs then.

    Nothing moves where that would not be better. left: the images of each class that leave, kept up to date.
    """
    changed = (left - table[one] if leaves[one] else left + table[one])[None]
    if len(others):
        changed = changed + np.where(leaves[others], -1, 1)[:, None] * table[others]
    found = costs(changed)
    best = int(found.argmin())
    if found[best] >= now - 1e-12:
        return now
    left[:] = changed[best]
    moved = [one, others[best]] if len(others) else [one]
    leaves[moved] = ~leaves[moved]
    return float(found[best])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Costs:
    """How far images that leave are from what is wanted.

    Of each class: how many images there are, and are to leave; whether no image that is alone can leave for it. images:
    of all classes.
    """

    totals: NDArray[np.int64]
    aim: NDArray[np.float64]
    lonely: NDArray[np.bool_]
    images: int

    def __call__(self, leaving: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of each row, the images of each class that leave: shares of classes and of all, and what a side lacks."""
        off = leaving - self.aim
        shares = off / self.totals
        squares = np.einsum("ij,ij->i", shares, shares) / len(self.totals) + (off.sum(1) / self.images) ** 2
        no_more, none = (leaving == self.totals).sum(1), ((leaving == 0) & self.lonely).sum(1)
        found: NDArray[np.float64] = squares + _ABSENT_HERE * no_more + _ABSENT_THERE * none
        return found


def _fill(
    leaves: NDArray[np.bool_],
    order: Indices,
    own: NDArray[np.int64],
    *,
    totals: NDArray[np.int64],
    left: NDArray[np.int64],
    fraction: float,
) -> None:
    """Images that are alone make up what each class lacks; one of each class at least leaves and stays, if it can.

    own: the class of each; totals, left: images of each class, and those that leave with their groups.
    """
    by_class = order[np.argsort(own[order], kind="stable")]
    classes, starts = np.unique(own[by_class], return_index=True)
    for one, mine in zip(classes.tolist(), np.split(by_class, starts[1:]), strict=False):  # of none one empty part
        wanted = int(np.floor(fraction * totals[one] + 0.5)) - int(left[one])
        if left[one] == 0 and totals[one] > 1:
            wanted = max(wanted, 1)
        stays_elsewhere = int(totals[one] - left[one] - len(mine)) > 0
        leaves[mine[: max(0, min(wanted, len(mine) - (0 if stays_elsewhere else 1)))]] = True


def split_notes(
    labels: NDArray[np.int64], leave: Indices, *, fraction: float, what: str, classes: Sequence[str]
) -> tuple[str, ...]:
    """What a user should know of a split by groups: a share that is far off, classes that the smaller side lacks."""
    share = len(leave) / len(labels)
    notes = []
    if abs(share - fraction) > 0.25 * fraction:
        notes.append(
            f"groups are so large that {share:.0%} of the images are {what}, where {fraction:.0%} were asked for"
        )
    present, there = np.unique(labels), set(np.unique(labels[leave]).tolist())
    missing = [classes[label] for label in present.tolist() if label not in there]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        shown = ", ".join(map(repr, missing[:3]))
        notes.append(f"no image {what} is of {shown}{more}: all of them are in groups that are trained on")
    return tuple(notes)
