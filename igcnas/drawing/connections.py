"""The connections of a learned convolution before and after training, as they are and sorted by group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from igcnas.drawing.figures import new_figure
from igcnas.drawing.palette import EMPTY, INK, QUIET, colours
from igcnas.drawing.style import own_style
from igcnas.errors import ArchitectureError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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


@own_style()
def connection_figure(before: Connections, after: Connections, *, title: str) -> Figure:
    """Before and after training side by side; above in channel order, below sorted by group.

    Make the two with `assigned` or `masked`. A dot is a weight that lives, in the colour of its filter's group; where
    weights live for some images only, its grey level is their share and the bar at the left shows the groups. Write it
    with `figure.savefig(path)`.
    """
    if before.values.shape != after.values.shape:
        raise ArchitectureError(f"before and after differ in shape: {before.values.shape} and {after.values.shape}")
    filters, inputs = before.values.shape
    side = 3.6
    height = side * min(1.4, max(0.45, filters / inputs))
    figure = new_figure(2 * side + 2.0, 2 * height + 1.9)
    axes = figure.subplots(2, 2)
    most = int(max(before.groups.max(), after.groups.max())) + 1
    grey = before.graded or after.graded
    for column, (when, state) in enumerate((("before training", before), ("after training", after))):
        _draw(axes[0, column], state, most, f"{when}\n{state.summary()}", ordered=False, grey=grey)
        _draw(axes[1, column], state, most, "sorted by group", ordered=True, grey=grey)
    if grey:
        from matplotlib.cm import ScalarMappable

        bar = figure.colorbar(ScalarMappable(cmap="Greys"), ax=axes, shrink=0.5, aspect=30)
        bar.set_label("share of images that keep the weight", fontsize=8, color=INK)
        bar.ax.tick_params(labelsize=7)
    figure.suptitle(title, fontsize=12, color=INK)
    return figure


def image(state: Connections, partitions: int, *, ordered: bool, grey: bool = False) -> NDArray[np.float64]:
    """Red, green, blue (filters, inputs, 3) of the connections, in channel order or sorted by group.

    grey: in greys even where every weight lives for all images or none, as beside a picture with shares.
    """
    from matplotlib.colors import to_rgb

    values, groups = state.values, state.groups
    if ordered:
        values, groups = values[state.rows][:, state.columns], groups[state.rows]
    shades = np.zeros((partitions, 3)) if grey or state.graded else np.array([to_rgb(c) for c in colours(partitions)])
    live = values[:, :, None]
    return live * shades[groups][:, None, :] + (1 - live)


def _draw(axes: Axes, state: Connections, partitions: int, title: str, *, ordered: bool, grey: bool) -> None:
    """One matrix, with a bar of the groups of its filters at the left."""
    from matplotlib.colors import to_rgb
    from matplotlib.ticker import MaxNLocator

    filters, inputs = state.values.shape
    axes.imshow(image(state, partitions, ordered=ordered, grey=grey), interpolation="nearest", aspect="auto")
    groups = state.groups[state.rows] if ordered else state.groups
    tint = np.array([to_rgb(c) for c in colours(partitions)])
    wide = max(0.8, inputs / 30)
    extent = (-0.5 - 1.6 * wide, -0.5 - 0.6 * wide, filters - 0.5, -0.5)
    axes.imshow(tint[groups][:, None, :], extent=extent, interpolation="nearest", aspect="auto", clip_on=False)
    axes.set_xlim(-0.5 - 1.6 * wide, inputs - 0.5)
    axes.set_ylim(filters - 0.5, -0.5)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.plot(
        [-0.5, inputs - 0.5, inputs - 0.5, -0.5, -0.5],
        [-0.5, -0.5, filters - 0.5, filters - 0.5, -0.5],
        color=QUIET,
        lw=0.7,
        clip_on=False,
    )
    for count, lines in ((inputs, axes.axvline), (filters, axes.axhline)):
        if count <= 32 and not grey:
            for position in range(1, count):
                lines(position - 0.5, color=EMPTY, lw=0.35, zorder=1.5)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, prune="lower"))
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.tick_params(labelsize=7, length=2)
    if ordered:  # a place in the sorted order is no channel number
        axes.set_xticks([])
        axes.set_yticks([])
    axes.set_xlabel("input channels" + (", sorted" if ordered else ""), fontsize=8, color=INK)
    axes.set_ylabel("filters" + (", sorted" if ordered else ""), fontsize=8, color=INK)
    axes.set_title(title, fontsize=8.5, color=INK, loc="left")
