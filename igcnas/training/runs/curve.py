"""The learning curve of a training: a table, TensorBoard's events, a picture."""

from __future__ import annotations

import csv
import io
import math
import platform
import struct
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igcnas.drawing.figures import grid, new_figure, png_of
from igcnas.drawing.palette import BLUE, GREEN, ORANGE
from igcnas.drawing.style import own_style
from igcnas.errors import MissingExtraError
from igcnas.system.extras import extra
from igcnas.system.files import append, remove, write_text, write_whole
from igcnas.training.reports import EpochReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WRITER = "tensorboardX"
TABLE, PICTURE = "log.csv", "curve.png"
COLUMNS = ("epoch", "learning_rate", "train_loss", "train_accuracy", "val_accuracy", "val_top5")
_TAGS = {
    "learning_rate": "learning_rate",
    "train_loss": "loss/train",
    "train_accuracy": "top1/train",
    "val_accuracy": "top1/validation",
    "val_top5": "top5/validation",
}
_LOSS, _TRAIN, _TOP1, _TOP5 = "black", ORANGE, BLUE, GREEN


def value_of(report: EpochReport, column: str) -> float | None:
    """A value of the curve; None where it was not measured."""
    value: float | None = getattr(report, column)
    return None if value is None or math.isnan(value) else value


def write_table(folder: Path, curve: Sequence[EpochReport]) -> None:
    """log.csv, whole: a run that is taken up may tell an epoch again."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for report in curve:
        values = [value_of(report, column) for column in COLUMNS]
        table.writerow(["" if value is None else f"{value:.8g}" for value in values])
    write_text(folder / TABLE, text.getvalue())


def no_events() -> str | None:
    """Why a training writes no events for TensorBoard, which it can do without; None where it writes them."""
    try:
        extra(_WRITER, what="the curve for TensorBoard")
    except MissingExtraError as error:
        return f"{error}; log.csv and curve.png have the same"
    return None


class Events:
    """TensorBoard's events of a training. A new run writes the whole curve again and removes what was there.

    Nothing is written where tensorboardX is not installed; `no_events` says so.

    Not by tensorboardX's own writer: its thread dies of a full disk, and whoever waits for it waits for ever.
    """

    def __init__(self, folder: Path) -> None:
        for old in folder.glob("events.out.tfevents.*"):
            remove(old)
        self._path: Path | None = None
        if no_events() is None:
            from tensorboardX.proto.event_pb2 import Event

            now = time.time()
            self._path = folder / f"events.out.tfevents.{int(now)}.{platform.node()}"
            write_whole(self._path, _record(Event(wall_time=now, file_version="brain.Event:2")))

    def add(self, report: EpochReport) -> None:
        """One point of each curve; the step is the epoch."""
        points = [(tag, value_of(report, column)) for column, tag in _TAGS.items()]
        self._append(report.epoch, {tag: value for tag, value in points if value is not None})

    def add_groups(self, epoch: int, moved: Mapping[str, int]) -> None:
        """How many inputs, filters or gates changed their group."""
        self._append(epoch, {f"groups/{what.replace(' ', '_')}_changed": count for what, count in moved.items()})

    def _append(self, step: int, points: Mapping[str, float]) -> None:
        if self._path is None:
            return
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        now = time.time()
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in points.items()]
        records = [_record(Event(wall_time=now, step=step, summary=Summary(value=[one]))) for one in values]
        append(self._path, b"".join(records))


def _record(event: Any) -> bytes:
    """As event files have it: length, its checksum, content, its checksum."""
    from tensorboardX.record_writer import masked_crc32c

    content: bytes = event.SerializeToString()
    length = struct.pack("<Q", len(content))
    sums = (struct.pack("<I", masked_crc32c(part)) for part in (length, content))
    return length + next(sums) + content + next(sums)


@own_style()
def write_picture(folder: Path, curve: Sequence[EpochReport], *, title: str, best_epoch: int) -> None:
    """curve.png: the loss above, the accuracies below."""
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(8.0, 6.0)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 3))
    _draw(above, curve, [("train_loss", "training batches", _LOSS, "-")])
    above.set_ylabel("loss, with all penalties")
    _draw(
        below,
        curve,
        [
            ("train_accuracy", "training batches (augmented), top-1", _TRAIN, "-"),
            ("val_accuracy", "validation, top-1", _TOP1, "-"),
            ("val_top5", "validation, top-5", _TOP5, "--"),
        ],
    )
    best = value_of(curve[best_epoch - 1], "val_accuracy") if best_epoch else None
    if best is not None:
        below.plot([best_epoch], [best], "o", color=_TOP1, label=f"best: {best:.2f} %, epoch {best_epoch}")
    below.set_ylabel("accuracy (%)")
    below.set_xlabel("epoch")
    below.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    for axes in (above, below):
        grid(axes)
        axes.legend(fontsize=8)
    figure.suptitle(title, fontsize=10, wrap=True)
    write_whole(folder / PICTURE, png_of(figure))


def _draw(axes: Axes, curve: Sequence[EpochReport], lines: list[tuple[str, str, str, str]]) -> None:
    for column, label, colour, style in lines:
        points = [(r.epoch, value) for r in curve if (value := value_of(r, column)) is not None]
        if points:
            mark: dict[str, Any] = {"marker": "."} if len(points) <= 60 else {}
            axes.plot(*zip(*points, strict=True), style, color=colour, label=label, lw=1.4, **mark)
