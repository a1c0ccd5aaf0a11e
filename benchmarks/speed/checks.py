"""Checks before figures: the tests that need a GPU, each file in a process of its own, and the captured step's proof.

Nothing here needs a development package: where pytest is missing, or a test file needs what is not there, the check
says so and the others run. The configuration of the suite is left out (`-c`), because it asks for plugins.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_MARK = re.compile(r"\bmark\.cuda\b")
_NO_TESTS = 5  # the status of pytest where no test has the mark
PROOF = ("-m", "igcnas.training.proof", "--device", "cuda", "--json", "--repeat")
PROOF_NAME = "proof, graph against eager"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What became of one. state: ok, failed, skipped, missing (something that it needs), out of time."""

    name: str
    state: str
    found: str = ""
    seconds: float = 0.0


def marked(folder: Path = ROOT / "tests") -> list[Path]:
    """The files with tests that need a CUDA device."""
    return [path for path in sorted(folder.glob("test_*.py")) if _MARK.search(path.read_text(encoding="utf-8"))]


def run_tests(files: Sequence[Path], log: Path, *, deadline: float, limit: float = 120.0) -> Iterator[Check]:
    """Those of each file that have the mark; what they print is added to the log."""
    if importlib.util.find_spec("pytest") is None:
        yield Check(name="tests marked cuda", state="missing", found="pytest is not installed")
        return
    for path in files:
        words = ("-m", "pytest", "-q", "-rs", "-m", "cuda", "-p", "no:cacheprovider", "-c", os.devnull)
        words += ("--rootdir", str(ROOT), "--noconftest", str(path))
        status, text, seconds = run(words, limit=min(limit, deadline - time.monotonic()))
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{path.name}\n{text}\n")
        state, found = _outcome(status, text)
        yield Check(name=path.name, state=state, found=found, seconds=seconds)


def _outcome(status: int | None, text: str) -> tuple[str, str]:
    """From the exit status of pytest and what it printed."""
    if status is None:
        return "out of time", ""
    missing = re.search(r"No module named '([\w.]+)'", text)
    if missing and status not in (0, 1):
        return "missing", f"no module {missing[1]}"
    counts = re.findall(r"\d+ (?:passed|failed|errors?|skipped)", text.strip().splitlines()[-1] if text.strip() else "")
    found = ", ".join(counts)
    if status == _NO_TESTS:
        return "skipped", "no test has the mark"
    if status == 0:
        return ("ok" if "passed" in found else "skipped"), found
    return "failed", found or f"status {status}"


def proof(log: Path, *, limit: float, words: Sequence[str] = PROOF) -> Check:
    """Graph against eager, as igcnas proves it to itself at first use."""
    status, text, seconds = run(words, limit=limit)
    with log.open("a", encoding="utf-8") as file:
        file.write(f"proof\n{text}\n")
    name, lines = PROOF_NAME, text.strip().splitlines() or [""]
    if status is None:
        return Check(name=name, state="out of time", seconds=seconds)
    verdict = _verdict(lines)
    if verdict is None:
        return Check(name=name, state="failed", found=f"status {status}: {lines[-1][:200]}", seconds=seconds)
    state = "ok" if verdict.get("captured") else "failed"
    return Check(name=name, state=state, found=str(verdict.get("why", "")), seconds=seconds)


def _verdict(lines: Sequence[str]) -> dict[str, object] | None:
    """The JSON object that ends the output, on one line or on several."""
    starts = [number for number, line in enumerate(lines) if line.startswith("{")]
    for start in reversed(starts):
        with contextlib.suppress(ValueError):
            found = json.loads("\n".join(lines[start:]))
            return found if isinstance(found, dict) else None
    return None


def run(words: Sequence[str], *, limit: float) -> tuple[int | None, str, float]:
    """Status, output and seconds of a Python process in this checkout; at its limit it ends with all that it started.

    A status of None: it ran out of time.
    """
    start = time.monotonic()
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        text, _ = process.communicate(timeout=max(0.0, limit))
        return process.returncode, text, time.monotonic() - start
    except subprocess.TimeoutExpired:
        _end(process)
        text, _ = process.communicate()
        return None, text, time.monotonic() - start


def _end(process: subprocess.Popen[str]) -> None:
    """Ask first, so that it ends its own processes, which may have sessions of their own; then insist."""
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
