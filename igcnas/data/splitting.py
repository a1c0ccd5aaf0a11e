"""Which images leave for the other side of a split, where images of one group must stay together.

Every group is whole on one side. Among the choices that keep groups whole, the share of each class that leaves is near
to the one that was asked for, and each class has images on both sides where groups allow it: first of all where images
stay, which are trained on. A class that lies in one group stays. Groups of several images are moved from side to side,
in an order drawn by the seed, for as long as that brings the shares nearer; images that are alone then make up what is
left. This finds a good split, not the best of all, which is a hard problem (set partition).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from igcnas.errors import DataError

_SWEEPS = 50  # over the groups; it ends when none moves, after a few
_ABSENT_HERE, _ABSENT_THERE = 1000.0, 10.0  # what it costs that a class has no image to stay, or none to leave

Indices = NDArray[np.intp]


def grouped_indices(
    labels: NDArray[np.int64], groups: NDArray[np.int64], *, fraction: float, seed: int
) -> tuple[Indices, Indices]:
    """Positions of the images that stay and of those that leave, each ascending; labels and groups (n,), from 0.

    DataError where nothing could leave, or nothing stay, or a class would lose its last image that stays.
    """
    _, group = np.unique(groups, return_inverse=True)
    sizes = np.bincount(group)
    if len(sizes) < 2:
        raise DataError(
            f"all {len(labels):,} images are of one group, so that none can be put aside; give a --groups that tells "
            "more apart"
        )
    classes = int(labels.max()) + 1
    table = np.zeros((len(sizes), classes), np.int64)  # images of each class in each group
    np.add.at(table, (group, labels), 1)
    # The raw stream of a bit generator is promised for ever (NEP 19).
    order = np.argsort(np.random.PCG64(seed).random_raw(len(sizes)), kind="stable")
    several = sizes > 1
    leaves = np.zeros(len(sizes), bool)
    _move(table, leaves, order[several[order]], fraction, alone=table[~several].sum(0))
    _fill(table, leaves, order[~several[order]], fraction)
    chosen = leaves[group]
    if not chosen.any() or not (table[~leaves].sum(0) > 0)[table.sum(0) > 0].all():
        raise DataError(
            f"groups are so large that putting {fraction:.0%} of the images aside leaves a class without any to train "
            "on; give a --groups of smaller groups, or more images"
        )
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def _move(
    table: NDArray[np.int64], leaves: NDArray[np.bool_], order: Indices, fraction: float, alone: NDArray[np.int64]
) -> None:
    """Put groups of several images on their side. alone: images of each class that are in no group with others."""
    totals = table.sum(0)
    aim = fraction * (totals - alone)
    left = np.zeros(table.shape[1], np.int64)

    def cost(leaving: NDArray[np.int64]) -> float:
        return _cost(leaving, aim, totals, alone)

    now = cost(left)
    for _ in range(_SWEEPS):
        moved = False
        for one in order:
            changed = left - table[one] if leaves[one] else left + table[one]
            found = cost(changed)
            if found < now - 1e-12:
                leaves[one], left, now, moved = not leaves[one], changed, found, True
        if not moved:
            return


def _cost(
    leaving: NDArray[np.int64], aim: NDArray[np.float64], totals: NDArray[np.int64], alone: NDArray[np.int64]
) -> float:
    """How far that is from what is wanted: shares of the classes, the share of all, and classes that a side lacks."""
    present = totals > 0
    shares = float((((leaving - aim)[present] / totals[present]) ** 2).mean())
    whole = float((leaving.sum() - aim.sum()) / totals.sum()) ** 2
    # With an image that is alone, a class can still be on both sides.
    no_more = present & (leaving == totals)
    none = present & (leaving == 0) & (alone < 2) & ((alone < 1) | (totals < 2))
    return shares + whole + _ABSENT_HERE * int(no_more.sum()) + _ABSENT_THERE * int(none.sum())


def _fill(table: NDArray[np.int64], leaves: NDArray[np.bool_], order: Indices, fraction: float) -> None:
    """Images that are alone make up what each class lacks; one of each class at least leaves and stays, if it can."""
    if not len(order):
        return
    totals, left = table.sum(0), table[leaves].sum(0)
    label = table[order].argmax(1)
    for one in np.unique(label):
        own = order[label == one]
        wanted = int(np.floor(fraction * totals[one] + 0.5)) - int(left[one])
        if left[one] == 0 and totals[one] > 1:
            wanted = max(wanted, 1)
        stays_elsewhere = int(totals[one] - left[one] - len(own)) > 0
        leaves[own[: max(0, min(wanted, len(own) - (0 if stays_elsewhere else 1)))]] = True


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
