"""Milliseconds of one call: the median over repetitions, and their spread, in about half a second.

On a CPU the clock is read around each call. On CUDA events on the stream are, for torch: they count the time of the
device, and waiting for Python where the device is the faster one, as a caller would; ONNX Runtime waits for the device
itself. Inputs are ready on the device; copies to it do not count.

With one thread, a machine that was quiet gave this process the core for as long as the clock ran. Where the clock ran
further than the time of the processor, another program had the core in between, and it is measured once more, a few
times at most. What other programs do to caches and to the rate of the processor cannot be seen so.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from igcnas.export.latency.setting import Setting

Call = Callable[[], object]
_WARM_UP_SECONDS = 0.1
_LEAST_WARM_UP = 3
_LEAST = 11  # calls of a slow network, which may take longer than the seconds
_MOST = 20_000
_SECONDS = 0.4
ATTEMPTS = 3
_AHEAD = 1.05  # of the time of the processor, by which the clock of a quiet machine may be


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds of one call: median, and interquartile range, over so many calls.

    quiet: whether no other program had the core; None where that cannot be told: several threads, or a GPU.
    """

    median_ms: float
    iqr_ms: float
    runs: int
    quiet: bool | None = None


def measure(
    call: Call,
    setting: Setting | None = None,
    *,
    least: int = _LEAST,
    seconds: float = _SECONDS,
    attempts: int = ATTEMPTS,
) -> Latency:
    """Time a call of one of `running.runner`.

    Args:
        call: what is timed.
        setting: by which it runs; None: the usual one.
        least: at least so many calls count.
        seconds: how long, once it is warm.
        attempts: how often, at most, while the machine is not quiet; the quietest counts.
    """
    setting = setting or Setting()
    once = _timed_on_cuda(setting) if setting.runtime == "torch" and setting.on_gpu else _timed
    best: tuple[float, list[float]] | None = None
    with _threads(setting):
        _repeat(once, call, least=min(least, _LEAST_WARM_UP), seconds=min(seconds / 4, _WARM_UP_SECONDS))
        for _ in range(attempts):
            clock, processor = time.perf_counter(), time.process_time()
            times = _repeat(once, call, least=least, seconds=seconds)
            processor, clock = time.process_time() - processor, time.perf_counter() - clock
            ahead = clock / max(processor, 1e-9)
            if best is None or ahead < best[0]:
                best = ahead, times
            if setting.on_gpu or setting.threads > 1 or ahead <= _AHEAD:
                break
    assert best is not None
    ahead, times = best
    low, median, high = statistics.quantiles(times, n=4, method="inclusive") if len(times) > 1 else times * 3
    quiet = None if setting.on_gpu or setting.threads > 1 else ahead <= _AHEAD
    return Latency(median_ms=median, iqr_ms=high - low, runs=len(times), quiet=quiet)


@contextmanager
def _threads(setting: Setting) -> Iterator[None]:
    """Torch has those of the setting, and gets its own back."""
    if setting.runtime != "torch" or setting.on_gpu:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(setting.threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _repeat(once: Callable[[Call], float], call: Call, *, least: int, seconds: float) -> list[float]:
    """Milliseconds of each call, until the time is over."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < least or (time.perf_counter() < end and len(times) < _MOST):
        times.append(once(call))
    return times


def _timed(call: Call) -> float:
    start = time.perf_counter()
    call()
    return 1000.0 * (time.perf_counter() - start)


def _timed_on_cuda(setting: Setting) -> Callable[[Call], float]:
    import torch

    stream = torch.cuda.current_stream(torch.device(setting.device))

    def once(call: Call) -> float:
        start = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        stream.synchronize()
        start.record(stream)
        call()
        end.record(stream)
        stream.synchronize()
        return float(start.elapsed_time(end))

    return once
