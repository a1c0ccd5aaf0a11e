"""The actor of a slot, on the machine that trains: it starts a worker process there, and passes on what the two say.

The worker is the process that trains on one machine, too (`evaluation.child`). So it can be ended without the leave of
Ray, whatever it hangs in; and whatever ends it ends no actor. The actor's end is that of its worker.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import sleep
from typing import Any

from igcnas.errors import MachineError
from igcnas.search.cluster import scratch
from igcnas.search.cluster.joining import Facts, facts
from igcnas.search.cluster.parcel import Files, Watched, unpack
from igcnas.search.evaluation.child import Child, listen
from igcnas.search.worker import Work, WorkerSetup, messages
from igcnas.search.worker.memory import processes_ended_for_memory
from igcnas.search.worker.sent import Sent, check
from igcnas.system.files import make_folder, turn, write_whole

# Of a call that waits for a word of the worker: an answer without one tells that the actor is there.
_POLL_SECONDS, _PAUSE_SECONDS = 2.0, 0.02
# Reading a large data set, and compiling; whoever waits longer does it, too.
_TURN_SECONDS = 1800.0
_COMPILE = (
    "import runpy, sys; sys.path[:] = sys.argv[1:]; sys.argv[1:] = []; "
    "runpy.run_module('igcnas.execution.cpu', run_name='__main__')"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What an actor found of its node. refusal: why it must not train, None where it may; "" where it needs the data.

    processor: its name.
    """

    refusal: str | None
    processor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """How a worker ended. killed: by SIGKILL; starved: the system ended some process then for want of memory."""

    reason: str
    killed: bool = False
    starved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What came of a worker since it was asked last: its words, what changed in its folder, and its end."""

    words: tuple[tuple[str, Any], ...] = ()
    files: Files = field(default_factory=dict)
    gone: Gone | None = None


class Host:
    """The actor. A worker of it is known by a number, later ones by higher numbers.

    Its calls come in two threads: `receive` waits in one, while the others, in their order, are made in the other.
    """

    def __init__(self, session: str) -> None:
        self._node = scratch.node_folder(session)
        self._own = str(os.getpid())
        self._folder = self._node / self._own
        self._folder.mkdir(exist_ok=True)
        self._sent: str | None = None
        self._child: Child | None = None
        self._number = -1
        self._home: Watched | None = None
        self._fault = "the training process was ended"
        self._lock = threading.Lock()
        self._killed_so_far = processes_ended_for_memory()

    def join(self, asked: Facts, setup: WorkerSetup, sent: Sequence[Any], *, elsewhere: bool) -> Joined:
        """Whether this node may train for a study whose controller is so.

        sent: a reference to the `Sent` of the controller, or nothing. elsewhere: the controller runs on another
        machine.
        """
        mine = facts()
        refusal: str | None = "; ".join(asked.differences(mine)) or None
        if refusal is None:
            with turn(self._node / "lock", seconds=_TURN_SECONDS):  # the first actor of a node does it for all
                self._sent, refusal = check(self._node, setup.data, lambda: _fetched(sent))
                if refusal is None and elsewhere and setup.device == "cpu" and setup.training.engine == "fast":
                    _compile(self._node / "compiled")
        return Joined(refusal=refusal, processor=mine.processor)

    def start(self, number: int, setup: WorkerSetup, environment: Mapping[str, str]) -> None:
        """Start a worker in place of the one before."""
        self.end(self._number)
        child: Child | None = None
        try:
            with _without_paths_of_ray():
                child = Child(setup.threads, environment)
            child.set_up(replace(setup, sent=self._sent))
        except OSError as error:
            self._fault = f"it cannot start a training process ({error})"
        with self._lock:
            self._child, self._number, self._home = child, number, None

    def give(self, number: int, work: Work, files: Files) -> None:
        """Hand a work to the worker. files: those in the study's folder that it goes on from."""
        if self._child is None or number != self._number:
            return
        home = self._folder / "trials" / "work"  # as deep as in a study
        scratch.remove(home)
        make_folder(home)
        unpack(home, files)
        with self._lock:
            self._home = Watched(home)
        self._child.send(work.moved(home))

    def answer(self, number: int, word: str) -> None:
        """Tell the worker whether it goes on."""
        if self._child is not None and number == self._number:
            self._child.send(word)

    def receive(self, number: int) -> Batch:
        """What there is of this worker; after some seconds, if there is nothing, an empty batch."""
        with self._lock:
            child, started = (self._child if number == self._number else None), number <= self._number
        if child is None:
            if started:
                return Batch(gone=Gone(reason=self._fault))
            sleep(_PAUSE_SECONDS)
            return Batch()
        words: list[tuple[str, Any]] = []
        gone: Gone | None = None
        try:
            if listen([child.pipe], _POLL_SECONDS):
                message = child.receive()
                if message is None:
                    gone = self._end_of(child)
                else:
                    words.append(message)
        except (OSError, ValueError):  # it was ended meanwhile
            gone = Gone(reason=self._fault)
        except MachineError as error:
            words.append((messages.HALTED, str(error)))
        return Batch(words=tuple(words), files=self._changed(), gone=gone)

    def stop(self, number: int) -> None:
        """Let the worker save what it trains, and end."""
        if self._child is not None and number == self._number:
            self._child.ask_to_stop()

    def end(self, number: int) -> None:
        """End the worker."""
        with self._lock:
            child = self._child if number == self._number else None
            if child is not None:
                self._child = None
        if child is not None:
            child.end()

    def leave(self) -> None:
        """End the worker, and take away what this actor had on the node."""
        self.end(self._number)
        scratch.leave(self._node, own=self._own)

    def pid(self) -> int:
        """Process id of the worker, for those who watch it; 0 for none."""
        return 0 if self._child is None else self._child.process.pid

    def _changed(self) -> Files:
        with self._lock:
            home = self._home
        return {} if home is None else home.changed()

    def _end_of(self, child: Child) -> Gone:
        reason = child.reason()
        before, self._killed_so_far = self._killed_so_far, processes_ended_for_memory()
        starved = before is not None and self._killed_so_far is not None and self._killed_so_far > before
        return Gone(reason=reason, killed=child.was_killed, starved=starved)


def _fetched(sent: Sequence[Any]) -> Sent | None:
    """From the object store of the node, to which Ray brings it once."""
    if not sent:
        return None
    import ray

    found: Sent = ray.get(sent[0])
    return found


def _compile(mark: Path) -> None:
    """Compile the CPU kernels, unless that is done; where it fails, each worker compiles for itself."""
    if mark.exists():
        return
    with _without_paths_of_ray():
        command = [sys.executable, "-P", "-c", _COMPILE, *sys.path]
    subprocess.run(command, check=False, capture_output=True)
    write_whole(mark, b"")


@contextmanager
def _without_paths_of_ray() -> Iterator[None]:
    """A process that is started meanwhile finds no packages that Ray brings for itself."""
    before = list(sys.path)
    sys.path[:] = [path for path in before if "thirdparty_files" not in path and not path.endswith("/_private/workers")]
    try:
        yield
    finally:
        sys.path[:] = before
