"""Warm processes that train one network after another, each of one variant, on given cores; and fleets of them.

A process is in a session of its own, so that what it starts (loader processes, compilers) ends with it. It trains a
network that is in no list before it says that it is ready.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.connection import Connection

from benchmarks.speed.networks import Named
from benchmarks.speed.outcome import Failure, Outcome
from benchmarks.speed.workload import Workload

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# Importing torch and the first trial of any kind; torch.compile takes longest.
READY_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a process is told once. cores: where it and its children stay. threads: None for what the variant chooses.

    start_method: how loader processes start; that of a program that was not itself started by multiprocessing.
    """

    variant: str
    workload: Workload
    device: str
    cores: tuple[int, ...]
    threads: int | None
    loaders: int
    start_method: str = field(default_factory=multiprocessing.get_start_method)


class Process:
    """One warm process; `close` it."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.cache = tempfile.mkdtemp(prefix="igcnas-compile-")
        self.process = context.Process(target=_serve, args=(theirs, setting, self.cache))
        self.process.start()
        theirs.close()

    def ready(self, limit: float = READY_SECONDS) -> Failure | None:
        """Wait for it; why it never will be, or None."""
        found = self.answer(limit)
        return found if isinstance(found, Failure) else None

    def ask(self, network: Named, repeat: int) -> None:
        """Start a trial."""
        with contextlib.suppress(OSError):
            self.pipe.send((network.architecture, repeat))

    def answer(self, limit: float) -> Outcome | Failure | None:
        """What the trial gave; a process that is silent for so many seconds is ended."""
        try:
            if self.pipe.poll(max(0.0, limit)):
                found: Outcome | Failure | None = self.pipe.recv()
                return found
        except (EOFError, OSError):
            self.close()
            return Failure(reason=f"the process ended with status {self.process.exitcode}")
        self.close()
        return Failure(reason=f"over the limit of {limit:.0f} s", over=True)

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self.process.is_alive() and not self.pipe.closed

    def close(self) -> None:
        """End it and all that it started."""
        self.pipe.close()
        if self.process.pid is not None and self.process.is_alive():
            self.process.join(0.5)  # a closed pipe ends an idle one
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.kill()  # also where it had no time to get a session of its own
        self.process.join()
        shutil.rmtree(self.cache, ignore_errors=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """What a fleet did: outcomes of the networks in their order, and seconds from the first start to the last end."""

    seconds: float
    outcomes: tuple[Outcome | Failure, ...]

    @property
    def finished(self) -> list[Outcome]:
        """Those that came to their end."""
        return [outcome for outcome in self.outcomes if isinstance(outcome, Outcome)]

    @property
    def per_hour(self) -> float:
        """Trials an hour."""
        return 3600.0 * len(self.finished) / self.seconds


def run_fleet(
    setting: Setting,
    networks: Sequence[Named],
    *,
    processes: int,
    repeat: int,
    limit: float,
    warm: float = READY_SECONDS,
) -> Throughput:
    """Train all networks with so many processes; each takes the next one when it is done. The clock starts when all are
    warm.

    limit: seconds for all; what is not done by then is a failure. warm: seconds until all are warm.
    """
    late = time.monotonic() + warm
    fleet = [Process(setting) for _ in range(processes)]
    outcomes: list[Outcome | Failure] = [Failure(reason="not started", over=True)] * len(networks)
    try:
        for process in fleet:
            failure = process.ready(late - time.monotonic())
            if failure is not None:
                return Throughput(seconds=float("nan"), outcomes=(failure,) * len(networks))
        waiting = list(enumerate(networks))[::-1]
        working: dict[Connection, tuple[Process, int]] = {}
        start = time.perf_counter()
        for process in fleet:
            _next(process, waiting, working, repeat)
        while working:
            left = limit - (time.perf_counter() - start)
            told = connection.wait(list(working), timeout=max(0.0, left))
            if not told:
                for _, number in working.values():
                    outcomes[number] = Failure(reason=f"over the limit of {limit:.0f} s", over=True)
                break
            for pipe in told:
                process, number = working.pop(pipe)  # type: ignore[arg-type]
                found = process.answer(0.0)
                assert found is not None
                outcomes[number] = found
                if process.alive:
                    _next(process, waiting, working, repeat)
        return Throughput(seconds=time.perf_counter() - start, outcomes=tuple(outcomes))
    finally:
        for process in fleet:
            process.close()


def _next(
    process: Process, waiting: list[tuple[int, Named]], working: dict[Connection, tuple[Process, int]], repeat: int
) -> None:
    if waiting:
        number, network = waiting.pop()
        process.ask(network, repeat)
        working[process.pipe] = (process, number)


def _serve(pipe: Connection, setting: Setting, cache: str) -> None:
    """The process: prepare, warm up, train what is asked for until the pipe closes."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # In a spawned process the method is spawn, and a loader would take seconds where a user's takes milliseconds.
    multiprocessing.set_start_method(setting.start_method, force=True)
    for name in _THREADS:
        os.environ.pop(name, None)
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
    import torch

    from benchmarks.speed.machine import device_mb, stay_on
    from benchmarks.speed.networks import tiny
    from benchmarks.speed.variants import Place, variant_of

    stay_on(setting.cores)
    torch.set_num_threads(setting.threads or len(setting.cores))
    place = Place(device=torch.device(setting.device), loaders=setting.loaders, threads=setting.threads)
    try:
        variant = variant_of(setting.variant)
        dataset = setting.workload.dataset
        once = dataclasses.replace(setting.workload, epochs=1)
        variant.prepare(once, place)(tiny(dataset.input_shape, dataset.num_classes), 0)
        trial = variant.prepare(setting.workload, place)
    except Exception as error:  # whatever it is belongs into the table
        pipe.send(_failed(error))
        return
    pipe.send(None)
    while True:
        try:
            architecture, repeat = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            outcome = trial(architecture, repeat)
            pipe.send(dataclasses.replace(outcome, left_mb=device_mb(place.device)))
        except Exception as error:
            pipe.send(_failed(error))


def _failed(error: Exception) -> Failure:
    text = str(error).strip() or type(error).__name__
    return Failure(reason=f"{type(error).__name__}: {text.splitlines()[0][:200]}")
