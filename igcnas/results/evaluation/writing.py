"""An evaluation as files, and read back for the report of its study.

DIR/SPLIT/evaluation.json    all numbers, and of which network they are
          classes.csv        precision and recall of each class
          confusion.csv      classes in rows, answers in columns; confusion.png and .svg show it
          reliability.png    whether shares are frequencies; and .svg
          mistakes.png       the wrong answers that it was surest of; mistakes.csv names them, mistakes.npy has pixels
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from igcnas.drawing.figures import png_of, save
from igcnas.errors import StudyError
from igcnas.results.evaluation.answers import Mistake
from igcnas.results.evaluation.numbers import Evaluation, Share
from igcnas.results.evaluation.table import class_table, confusion_table, mistakes_table
from igcnas.results.plain import plain
from igcnas.system import bounds
from igcnas.system.files import make_folder, write_text, write_whole
from igcnas.system.reading import as_kind, read_json

FILE, PIXELS = "evaluation.json", "mistakes.npy"
KEPT = "evaluation"  # in the folder of a study, with a folder for each of these networks
BEST, FINAL = "best", "final"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kept:
    """An evaluation that was written. network: digest of the file of the network that it is of. data: their name."""

    evaluation: Evaluation
    mistakes: tuple[Mistake, ...]
    network: str
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mistake:
    position: bounds.Count
    label: bounds.Count
    answer: bounds.Count
    share: bounds.UpToOne
    file: bounds.Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    evaluation: Evaluation
    mistakes: tuple[_Mistake, ...]
    network: str
    data: str


def is_kept(name: str) -> bool:
    """Whether the evaluation of a network in a folder of this name, in that of its study, is kept there."""
    return name in (BEST, FINAL) or name.startswith(f"{FINAL}-")


def network_digest(path: Path) -> str:
    """16 hex digits of the file of a network."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def write(folder: Path, kept: Kept, *, title: str) -> list[Path]:
    """All files, into a folder of the split; their paths."""
    from igcnas.results.evaluation.figures import (
        confusion_figure,
        mistakes_figure,
        mistakes_title,
        reliability_figure,
    )

    found = kept.evaluation
    place = folder / found.split
    make_folder(place)
    write_text(place / FILE, json.dumps(as_json(kept), indent=2) + "\n")
    write_text(place / "classes.csv", class_table(found).csv())
    write_text(place / "confusion.csv", confusion_table(found).csv())
    write_text(place / "mistakes.csv", mistakes_table(kept.mistakes, found.classes).csv())
    pixels = io.BytesIO()
    np.save(pixels, np.stack([one.pixels for one in kept.mistakes]) if kept.mistakes else np.zeros(0, np.uint8))
    write_whole(place / PIXELS, pixels.getvalue())
    about = f"{title}, {found.images:,} {found.split} images"
    files = [place / FILE, *(place / f"{name}.csv" for name in ("classes", "confusion", "mistakes"))]
    files += save(confusion_figure(found, title=about), place / "confusion.png")
    files += save(reliability_figure(found, title=about), place / "reliability.png")
    sheet = mistakes_figure(kept.mistakes, found.classes, title=mistakes_title(found, len(kept.mistakes)))
    write_whole(place / "mistakes.png", png_of(sheet))
    return [*files, place / "mistakes.png"]


def as_json(kept: Kept) -> dict[str, Any]:
    """As data; each share with its value and its interval."""
    mistakes = [
        {
            "position": one.position,
            "file": one.file,
            "label": one.label,
            "answer": one.answer,
            "share": round(one.share, 6),
        }
        for one in kept.mistakes
    ]
    return {
        "network": kept.network,
        "data": kept.data,
        "evaluation": _told(kept.evaluation),
        "mistakes": mistakes,
    }


def read_kept(folder: Path, split: str) -> Kept | None:
    """What `write` wrote there; None where there is nothing that can be read."""
    place, advice = folder / split, "evaluate the network again"
    try:
        found = as_kind(read_json(place / FILE, dict[str, Any], advice=advice), _Written, where=FILE, advice=advice)
        pixels = np.load(place / PIXELS, allow_pickle=False)
    except (StudyError, OSError, ValueError, EOFError):
        return None
    count = len(found.evaluation.classes)
    fits = pixels.dtype == np.uint8 and len(pixels) == len(found.mistakes) and (pixels.ndim == 4 or not len(pixels))
    shaped = len(found.evaluation.confusion) == len(found.evaluation.scores) == count and all(
        len(row) == count for row in found.evaluation.confusion
    )
    known = all(max(one.label, one.answer) < count for one in found.mistakes)
    if not (fits and shaped and known and found.evaluation.tops and found.evaluation.calibration):
        return None
    mistakes = tuple(
        Mistake(
            position=one.position,
            label=one.label,
            answer=one.answer,
            share=one.share,
            pixels=image,
            file=one.file,
        )
        for one, image in zip(found.mistakes, pixels, strict=True)
    )
    return Kept(
        evaluation=replace(found.evaluation, split=split), mistakes=mistakes, network=found.network, data=found.data
    )


def _told(value: Any) -> Any:
    if isinstance(value, Share):
        low, high = value.interval or (None, None)
        return {"right": value.right, "images": value.images, "value": value.value, "low": low, "high": high}
    if isinstance(value, tuple | list):
        return [_told(one) for one in value]
    if hasattr(value, "__dataclass_fields__"):
        return {name: _told(getattr(value, name)) for name in value.__dataclass_fields__}
    return plain(value)
