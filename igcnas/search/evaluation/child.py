"""One worker process, seen from the controller: started, spoken to, ended. Replacing it is its owner's business."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import connection
from multiprocessing.connection import Connection, Pipe
from typing import Any, cast

from igcnas.errors import MachineError
from igcnas.search.evaluation.forkserver import Forked, ForkServer, pays_for
from igcnas.search.evaluation.slots import Slot
from igcnas.search.worker import Work, WorkerSetup
from igcnas.search.worker.messages import STOP
from igcnas.system.files import deadly_fault

# Modules are looked for where this process looks for them, so that both are the same igcnas.
_START = "import sys; sys.path[:] = sys.argv[2:]; from igcnas.search.worker.process import main; main(int(sys.argv[1]))"
# Read by the libraries that torch and numpy compute with, when they are loaded.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Child:
    """A process that trains, once it is set up. It ends when this process does, and when `end` is called.

    ready: it has said so. silence: seconds without a word of it, counted by its owner. threads: as in WorkerSetup.
    environment: variables that it gets beside those of this process. server: of which it is forked, if it can be.
    """

    def __init__(
        self, threads: int | None, environment: Mapping[str, str] | None = None, server: ForkServer | None = None
    ) -> None:
        self.ready, self.silence = False, 0.0
        self.pipe, theirs = Pipe()
        variables = _environment(threads) | dict(environment or {})
        with theirs, _ctrl_c_held():
            forked = None if server is None else server.start(theirs.fileno(), variables)
            self.process: Forked | subprocess.Popen[bytes] = forked or subprocess.Popen(
                command(theirs.fileno()), stdin=subprocess.PIPE, env=variables, **_inherited(theirs.fileno())
            )

    def set_up(self, setup: WorkerSetup) -> None:
        """Say what it is to train on, and how; once, before any work."""
        with suppress(OSError):  # if it is gone already, the pipe tells so to who listens
            self.pipe.send(setup)

    def send(self, message: Work | str) -> bool:
        """Whether it could be told; if not, it is gone."""
        try:
            self.pipe.send(message)
        except OSError:
            return False
        return True

    def receive(self) -> tuple[str, Any] | None:
        """Its message, which must be there; None if it is gone."""
        try:
            message: tuple[str, Any] = self.pipe.recv()
        except (EOFError, OSError):
            return None
        self.silence = 0.0
        return message

    def ask_to_stop(self) -> None:
        """Let it save what it trains, and end. What cannot be stopped between two steps does not hear of it."""
        assert self.process.stdin is not None
        with suppress(OSError):  # it is gone already
            self.process.stdin.write(STOP)
            self.process.stdin.flush()

    def has_ended(self, seconds: float) -> bool:
        """Whether it has, at most so many seconds later."""
        try:
            self.process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """Ask the kernel to end it, hung or not. It has no state that is not on disk."""
        self.process.kill()

    def end(self) -> None:
        """End it, and wait until it has ended."""
        self.kill()
        self.pipe.close()
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    @property
    def was_killed(self) -> bool:
        """Whether somebody else ended it by SIGKILL, as a system does that is short of memory. After `reason`."""
        return self.process.returncode == -9

    def reason(self) -> str:
        """Why it ended by itself, in words. MachineError where that is the machine's fault, not that of its work."""
        try:
            code = self.process.wait(5)
        except subprocess.TimeoutExpired:
            return "the training process hung up"
        if (fault := deadly_fault(code)) is not None:
            raise MachineError(f"a training process was ended by the system with {fault}")
        return f"the training process ended with status {code}" + (" (killed; out of memory?)" if code == -9 else "")


def server_for(slots: Sequence[Slot]) -> ForkServer | None:
    """A new server for the workers of these slots, where that pays."""
    if not pays_for(slots):
        return None
    with _ctrl_c_held():
        return ForkServer(_environment(1))


def command(descriptor: int) -> list[str]:
    """How a worker is started that talks over this descriptor, which it must inherit."""
    return [sys.executable, "-P", "-c", _START, str(descriptor), *sys.path]


def listen(pipes: Iterable[Connection], seconds: float) -> list[Connection]:
    """The pipes with something to say, or whose process is gone; at most so many seconds later."""
    return cast("list[Connection]", connection.wait(list(pipes), seconds))


def _inherited(descriptor: int) -> dict[str, Any]:
    """How the process gets its end of the pipe; no other process does."""
    if sys.platform == "win32":  # not tested
        os.set_handle_inheritable(descriptor, True)
        return {"close_fds": False}
    return {"pass_fds": (descriptor,)}


def _environment(threads: int | None) -> dict[str, str]:
    """How many threads its libraries start, beside what is there."""
    return os.environ | ({} if threads is None else dict.fromkeys(_THREADS, str(threads)))


@contextmanager
def _ctrl_c_held() -> Iterator[None]:
    """Hold Ctrl-C back, also in a process that starts meanwhile: it would die of it before it can ignore it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
