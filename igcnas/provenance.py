"""Who made a study: every run of a search, with its command, program, packages and hardware.

studies/NAME/runs.jsonl: a line when a run begins, and one when it ends. A run that was killed has no second line. The
file is for people and reports; no search reads it.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_FILE = "runs.jsonl"
_ROOT = Path(__file__).resolve().parent
# What decides the bits of a training and of a proposal.
_PACKAGES = ("torch", "triton", "numba", "numpy", "scipy", "optuna", "scikit-learn", "pillow")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a program on a study. began: ISO 8601, UTC. seconds: None where it was killed or still runs.

    igcnas: its version; commit: of its source where that is a checkout, with '+' where files differed, else ''.
    packages: versions by name. devices: the hardware that trained, by name, 'cpu' for the processor. cores: those that
    the run might use. engine: of the trainings.
    """

    command: str
    began: str
    seconds: float | None
    igcnas: str
    commit: str
    python: str
    platform: str
    processor: str
    cores: int
    packages: Mapping[str, str] = field(default_factory=dict)
    devices: tuple[str, ...] = ()
    workers: int = 1
    engine: str = ""


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
        cores=_cores(),
        packages=package_versions(),
        devices=tuple(devices),
        workers=workers,
        engine=engine,
    )
    start = time.monotonic()
    _append(folder / _FILE, asdict(run))
    try:
        yield
    finally:
        _append(folder / _FILE, {"seconds": round(time.monotonic() - start, 1)})


def runs(folder: Path) -> list[Run]:
    """The runs of a study, the earliest first; none for a study of before. Lines that a kill has cut off are left out.

    Fields that another version of igcnas wrote and this one does not know are left out, too.
    """
    try:
        lines = (folder / _FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found: list[dict[str, Any]] = []
    for line in lines:
        try:
            content = json.loads(line)
        except ValueError:
            continue
        if not isinstance(content, dict):
            continue
        if "began" in content:
            found.append(content)
        elif found and found[-1]["seconds"] is None:
            found[-1]["seconds"] = content.get("seconds")
    return [_run(content) for content in found]


def _run(content: dict[str, Any]) -> Run:
    known = {key: value for key, value in content.items() if key in Run.__dataclass_fields__}
    return Run(**known | {"devices": tuple(content.get("devices", ()))})


def processor() -> str:
    """The name of the processor, as the system tells it."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(encoding="utf-8", errors="replace").splitlines() if cpu.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    if sys.platform == "darwin":  # platform.processor() says 'arm' there
        words = ["sysctl", "-n", "machdep.cpu.brand_string"]
        with suppress(OSError, subprocess.SubprocessError):
            names = [subprocess.run(words, capture_output=True, text=True, timeout=10, check=True).stdout.strip()]
    return names[0] if names else platform.processor() or platform.machine() or sys.platform


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
            ["git", "-C", str(_ROOT.parent), *words], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _append(path: Path, content: Mapping[str, Any]) -> None:
    """One line; on a new one where a killed run has left half a line."""
    with path.open("ab+") as file:
        if file.tell() and not _ends_with_newline(path):
            file.write(b"\n")
        file.write(json.dumps(content).encode() + b"\n")


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
