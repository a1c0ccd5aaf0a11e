"""Where training runs: CUDA where there is one, else the CPU, with threads set for small networks."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch

from igcnas.errors import IgcnasError
from igcnas.system import gpu
from igcnas.system.resources import usable_cores

DEVICES = ("auto", "cpu", "cuda")


def resolve_device(name: str) -> torch.device:
    """auto: CUDA, else CPU. 'cuda:1' and the like name one GPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise IgcnasError(f"unknown device {name!r}; known: {', '.join(DEVICES)}, cuda:N")
    if name != "cpu" and not torch.cuda.is_available():
        why = unused_gpu() or "torch sees no CUDA device"
        raise IgcnasError(f"device {name!r} was asked for, but {why}; use --device auto")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise IgcnasError(f"device {name!r} was asked for, but torch sees {torch.cuda.device_count()} CUDA devices")
    return device


def unused_gpu() -> str | None:
    """Why an NVIDIA GPU that is in this machine cannot be used, and what to do; None if there is none or it can be."""
    return None if torch.cuda.is_available() else gpu.why_unused(torch=torch.__version__, cuda=torch.version.cuda)


def prepare_device(device: torch.device, pixels: int) -> None:
    """Set threads on a CPU. `pixels` is height * width of an image."""
    if device.type == "cpu":
        torch.set_num_threads(usual_threads(pixels))


def usual_threads(pixels: int) -> int:
    """How many threads a training has on a CPU that it has for itself. `pixels` is height * width of an image.

    Small maps gain nothing from a second thread. On 32x32 images 2 threads took 0.6 to 1 times, 4 threads 0.5 to 0.75
    times the time of one (4 cores); but where threads outnumber the cores that are free, each barrier waits for the
    scheduler and training comes nearly to a stop. So: half of the cores that this process may run on.
    """
    return 1 if pixels < 256 else max(1, usable_cores() // 2)


def describe(device: torch.device) -> str:
    """Name of the hardware, for records: 'cpu' or the GPU's own name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


# One stream a process: each further one would keep a workspace of the matrix library for good (32 MiB on Hopper).
_STREAMS: dict[torch.device, torch.cuda.Stream] = {}


@contextmanager
def computing(device: torch.device) -> Iterator[None]:
    """On a GPU everything inside runs on the one stream of this process; a graph cannot be captured on the default one.

    What was begun before is waited for on the device, and so is, afterwards, what was begun inside.
    """
    if device.type != "cuda":
        yield
        return
    if device not in _STREAMS:
        _STREAMS[device] = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    stream, outer = _STREAMS[device], torch.cuda.current_stream(device)
    stream.wait_stream(outer)
    try:
        with torch.cuda.stream(stream):
            yield
    except BaseException:  # also Ctrl-C and a stop: the device must be waited for whatever ends this
        with suppress(RuntimeError):  # on a device that is broken; what broke it is on its way
            outer.wait_stream(stream)
        raise
    outer.wait_stream(stream)


def give_back(device: torch.device) -> None:
    """Give the memory of the device that nobody holds any more back to it."""
    if device.type != "cuda":
        return
    gc.collect()
    torch.cuda.synchronize(device)
    torch._C._cuda_clearCublasWorkspaces()
    torch.cuda.empty_cache()
