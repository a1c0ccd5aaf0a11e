"""Masks of learned layers before and after training, as pictures: black where a filter has a weight for a channel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure


def write(path: Path, title: str, rows: list[tuple[str, np.ndarray, np.ndarray]]) -> None:
    """rows: name of a layer, its (filters, channels) mask before training, and after."""
    figure = Figure(figsize=(7.0, 0.5 + 2.9 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), 2, squeeze=False)
    for (name, before, after), pair in zip(rows, axes, strict=True):
        for when, mask, ax in zip(("before", "after"), (before, after), pair, strict=True):
            ax.imshow(mask, cmap="Greys", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
            ax.set_title(f"{name}, {when}: {int(mask.sum())} of {mask.size}", fontsize=8)
            ax.set_xlabel("input channel", fontsize=7)
            ax.set_ylabel("filter", fontsize=7)
            ax.tick_params(labelsize=6)
    figure.suptitle(title, fontsize=9)
    figure.savefig(path, dpi=110)
