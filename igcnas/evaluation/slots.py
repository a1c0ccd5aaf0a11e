"""How many workers a study keeps busy, and where each runs.

On a CPU: one a core, with one thread each, as many as there is memory for. Cores of one training wait for each other;
those of different trainings do not. On a GPU: one each, since kernels of two processes are not run at the same time
there; but of small images (up to 256 pixels, in batches of up to 128) several, whose work between the kernels overlaps.
That number is a prediction: it was not measured.

A proposal knows nothing of the networks in training. So 'auto' keeps at most a tenth of the networks of a search in
training at once, but always four: the first ten proposals are random in any case.
"""

from __future__ import annotations

from dataclasses import dataclass

from igcnas.errors import IgcnasError
from igcnas.limits import usable_cores
from igcnas.worker.memory import available_memory_mb

AUTO = "auto"
# A worker that trains on digits takes 500 MB; what is measured before a search begins takes its place there.
STATED_NEED_MB = 700.0
_SMALL_PIXELS, _SMALL_BATCH, _SMALL_WORKERS = 256, 128, 4
# Workers of one GPU share this part of its memory evenly; contexts and buffers of libraries are outside it.
_SHARED_MEMORY = 0.9
_FEW, _SHARE = 4, 10
_SPARE = 0.9  # of the memory that is available


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Where a worker runs. threads, memory_fraction: as in WorkerSetup."""

    device: str
    threads: int | None = None
    memory_fraction: float | None = None


def slots_for(
    workers: int | str, *, device: str, pixels: int, batch_size: int, networks: int, undisturbed: bool = False
) -> list[Slot]:
    """Slots for `--workers` (a number or 'auto') on `--device`, for images of so many pixels (height * width).

    networks: how many the search is to train. undisturbed: what is measured must not share its device, so at most one
    worker on each.
    """
    devices = _devices(device)
    most = len(devices)
    if workers == AUTO:
        count = most
        if not undisturbed:
            count = _auto(devices, small=pixels <= _SMALL_PIXELS and batch_size <= _SMALL_BATCH)
            count = min(count, max(_FEW, networks // _SHARE))
    else:
        count = int(workers)
        if undisturbed and count > most:
            raise IgcnasError(
                f"--workers {count} on {most} device{'s' * (most > 1)} would disturb each other's measured latency; "
                f"use --workers {most}"
            )
    if devices == ["cpu"]:
        return [Slot(device="cpu", threads=None if count == 1 else 1)] * count
    slots = []
    for place in range(count):
        there = len(range(place % len(devices), count, len(devices)))  # workers of that GPU
        fraction = None if there == 1 else round(_SHARED_MEMORY / there, 4)
        slots.append(Slot(device=devices[place % len(devices)], memory_fraction=fraction))
    return slots


def affordable(need_mb: float = STATED_NEED_MB) -> int | None:
    """How many workers of this need there is memory for, at least one; None where nothing tells."""
    available = available_memory_mb()
    return None if available is None else max(1, int(_SPARE * available / need_mb))


def _auto(devices: list[str], *, small: bool) -> int:
    cores = usable_cores()
    if devices == ["cpu"]:
        return min(cores, affordable() or cores)
    return len(devices) * (max(1, min(_SMALL_WORKERS, cores // len(devices))) if small else 1)


def _devices(name: str) -> list[str]:
    """'cpu', or each GPU: all that are visible for 'cuda', one for 'cuda:1'."""
    import torch

    from igcnas.training import resolve_device

    device = resolve_device(name)
    if device.type == "cpu":
        return ["cpu"]
    if device.index is not None:
        return [str(device)]
    return [f"cuda:{index}" for index in range(torch.cuda.device_count())]
