"""The figures of a session on a GPU: cold trials by every variant in turns, memory after many trials, and fleets.

Each part has a deadline; what is not measured by then is a note, and the next part starts. Every process that fails is
replaced, because an error of CUDA stays with its process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.speed.machine import available_cores
from benchmarks.speed.networks import Named
from benchmarks.speed.outcome import Failure, Outcome
from benchmarks.speed.processes import Process, Setting, run_fleet
from benchmarks.speed.session_results import HOWS, Found, Results, Scale, Size
from benchmarks.speed.variants import EAGER, GRAPH, LOADER

LOADERS = 2
_GRACE = 30.0  # seconds that a trial may take that began in time


@dataclass(slots=True)
class _Warm:
    """A process, and what was left on the device after each of its trials."""

    process: Process
    left: list[tuple[float, float] | None] = field(default_factory=list)


class Session:
    """Measures into `results`; `keep` hears of everything new. Times are those of time.monotonic."""

    def __init__(self, results: Results, scale: Scale, keep: Callable[[], None]) -> None:
        self.results, self.scale, self.keep = results, scale, keep

    def cold(self, size: Size, *, until: float, trials_until: float | None = None) -> None:
        """Each network by each variant, in turns; with `trials_until` the same processes then train many more."""
        with self._warm(size, until) as processes:
            for network, name in self._turns(size):
                if time.monotonic() > until:
                    self._note(f"{size.name}: time was over before {network.name}, {name}")
                    break
                found = self._trained(processes, name, network, until + _GRACE)
                if found is not None:
                    size.cold.setdefault(name, {})[network.name] = found
                    self.keep()
            if trials_until is not None:
                for name in (EAGER, GRAPH):
                    self._many(processes, name, size, trials_until)

    def fleet(self, size: Size, workers: int, *, mps: bool, until: float) -> None:
        """All random networks, some of them again, by so many processes of the captured step at once."""
        left = until - time.monotonic()
        if left < 0:
            self._note(f"{size.name}: time was over before {workers} workers")
            return
        networks = size.random * self.scale.repeats[size.name]
        setting = self._setting(size, GRAPH)
        name = f"{workers} worker{'s' if workers > 1 else ''}{', MPS' if mps else ''}"
        size.fleets[name] = run_fleet(setting, networks, processes=workers, repeat=0, limit=left, warm=left)
        self.keep()

    @staticmethod
    def _turns(size: Size) -> Iterator[tuple[Named, str]]:
        """The loader trains networks of the literature alone: it is slow, and what it costs is not in the network."""
        for network in size.networks:
            for name in HOWS:
                if name != LOADER or network in size.known:
                    yield network, name

    def _many(self, processes: dict[str, _Warm], name: str, size: Size, until: float) -> None:
        """Further trials of one process, until it has trained so many."""
        while (warm := processes.get(name)) is not None and len(warm.left) < self.scale.trials:
            if time.monotonic() > until:
                self._note(f"{name}: time was over after {len(warm.left)} trials in one process")
                break
            network = size.random[len(warm.left) % len(size.random)]
            if isinstance(self._trained(processes, name, network, until + _GRACE), Failure):
                break
            self.results.memory[name] = warm.left
        self.keep()

    def _trained(self, processes: dict[str, _Warm], name: str, network: Named, until: float) -> Found | None:
        """One trial, None where there is no such process; one that failed is replaced."""
        warm = processes.get(name)
        if warm is None:
            return None
        warm.process.ask(network, 0)
        found = warm.process.answer(until - time.monotonic())
        assert found is not None
        if isinstance(found, Outcome):
            warm.left.append(found.left_mb)
            return found
        warm.process.close()
        processes[name] = _Warm(Process(warm.process.setting))
        self._wait(processes, name, until)
        return found

    @contextmanager
    def _warm(self, size: Size, until: float) -> Iterator[dict[str, _Warm]]:
        """A process of each variant, all started at once; those that cannot start are notes."""
        names = [name for name in HOWS if name != LOADER or size.known]
        processes = {name: _Warm(Process(self._setting(size, name))) for name in names}
        try:
            for name in names:
                self._wait(processes, name, until)
            yield processes
        finally:
            for warm in processes.values():
                warm.process.close()

    def _wait(self, processes: dict[str, _Warm], name: str, until: float) -> None:
        failure = processes[name].process.ready(until - time.monotonic())
        if failure is not None:
            processes.pop(name).process.close()
            self._note(f"{name}: {failure.reason}")

    def _setting(self, size: Size, name: str) -> Setting:
        return Setting(
            variant=self.results.graph if name == GRAPH else name,
            workload=size.workload,
            device=self.results.device,
            cores=available_cores(),
            threads=1,
            loaders=LOADERS if name == LOADER else 0,
        )

    def _note(self, text: str) -> None:
        self.results.notes.append(text)
        self.keep()
