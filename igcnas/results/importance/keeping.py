"""An analysis beside its study, so that a report need not make it again: importance.json.

It is kept with a digest of the networks that it is of, and with how it was made; it counts only for the same ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from igcnas.errors import MachineError, StudyError
from igcnas.results.importance.analysis import Report
from igcnas.results.importance.samples import Sample
from igcnas.results.importance.table import from_dict, to_dict
from igcnas.system.reading import read_json

FILE = "importance.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """The file."""

    digest: str
    report: dict[str, Any]


def digest(samples: Sequence[Sample]) -> str:
    """Of everything about the networks that an analysis sees, and of the version that makes it."""
    from igcnas import __version__

    plain = [[dict(sample.parameters), sample.macs, sample.log_errors] for sample in samples]
    return hashlib.sha256(json.dumps([__version__, plain], sort_keys=True).encode()).hexdigest()


def keep(folder: Path, samples: Sequence[Sample], report: Report) -> None:
    """Write it whole; where the folder cannot be written, the next report takes its time again."""
    from igcnas.system.files import write_text

    content = {"digest": digest(samples), "report": to_dict(report)}
    try:
        write_text(folder / FILE, (json.dumps(content) + "\n"))
    except MachineError:
        return


def kept(folder: Path, samples: Sequence[Sample]) -> Report | None:
    """The analysis of these networks; None where there is none."""
    try:
        found = read_json(folder / FILE, _Kept, advice="remove it")
        return from_dict(found.report) if found.digest == digest(samples) else None
    except StudyError:
        return None
