"""NVIDIA's MPS for the fleets of a session: with it kernels of several processes run at the same time.

A search has a way of its own (igcnas.search.evaluation.mps), which needs packages that a session does without. The
daemon has a folder of its own, is tried by a process before anything relies on it, and is told to quit at the end; no
setting of the GPU is changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

PROGRAM = "nvidia-cuda-mps-control"
_PIPES, _LOGS = "CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"
# A process that cannot use the GPU through the daemon ends with an error here.
_TRIAL = (sys.executable, "-c", "import torch; torch.zeros(1, device='cuda').item()")


@contextmanager
def shared(note: Callable[[str], None], *, trial: Sequence[str] = _TRIAL) -> Iterator[bool]:
    """Processes that start inside share the GPU by MPS: True; False, and a note with the reason, where they cannot.

    A daemon that the environment names already is used as it is.
    """
    if os.environ.get(_PIPES):
        yield True
        return
    program = shutil.which(PROGRAM)
    if program is None:
        note(f"workers without MPS, so that their kernels take turns: {PROGRAM} is not here")
        yield False
        return
    with tempfile.TemporaryDirectory(prefix="mps-", ignore_cleanup_errors=True) as folder:
        names = {_PIPES: str(Path(folder) / "pipes"), _LOGS: str(Path(folder) / "logs")}
        for place in names.values():
            Path(place).mkdir()
        os.environ.update(names)
        try:
            reason = _refused([program, "-d"], folder, 20) or _refused(trial, folder, 60)
            if reason:
                note(f"workers without MPS, so that their kernels take turns: {reason}")
                _quit(program, names)
            yield not reason
        finally:
            _quit(program, names)


def _refused(words: Sequence[str], folder: str, seconds: float) -> str:
    """Why the program fails, in a line; empty where it does not. What it starts may go on in the background."""
    said = Path(folder) / "said.txt"
    try:
        with said.open("wb") as file:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, timeout=seconds, check=False
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error).splitlines()[0]
    lines = said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return "" if done.returncode == 0 else (lines or [f"status {done.returncode}"])[-1][:200]


def _quit(program: str, names: dict[str, str]) -> None:
    """End the daemon of this folder, once."""
    if os.environ.get(_PIPES) != names[_PIPES]:
        return
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run([program], input=b"quit\n", capture_output=True, timeout=60, check=False)
    for name in names:
        os.environ.pop(name, None)
