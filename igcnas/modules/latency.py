"""How long one forward pass takes on a device, in milliseconds: the median over repetitions, and their spread.

A number holds for this machine, its load, its torch and the number of threads that torch has (`torch.get_num_threads`;
it is left as it is), and for nothing else: not for another engine (an exported network runs elsewhere, and faster), not
for another batch. A network of few multiply-accumulates is not fast for that: on small images the calls of layers take
most of the time, and permutations and group convolutions, which cost few MACs, take theirs. Compare medians only if
they differ by more than their interquartile ranges.

On the CPU the clock is read around each pass. On CUDA events on the stream are: they count the time of the device, and
waiting for Python where the device is the faster one, as a caller would. Inputs are ready on the device; copies to it
do not count.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from igcnas.system.checks import require_positive

_WARM_UP_SECONDS = 0.1
_LEAST_WARM_UP = 3
_SECONDS = 0.4
_LEAST_RUNS = 11  # of a slow network, which may take longer than the seconds
_MOST_RUNS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds of one forward pass: median, and interquartile range, over so many runs."""

    median_ms: float
    iqr_ms: float
    runs: int


def measure(
    network: nn.Module, input_shape: tuple[int, int, int], device: torch.device | str, *, batch: int = 1
) -> Latency:
    """Time forward passes of `batch` images of (channels, height, width), in about half a second.

    The network is moved to the device and is left there; it is measured in evaluation mode, without gradients, and gets
    its mode back.
    """
    require_positive(batch=batch)
    device = torch.device(device)
    modes = [(module, module.training) for module in network.modules()]
    network.to(device).eval()
    images = torch.rand(batch, *input_shape, device=device)
    once = _timed_on_cuda if device.type == "cuda" else _timed
    try:
        with torch.inference_mode():
            _repeat(once, network, images, least=_LEAST_WARM_UP, seconds=_WARM_UP_SECONDS)
            times = _repeat(once, network, images, least=_LEAST_RUNS, seconds=_SECONDS)
    finally:
        for module, training in modes:
            module.training = training
    low, median, high = statistics.quantiles(times, n=4, method="inclusive")
    return Latency(median_ms=median, iqr_ms=high - low, runs=len(times))


def _repeat(
    once: Callable[[nn.Module, torch.Tensor], float],
    network: nn.Module,
    images: torch.Tensor,
    *,
    least: int,
    seconds: float,
) -> list[float]:
    """Milliseconds of each pass, until the time is over."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < least or (time.perf_counter() < end and len(times) < _MOST_RUNS):
        times.append(once(network, images))
    return times


def _timed(network: nn.Module, images: torch.Tensor) -> float:
    start = time.perf_counter()
    network(images)
    return 1000.0 * (time.perf_counter() - start)


def _timed_on_cuda(network: nn.Module, images: torch.Tensor) -> float:
    start = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    stream = torch.cuda.current_stream(images.device)
    torch.cuda.synchronize(images.device)
    start.record(stream)
    network(images)
    end.record(stream)
    torch.cuda.synchronize(images.device)
    return float(start.elapsed_time(end))
