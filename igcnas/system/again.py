"""A command that begins again by itself, once, in a fresh process: where CUDA captured a step wrongly or not at all.

After a capture that failed nothing that this process has on the device can be relied upon: the generator of random
numbers and the allocator may believe that it still goes on. Commands that train can be stopped anywhere and go on from
their checkpoints, so the same words in a new process lose nothing but the seconds since the last one. It is done in
`igcnas.system.program`, the one place that all of them pass, where they hold nothing any more: no lock, file or
process. The environment says to the new process, and to those that it starts, that steps are not captured, and why.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys

WANTED = -1  # in place of an exit status
_REASON = "IGCNAS_STEP_BY_STEP"


def reason() -> str | None:
    """Why this process runs its steps one by one, whatever was found of this GPU; None where it is not such a one."""
    return os.environ.get(_REASON) or None


def ask(why: str) -> None:
    """Let the next process know."""
    os.environ[_REASON] = " ".join(why.split()).replace("\0", "") or "unknown"


def begin() -> int:
    """Become the same command anew; where the system has no such thing, run it and return its status."""
    gc.collect()  # processes that read images end with what holds them
    command = [sys.executable, *sys.orig_argv[1:]]
    if os.name != "nt":
        os.execv(command[0], command)
    return subprocess.run(command, check=False).returncode
