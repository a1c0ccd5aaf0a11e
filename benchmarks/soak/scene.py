"""One search in processes of its own, where its records are, and what a fault needs to find."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psutil

from benchmarks.soak.clock import Clock

_ROOT = Path(__file__).parents[2]
WORKER = "igcnas.search.worker.process"
STORAGES = ("journal", "postgresql", "ray")


class Server(Protocol):
    """A database server that can be ended as by a crash, and started again (tests/support/postgres.py)."""

    data: Path

    def url(self) -> str:
        """Its address."""

    def start(self) -> None:
        """Again."""

    def stop(self) -> None:
        """As a crash."""

    def sql(self, command: str) -> str:
        """What an administrator does."""


@dataclass(slots=True)
class Scene:
    """A study under faults. server: of its records; None where they are a journal."""

    studies: Path
    name: str
    options: Sequence[str]
    draws: random.Random
    clock: Clock
    server: Server | None = None
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def folder(self) -> Path:
        """Of the study."""
        return self.studies / self.name

    @property
    def journal(self) -> Path:
        """The file of its records."""
        return self.folder / "journal.log"

    @property
    def log(self) -> Path:
        """What its processes said."""
        return self.studies / f"{self.name}.log"

    def start(self) -> None:
        """The search, in a process group of its own, its output behind that of earlier runs."""
        words = ["search", *self.options, "--study", self.name, "--studies-dir", str(self.studies), "--no-export"]
        if self.server is not None:
            words += ["--storage", self.server.url(), "--storage-wait", "60"]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(_ROOT)} | self.clock.environment
        command = [sys.executable, "-m", "benchmarks.soak.searching", *words]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command, cwd=_ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
            )

    def runs(self) -> bool:
        """Whether the search has not ended."""
        return self.process is not None and self.process.poll() is None

    def finish(self, seconds: float = 600.0) -> None:
        """The search to its end, without faults; RuntimeError with what it said where it does not get there."""
        if not self.runs():
            self.start()
        assert self.process is not None
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = -1
            self.kill()
        if status != 0:
            said = self.log.read_text(encoding="utf-8")[-3000:]
            raise RuntimeError(f"the search {self.name} ended with status {status}, or hung:\n{said}")

    def kill(self) -> None:
        """SIGKILL to the controller; what it started follows by itself."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def tell(self, number: int) -> None:
        """A signal to the controller."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, number)

    def descendants(self, *words: str) -> list[psutil.Process]:
        """Processes below the controller in whose command one of the words stands; forks, too."""
        assert self.process is not None
        found = []
        with contextlib.suppress(psutil.Error):
            for one in psutil.Process(self.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if any(word in " ".join(one.cmdline()) for word in words):
                        found.append(one)
        return found

    def wait(self, longest: float) -> bool:
        """Until a random moment; whether the search still runs then."""
        seconds, growth = self.draws.uniform(0, longest), 0
        if self.server is None and self.draws.random() < 0.5:  # behind some records of the journal, then a little
            growth, seconds = int(150 * self.draws.randint(1, 40)), self.draws.uniform(0, 0.02)
        end = self._size() + growth
        while growth and self.runs() and self._size() < end:
            time.sleep(0.001)
        if self.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        return self.runs()

    def pause(self, processes: Sequence[psutil.Process], seconds: float) -> None:
        """SIGSTOP to them, and SIGCONT later."""
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for one in processes:
                with contextlib.suppress(psutil.Error):
                    one.send_signal(number)
            if number == signal.SIGSTOP:
                time.sleep(seconds)

    def _size(self) -> int:
        return self.journal.stat().st_size if self.journal.exists() else 0
