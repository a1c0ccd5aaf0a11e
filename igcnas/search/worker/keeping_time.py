"""Whether a network keeps the time that its study allows: measured with its first weights, before it is trained.

What was measured is left in the folder of the trial, so that a training which is taken up is not judged again: a second
measurement might say otherwise.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict

from igcnas.errors import StudyError, TrainingError
from igcnas.export.latency.running import untrained
from igcnas.export.latency.timing import timed
from igcnas.network.architecture import Architecture
from igcnas.network.budget import TIME
from igcnas.search.worker.trainer import Trainer
from igcnas.system.files import read_back, write_text
from igcnas.system.reading import parse_json

FILE = "time.json"


class _Measured(TypedDict):
    """Median and interquartile range in ms, and by what."""

    architecture_id: str
    median_ms: float
    iqr_ms: float
    by: str


def require_time(trainer: Trainer, architecture: Architecture, folder: Path, most_ns: int) -> None:
    """TrainingError where the network takes longer than that, beyond the spread of what was measured."""
    found = _read(folder, architecture)
    if found is None:
        assert trainer.setup.timing is not None, "a study that limits times says how they are measured"
        timing = timed(untrained(architecture), trainer.setup.timing)
        found = _Measured(
            architecture_id=architecture.id,
            median_ms=timing.latency.median_ms,
            iqr_ms=timing.latency.iqr_ms,
            by=timing.words(),
        )
        write_text(folder / FILE, json.dumps(found))
    if found["median_ms"] - found["iqr_ms"] > most_ns / TIME.size:
        raise TrainingError(
            f"not trained: it takes {found['median_ms']:.3g} ms (interquartile range {found['iqr_ms']:.2g}), more than "
            f"--budget-ms {most_ns / TIME.size:g}, by {found['by']}"
        )


def _read(folder: Path, architecture: Architecture) -> _Measured | None:
    """What was measured of this network before."""
    content = read_back(folder / FILE)
    if content is None:
        return None
    try:
        found: _Measured = parse_json(content, _Measured, where=str(folder / FILE), advice="it is measured again")
    except StudyError:
        return None
    return found if found["architecture_id"] == architecture.id else None
