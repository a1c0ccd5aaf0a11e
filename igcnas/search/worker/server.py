"""A process that becomes workers: it has imported what they need, and forks one for each request. Linux.

Importing torch takes more than a second of a core. A fork has it at once, and shares its memory until it writes there.
Nothing but imports happens here before a fork: no thread is started, and no image or network is made. `main` of
`process` runs in the fork as it does in a process of its own.

A request is a message on a socket: an `Order`, with the descriptors of the worker's pipe, standard input, output and
error, and of a socket over which this process says who the worker is, and later how it ended. Where this process has
threads, whatever started them, a fork would lack them: then, as where anything else is wrong, it ends without a word,
and workers are started anew, which say what is wrong.
"""

from __future__ import annotations

import gc
import os
import pickle
import select
import signal
import socket
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from igcnas.system import program

# Answers: the worker's process id, with a descriptor of the process; later its exit code, negative for a signal.
NUMBER = struct.Struct("q")
MOST_BYTES = 1 << 20  # of an order: environment and module path
DESCRIPTORS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a worker has of the process that wants it, beside its descriptors. path: where modules are looked for."""

    environment: dict[str, str]
    folder: str
    path: list[str]


def main(descriptor: int) -> None:
    """Serve until the other end of the socket of this descriptor is closed, and end the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    program.prepare()
    try:
        from igcnas.search.worker import searching, trainer  # noqa: F401

        gc.collect()
        gc.freeze()  # no worker looks through it, so that its pages stay shared
        _serve(socket.socket(fileno=descriptor))
    except Exception:  # a worker that is started anew says what is wrong, in one line
        os._exit(1)
    os._exit(0)


def _serve(orders: socket.socket) -> None:
    running: dict[int, tuple[int, socket.socket]] = {}  # by the descriptor of the process
    poll = select.poll()
    poll.register(orders, select.POLLIN)
    while True:
        for ready, _ in poll.poll():
            if ready in running:
                poll.unregister(ready)
                _see_off(ready, *running.pop(ready))
                continue
            content, descriptors, _flags, _address = socket.recv_fds(orders, MOST_BYTES, DESCRIPTORS)
            if not content or len(os.listdir("/proc/self/task")) > 1:
                return
            *given, answers = descriptors
            theirs = socket.socket(fileno=answers)
            pid = os.fork()
            if pid == 0:
                for kept in (orders, theirs, *(others for _, others in running.values())):
                    kept.close()
                _become(pickle.loads(content), given)
            for number in given:
                os.close(number)
            handle = os.pidfd_open(pid)  # nobody else can have this number before it is waited for
            _say(theirs, pid, handle)
            running[handle] = (pid, theirs)
            poll.register(handle, select.POLLIN)


def _see_off(handle: int, pid: int, theirs: socket.socket) -> None:
    """Say how a worker ended."""
    os.close(handle)
    _say(theirs, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    theirs.close()


def _say(theirs: socket.socket, number: int, *descriptors: int) -> None:
    with suppress(OSError):  # who asked is gone, or does not want to know any more
        socket.send_fds(theirs, [NUMBER.pack(number)], descriptors)


def _become(order: Order, descriptors: list[int]) -> NoReturn:
    """Be the worker, to the end of this process."""
    try:
        pipe, *standard = descriptors
        for number, given in enumerate(standard):
            os.dup2(given, number)
            os.close(given)
        os.environ.clear()
        os.environ.update(order.environment)
        os.chdir(order.folder)
        sys.path[:] = order.path
        from igcnas.search.worker import process

        process.main(pipe)
    finally:
        os._exit(1)
