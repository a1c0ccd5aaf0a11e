"""An analysis beside its study, so that a report need not make it again: importance.json.

It is kept with a digest of the networks that it is of, and with how it was made; it counts only for the same ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from igcnas.errors import MachineError
from igcnas.importance.analysis import Report
from igcnas.importance.samples import Sample
from igcnas.importance.table import from_dict, to_dict

FILE = "importance.json"


def digest(samples: Sequence[Sample]) -> str:
    """Of everything about the networks that an analysis sees, and of the version that makes it."""
    from igcnas import __version__

    plain = [[dict(sample.parameters), sample.macs, sample.log_errors] for sample in samples]
    return hashlib.sha256(json.dumps([__version__, plain], sort_keys=True).encode()).hexdigest()


def keep(folder: Path, samples: Sequence[Sample], report: Report) -> None:
    """Write it whole; where the folder cannot be written, the next report takes its time again."""
    from igcnas.files import write_text

    content = {"digest": digest(samples), "report": to_dict(report)}
    try:
        write_text(folder / FILE, (json.dumps(content) + "\n"))
    except MachineError:
        return


def kept(folder: Path, samples: Sequence[Sample]) -> Report | None:
    """The analysis of these networks; None where there is none."""
    try:
        data = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return from_dict(data["report"]) if data["digest"] == digest(samples) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
