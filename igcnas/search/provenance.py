"""Who made a study: every run of a search, with its command, program, packages and hardware.

studies/NAME/runs.jsonl: a line when a run begins, and one when it ends. A run that was killed has no second line. The
file is for people and reports; no search reads it.
"""

from __future__ import annotations

import json
import logging
import platform
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from igcnas.errors import MachineError, StudyError
from igcnas.system import bounds
from igcnas.system.files import append
from igcnas.system.processor import processor
from igcnas.system.reading import as_kind, plain_json, read_bytes
from igcnas.system.resources import usable_cores

_LOGGER = logging.getLogger(__name__)
_FILE = "runs.jsonl"
_ROOT = Path(__file__).resolve().parents[1]
# What decides the bits of a training and of a proposal.
_PACKAGES = ("torch", "numba", "numpy", "scipy", "optuna", "scikit-learn", "pillow")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a program on a study. began: ISO 8601, UTC. seconds: None where it was killed or still runs.

    igcnas: its version; commit: of its source where that is a checkout, with '+' where files differed, else ''.
    packages: versions by name. devices: the hardware that trained, by name, 'cpu' for the processor. cores: those that
    the run might use. engine: of the trainings.
    """

    command: str
    began: str
    seconds: bounds.Seconds | None = None
    igcnas: str
    commit: str
    python: str
    platform: str
    processor: str
    cores: bounds.Positive
    packages: Mapping[str, str] = field(default_factory=dict)
    devices: tuple[str, ...] = ()
    workers: bounds.Positive = 1
    engine: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """The line at the end of a run."""

    seconds: bounds.Seconds


@contextmanager
def recorded(folder: Path, *, command: str, devices: Sequence[str], workers: int, engine: str) -> Iterator[None]:
    """Write into the folder that a run is there; and at the end how long it took, however it ends."""
    from igcnas import __version__

    run = Run(
        command=command,
        began=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=None,
        igcnas=__version__,
        commit=source_commit(),
        python=platform.python_version(),
        platform=platform.platform(),
        processor=processor(),
        cores=usable_cores(),
        packages=package_versions(),
        devices=tuple(devices),
        workers=workers,
        engine=engine,
    )
    start = time.monotonic()
    append(folder / _FILE, _line(asdict(run)), lines=True)

    def end() -> None:
        append(folder / _FILE, _line({"seconds": round(time.monotonic() - start, 1)}), lines=True)

    try:
        yield
    except BaseException:  # also Ctrl-C: however a run ends, its seconds are due
        with suppress(MachineError):  # the run has ended for a reason, which is said; a second line would hide it
            end()
        raise
    try:
        end()
    except MachineError as error:  # what was trained counts for more than how long it took
        _LOGGER.warning("%s", error)


def _line(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content).encode() + b"\n"


def runs(folder: Path) -> list[Run]:
    """The runs of a study, the earliest first; none for a study of before. Lines that a kill has cut off are left out.

    Nothing but a report reads them, so a damaged line is left out, too, and costs no more than what it told. Fields
    that another version of igcnas wrote and this one does not know are passed over.
    """
    path = folder / _FILE
    try:
        lines = read_bytes(path, advice="remove it").splitlines()
    except StudyError:
        return []
    found: list[Run] = []
    for line in lines:
        try:
            content = plain_json(line)
            if isinstance(content, dict) and "began" in content:
                found.append(as_kind(content, Run, where=str(path), advice="remove the line"))
            elif found and found[-1].seconds is None:
                end = as_kind(content, _End, where=str(path), advice="remove the line")
                found[-1] = replace(found[-1], seconds=end.seconds)
        except (ValueError, StudyError):
            continue
    return found


def package_versions(names: Sequence[str] = _PACKAGES) -> dict[str, str]:
    """Versions of the packages that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def source_commit() -> str:
    """The commit of the checkout that this program runs from, with '+' where files differ from it; '' elsewhere."""
    if not (_ROOT.parent / ".git").exists():
        return ""
    commit = _git("rev-parse", "--short=12", "HEAD")
    return commit + "+" if commit and _git("status", "--porcelain", "--untracked-files=no") else commit


def _git(*words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(_ROOT.parent), *words],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
