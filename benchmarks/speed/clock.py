"""Seconds of calls, several ways interleaved, so that a machine that slows down slows all of them.

The clock is read around enough calls to fill a fixed time, on CUDA the device's own. The first call is timed apart: it
compiles, selects, allocates.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

Call = Callable[[], object]
_WARM_UP = 3


@dataclass(slots=True)
class Timing:
    """Seconds: of the first call, and of one call in each repeat."""

    first: float
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Seconds of a call."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Interquartile range over the median; 0 for fewer than two repeats."""
        if len(self.seconds) < 2:
            return 0.0
        low, middle, high = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return (high - low) / middle


def interleaved(ways: Mapping[str, Call], device: torch.device, *, repeats: int, seconds: float) -> dict[str, Timing]:
    """Time every way `repeats` times, in turns; each time as many calls as fill `seconds`, one at least."""
    clock = _on_cuda if device.type == "cuda" else _on_cpu
    timings = {name: Timing(first=once(call, device)) for name, call in ways.items()}
    counts = {name: max(1, int(seconds / max(clock(call, _WARM_UP), 1e-7))) for name, call in ways.items()}
    collects = gc.isenabled()
    gc.disable()
    try:
        for _ in range(repeats):
            for name, call in ways.items():
                timings[name].seconds.append(clock(call, counts[name]))
    finally:
        if collects:
            gc.enable()
    return timings


def once(call: Call, device: torch.device) -> float:
    """Seconds of one call, to its end on the device."""
    start = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def _on_cpu(call: Call, count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


def _on_cuda(call: Call, count: int) -> float:
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    for _ in range(count):
        call()
    end.record()
    end.synchronize()
    return 1e-3 * start.elapsed_time(end) / count
