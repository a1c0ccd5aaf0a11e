"""A worker as a fork of this process: the same program over the same pipes, without two seconds of imports.

Tests that need what a search did, and not how its processes start, take it by the fixture `forked_workers`. How a
worker starts, and what it has when it does, is tested with real ones: test_worker, test_workers, test_spare.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from typing import BinaryIO, NoReturn


class Fork:
    """What `evaluation.child` uses of subprocess.Popen."""

    def __init__(
        self, command: Sequence[str], *, stdin: int, env: Mapping[str, str], pass_fds: Collection[int]
    ) -> None:
        assert stdin == subprocess.PIPE
        self.returncode: int | None = None
        theirs, ours = os.pipe()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _be(command, theirs, env, pass_fds)
        os.close(theirs)
        self.stdin: BinaryIO = os.fdopen(ours, "wb")

    def poll(self) -> int | None:
        """Its status, once it has ended."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its status; subprocess.TimeoutExpired after so many seconds."""
        end = time.monotonic() + (3600.0 if timeout is None else timeout)
        while (code := self.poll()) is None:
            if time.monotonic() >= end:
                raise subprocess.TimeoutExpired("a fork", timeout or 3600.0)
            time.sleep(0.005)
        return code

    def kill(self) -> None:
        """As Popen: nothing where it has ended."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def _be(command: Sequence[str], stdin: int, env: Mapping[str, str], pass_fds: Collection[int]) -> NoReturn:
    """What the command `python -P -c PROGRAM ARGUMENT...` would be."""
    try:
        os.dup2(stdin, 0)
        low = 3
        for kept in sorted(pass_fds):
            os.closerange(low, kept)
            low = kept + 1
        os.closerange(low, 4096)
        os.environ.clear()
        os.environ.update(env)
        sys.stdout, sys.stderr = (open(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))  # noqa: SIM115
        program, arguments = command[3], command[4:]
        sys.argv = ["-c", *arguments]
        exec(program, {"__name__": "__main__"})
    finally:
        os._exit(1)
