"""The controller's side of training: one worker process, replaced when it dies or hangs."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from igcnas import worker
from igcnas.architecture import Architecture
from igcnas.errors import IgcnasError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from igcnas.training import EpochReport

_POLL_SECONDS = 0.2
# Loading data and importing torch on a slow disk; not training, which has its own deadline.
_START_SECONDS = 1800.0
_ATTEMPTS = 2


class Interrupted(Exception):  # noqa: N818 - not an error
    """The user asked to stop while a network was training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Results to store with a trial, or the reason why there are none. pruned: they are of the epochs so far."""

    results: dict[str, Any] | None = None
    reason: str | None = None
    pruned: bool = False


# Hears each epoch; True ends the training there.
OnEpoch = Callable[["EpochReport"], "bool | None"]


class Evaluate(Protocol):
    """Train one network, leave its files in the folder, report each epoch: the seam between search and training."""

    def __call__(self, architecture: Architecture, folder: Path, on_epoch: OnEpoch, repeat: int = 0) -> Outcome:
        """Train this network with the seed of this repeat, until it is done or on_epoch returns True.

        A training that is taken up tells its curve again, and must hear the same.
        """
        ...


@contextmanager
def _ctrl_c_held() -> Iterator[None]:
    """Hold Ctrl-C back, also in a process that starts meanwhile: it would die of it before it can ignore it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # the start of a process does this first, and it unblocks SIGINT (Python 3.11)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class ProcessEvaluator:
    """Evaluate in a worker process that persists from network to network. Use as a context manager.

    stop() is asked several times a second; once it is true, Interrupted is raised and the worker ended.
    epoch_deadline is in seconds: a worker that is silent for longer is hung. A worker that dies or hangs is replaced
    and the network trained once more; a second time is recorded as the reason.
    """

    def __init__(
        self, setup: worker.WorkerSetup, *, stop: Callable[[], bool] = lambda: False, epoch_deadline: float = 3600.0
    ) -> None:
        self._setup = setup
        self._stop = stop
        self._epoch_deadline = epoch_deadline
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self.device_name = ""

    def __enter__(self) -> ProcessEvaluator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id of the worker, if one runs."""
        return self._process.pid if self._process is not None else None

    def probe(self, architectures: tuple[Architecture, ...]) -> list[float] | None:
        """Seconds that the training of each of these networks will take; None if it could not be measured."""
        self._request(worker.Probe(architectures=architectures))
        word, content = self._receive(self._epoch_deadline)
        return list(content) if word == worker.PROBED else None

    def __call__(self, architecture: Architecture, folder: Path, on_epoch: OnEpoch, repeat: int = 0) -> Outcome:
        """Train one network. on_epoch can end it where the worker was set up to wait (`prunes`)."""
        reason = ""
        for _ in range(_ATTEMPTS):
            self._request(worker.Job(architecture=architecture, folder=str(folder.absolute()), repeat=repeat))
            while True:
                word, content = self._receive(self._epoch_deadline)
                if word != worker.EPOCH:
                    break
                self._answer(ends=bool(on_epoch(content)))
            if word in (worker.DONE, worker.PRUNED):
                return Outcome(results=content, pruned=word == worker.PRUNED)
            if word == worker.BROKEN:  # it ends, and its successor knows nothing of what broke it
                self.close()
            if word in (worker.FAILED, worker.BROKEN):
                return Outcome(reason=content)
            reason = content
        return Outcome(reason=reason)

    def _answer(self, *, ends: bool) -> None:
        """Answer a worker that waits; if it is gone, the next message says so."""
        assert self._pipe is not None
        if self._setup.prunes:
            with suppress(OSError):
                self._pipe.send(worker.END if ends else worker.GO)

    def close(self) -> None:
        """End the worker, hung or not. It has no state that is not on disk."""
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None

    def _request(self, job: worker.Job | worker.Probe) -> None:
        if self._process is None:
            self._start()
        assert self._pipe is not None
        try:
            self._pipe.send(job)
        except OSError:  # it died between two networks
            self.close()
            self._start()
            self._pipe.send(job)

    def _start(self) -> None:
        # spawn: a fork would inherit the threads and the CUDA state of the controller.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=worker.main, args=(theirs, self._setup), daemon=True)
        with _ctrl_c_held():
            self._process.start()
        theirs.close()
        word, content = self._receive(_START_SECONDS)
        if word != worker.READY:
            self.close()
            raise IgcnasError(content)
        self.device_name = content

    def _receive(self, deadline: float) -> tuple[str, Any]:
        """Next message; ('died', reason) where the worker ended or was silent for too long, which ends it."""
        assert self._pipe is not None
        assert self._process is not None
        start = time.monotonic()
        while time.monotonic() - start < deadline:
            if self._stop():
                self.close()
                raise Interrupted
            try:
                if self._pipe.poll(_POLL_SECONDS):
                    message: tuple[str, Any] = self._pipe.recv()
                    return message
            except (EOFError, OSError):
                self._process.join(5)
                code = self._process.exitcode
                self.close()
                return "died", f"the training process ended with status {code}" + (
                    " (killed; out of memory?)" if code == -9 else ""
                )
        self.close()
        return "died", f"the training process was silent for {deadline:.0f} s and was ended"
