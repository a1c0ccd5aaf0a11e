"""An audit that was made, read back from its folder: nothing is trained or scored again."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from igcnas.errors import StudyError
from igcnas.results.audit.result import AuditResult, compute
from igcnas.results.audit.rows import BASELINES, COUNTED, Row
from igcnas.system import bounds
from igcnas.system.reading import read_json, read_text

_LEAST = 3
_ADVICE = "run igcnas audit again, or remove its folder"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    """What is said of a sample."""

    members: list[Any]
    limits: tuple[tuple[bounds.Count, bounds.Count], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Training:
    """What is said of how it trains."""

    seed: bounds.Seed
    epochs: bounds.Epochs


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settings:
    """What is said of the settings of an audit."""

    sample: _Sample
    training: _Training
    short_epochs: bounds.Epochs


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What is said of a long training."""

    seconds: bounds.Seconds
    device: str


def read_audit(folder: Path) -> Audit:
    """The audit in this folder. Raises StudyError where it is damaged."""
    settings = read_json(folder / "settings.json", _Settings, advice=_ADVICE)
    sample = settings.sample
    done = [read_json(path, _Done, advice=_ADVICE) for path in (folder / "trainings").glob("*.json")]
    rows = _rows(folder / "audit.csv")
    if any(not 0 <= row.band < len(sample.limits) for row in rows):
        raise StudyError(f"{folder / 'audit.csv'} is damaged (bands that the sample has not); {_ADVICE}")
    return Audit(
        folder=folder,
        result=compute(rows, list(sample.limits), seed=settings.training.seed) if len(rows) >= _LEAST else None,
        networks=len(sample.members),
        trainings=len(done),
        short_epochs=settings.short_epochs,
        long_epochs=settings.training.epochs,
        seconds=math.fsum(one.seconds for one in done),
        devices=tuple(sorted({one.device for one in done})),
    )


def _rows(path: Path) -> list[Row]:
    """The inverse of `table.frame`; repeats are rounded to four digits there."""
    if not path.is_file():
        return []
    lines = csv.DictReader(io.StringIO(read_text(path, advice=_ADVICE), newline=""))
    try:
        rows = [_row(line) for line in lines]
    except (csv.Error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StudyError(f"{path} is damaged at line {lines.line_num} ({error}); {_ADVICE}") from None
    if not all(math.isfinite(n) and 0 <= n <= 100 for row in rows for n in (row.short, *row.long, *row.repeats)):
        raise StudyError(f"{path} is damaged (accuracies must be percent, from 0 to 100); {_ADVICE}")
    if len({len(row.long) for row in rows}) > 1 or any(not row.long for row in rows):
        raise StudyError(f"{path} is damaged (networks of unequal numbers of long trainings); {_ADVICE}")
    if any(row.scores.keys() != rows[0].scores.keys() or not set(COUNTED) <= row.scores.keys() for row in rows):
        raise StudyError(f"{path} is damaged (a network lacks the scores that others have); {_ADVICE}")
    return rows


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
