"""Workers that a process with everything imported becomes by forking: two workers import torch once. Linux.

What `child` uses of subprocess.Popen is here for a process that is not a child of this one: the server tells how it
ended.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import connection
from time import monotonic
from typing import BinaryIO

from igcnas.search.evaluation.slots import Slot
from igcnas.search.worker.server import NUMBER, Order

_START = "import sys; sys.path[:] = sys.argv[2:]; from igcnas.search.worker.server import main; main(int(sys.argv[1]))"
_NOBODY, _UNKNOWN = 0, 255  # process id and exit code of a worker whose server is gone


def pays_for(slots: Sequence[Slot]) -> bool:
    """Whether workers of these slots are better forked: several, on a CPU, whose libraries start no threads."""
    return len(slots) > 1 and all(slot.device == "cpu" and slot.threads == 1 for slot in slots) and _possible()


def _possible() -> bool:
    if sys.platform != "linux":
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (OSError, AttributeError):  # Linux before 5.3, a sandbox without it; musl
        return False
    return True


class ForkServer:
    """Started at once; whoever made it closes it. Its workers go on without it.

    environment: variables of the server, which libraries read when they are loaded.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-P", "-c", _START, str(theirs.fileno()), *sys.path]
        with theirs:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, env=environment, pass_fds=(theirs.fileno(),)
            )

    def start(self, pipe: int, environment: Mapping[str, str]) -> Forked | None:
        """A worker that talks over this descriptor; None where it must be started anew."""
        order = Order(environment=dict(environment), folder=os.getcwd(), path=list(sys.path))
        told, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        lifeline, mine = os.pipe()
        worker = Forked(told, os.fdopen(mine, "wb"))
        try:
            # Standard output and error are open: program.prepare sees to that.
            socket.send_fds(self._orders, [pickle.dumps(order)], [pipe, lifeline, 1, 2, theirs.fileno()])
        except OSError:  # the server is gone, or the order is larger than a message can be
            worker.stdin.close()
            return None
        finally:
            os.close(lifeline)
            theirs.close()
        return worker

    def close(self) -> None:
        """End the server."""
        self._orders.close()
        self._process.kill()
        self._process.wait()


class Forked:
    """A worker that a server was asked for. stdin: its lifeline. returncode: None as long as it runs."""

    def __init__(self, told: socket.socket, stdin: BinaryIO) -> None:
        self.stdin = stdin
        self.returncode: int | None = None
        self._told = told
        self._pid: int | None = None
        self._handle: int | None = None

    def __del__(self) -> None:
        self._told.close()
        if self._handle is not None:
            os.close(self._handle)

    @property
    def pid(self) -> int:
        """Its process id, as soon as the server has imported all and forked it; 0 where the server is gone."""
        if self._pid is None:
            content, handles, _flags, _address = socket.recv_fds(self._told, NUMBER.size, 1)
            self._pid = NUMBER.unpack(content)[0] if content else _NOBODY
            self._handle = handles[0] if handles else None
            self.returncode = None if handles else _UNKNOWN
        return self._pid

    def poll(self) -> int | None:
        """Its exit code; None as long as it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code; subprocess.TimeoutExpired after so many seconds."""
        end = None if timeout is None else monotonic() + timeout
        while self.returncode is None:
            _await(self._told, end)
            if self._pid is None:
                _ = self.pid
                continue
            content = self._told.recv(NUMBER.size)
            if not content:  # the server is gone: that the worker ends can be seen, but not how
                _await(self._handle, end)
            self.returncode = NUMBER.unpack(content)[0] if content else _UNKNOWN
        return self.returncode

    def kill(self) -> None:
        """As Popen: nothing where it has ended."""
        if self.pid != _NOBODY and self.returncode is None:
            assert self._handle is not None
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)


def _await(something: socket.socket | int | None, end: float | None) -> None:
    """Until it can be read; subprocess.TimeoutExpired at this time."""
    left = None if end is None else max(0.0, end - monotonic())
    if not connection.wait([something], left):  # type: ignore[list-item]  # a descriptor of a process, too
        raise subprocess.TimeoutExpired("a worker", left or 0.0)
