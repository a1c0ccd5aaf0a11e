"""Work in a forked process: it inherits what is loaded, and leaves nothing behind."""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
import time
from collections.abc import Callable

_MEMORY = 8 * 2**30
_OVER_TIME = 77  # exit status


def forked(work: Callable[[], bool], *, seconds: float) -> str:
    """'done' where the work returns True in time, 'failed' where it does not, 'timeout' where it takes too long."""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _work(work)
    try:
        while time.monotonic() - began < seconds:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return _end(status)
            time.sleep(0.005)
        return "timeout"
    finally:
        _kill(child)


def share() -> None:
    """Share what is loaded with all forks to come: their garbage collectors leave it alone, which saves copying it."""
    gc.collect()
    gc.freeze()


def allow(seconds: float) -> None:
    """Let this process use so many more seconds of a processor; other work on the machine does not count."""
    used = time.process_time()
    resource.setrlimit(resource.RLIMIT_CPU, (int(used + seconds) + 1, resource.RLIM_INFINITY))


def _work(work: Callable[[], bool]) -> None:
    """Never returns."""
    done = False
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGXCPU, lambda *_: os._exit(_OVER_TIME))
        resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.RLIM_INFINITY))
        done = work()
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(0 if done else 1)


def _end(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code in (_OVER_TIME, -signal.SIGXCPU):
        return "timeout"
    return "done" if code == 0 else "failed"


def _kill(group: int) -> None:
    """The process, if it still runs, and what it started."""
    try:
        os.killpg(group, signal.SIGKILL)
        os.waitpid(group, 0)
    except (ProcessLookupError, ChildProcessError):
        return
