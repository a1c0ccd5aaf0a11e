"""Two finished searches on digits, kept in tests/data/studies: real journals, unpacked into a folder of a test's own.

python run_search.py --budget-mflops 0.2 --networks 30 --epochs 10 --workers 2 --seed 4 --sampler gp --study gp-4
and the same with --sampler random --study random-4.
"""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

DATA = Path(__file__).parents[1] / "data" / "studies"
NAMES = ("gp-4", "random-4")


def unpack(root: Path, name: str = "gp-4", *, into: str | None = None) -> Path:
    """The folder of the study `name`, as a search leaves it but for the trainings' own files."""
    folder = root / (into or name)
    folder.mkdir(parents=True)
    shutil.copy(DATA / name / "settings.json", folder)
    (folder / "journal.log").write_bytes(gzip.decompress((DATA / name / "journal.log.gz").read_bytes()))
    return folder
