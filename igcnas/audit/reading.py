"""An audit that was made, read back from its folder: nothing is trained or scored again."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from igcnas.audit.result import AuditResult, compute
from igcnas.audit.rows import BASELINES, Row
from igcnas.errors import StudyError

_LEAST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """An audit of a study. result: None while its table is not written yet. networks: of the sample.

    seconds, devices: of the long trainings that are done, and their number.
    """

    folder: Path
    result: AuditResult | None
    networks: int
    trainings: int
    short_epochs: int
    long_epochs: int
    seconds: float
    devices: tuple[str, ...]


def read_audit(folder: Path) -> Audit:
    """The audit in this folder. Raises StudyError where it is damaged."""
    try:
        settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
        sample, training = settings["sample"], settings["training"]
        done = [json.loads(path.read_text(encoding="utf-8")) for path in (folder / "trainings").glob("*.json")]
        limits = [(int(low), int(high)) for low, high in sample["limits"]]
        rows = _rows(folder / "audit.csv")
        return Audit(
            folder=folder,
            result=compute(rows, limits, seed=training["seed"]) if len(rows) >= _LEAST else None,
            networks=len(sample["members"]),
            trainings=len(done),
            short_epochs=settings["short_epochs"],
            long_epochs=training["epochs"],
            seconds=math.fsum(one["seconds"] for one in done),
            devices=tuple(sorted({one["device"] for one in done})),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StudyError(
            f"{folder} is damaged ({type(error).__name__}: {error}); run igcnas audit again or remove it"
        ) from None


def _rows(path: Path) -> list[Row]:
    """The inverse of `table.frame`; repeats are rounded to four digits there."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [_row(line) for line in csv.DictReader(file)]


def _row(line: Mapping[str, str]) -> Row:
    seeds = sorted((name for name in line if name.removeprefix("long_").isdecimal()), key=lambda name: int(name[5:]))
    scores = {name: float(line[f"score_{name}"]) for name in BASELINES if line.get(f"score_{name}")}
    return Row(
        number=int(line["number"]),
        name=line["name"],
        band=int(line["band"]) - 1,
        macs=int(line["macs"]),
        short=float(line["short"]),
        long=tuple(float(line[name]) for name in seeds),
        repeats=tuple(map(float, line["short_repeats"].split())),
        scores=scores,
    )
