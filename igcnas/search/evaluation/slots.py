"""How many workers a study keeps busy, and where each runs.

On a CPU: one a core, with one thread each, as many as there is memory for. Cores of one training wait for each other;
those of different trainings do not.

On a GPU it depends on how long its kernels are. A step of a small network is some hundred kernels of microseconds, and
launching them, also as one graph, takes longer than they compute: then several workers share a GPU, and what one leaves
idle others use. What decides is the work of a step, multiply-accumulates of the largest network that the budget allows
times images of a batch:

    up to 1e9     8 workers     digits, small networks on CIFAR
    up to 4e9     4             ResNet-20 in batches of 64
    up to 16e9    2             IGCV3-D in batches of 64 to 128; the second sets up while the first computes
    more          1             the kernels fill the GPU

as many as there are cores for them, and memory: of the GPU 500 MB for a context and what a training takes, of the
machine 2 GB a process. **These numbers are a prediction** from counts of kernels and of bytes. They were not measured.

A proposal knows nothing of the networks in training. So 'auto' keeps at most a tenth of the networks of a search in
training at once, but always four: the first ten proposals are random in any case. Where all networks are known
beforehand there is no such limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from igcnas.errors import IgcnasError
from igcnas.search.evaluation import gpus
from igcnas.search.evaluation.gpus import VISIBLE, Gpu
from igcnas.search.worker.memory import available_memory_mb
from igcnas.system import gpu
from igcnas.system.resources import usable_cores

AUTO = "auto"
# A worker that trains on digits takes 500 MB; what is measured before a search begins takes its place there.
STATED_NEED_MB = 700.0
# Multiply-accumulates of a step, and workers a GPU up to there.
_LONG_KERNELS = ((1e9, 8), (4e9, 4), (16e9, 2))
# Of a process on a GPU: what CUDA takes for itself, a training until one is measured, and memory of the machine.
_CONTEXT_MB, _GPU_TRAINING_MB, _GPU_HOST_MB = 500.0, 500.0, 2000.0
# Workers of one GPU share this part of its memory evenly; contexts and buffers of libraries are outside it.
_SHARED_MEMORY = 0.9
_LEAST_SHARE = 0.01
_FEW, _SHARE = 4, 10
_SPARE = 0.9  # of the memory that is available


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Where a worker runs. device: by the number that it has in this process. threads, memory_fraction: as in
    WorkerSetup. visible: what its CUDA_VISIBLE_DEVICES is, so that this GPU is its only one; None leaves it as it is.
    gpu: what is known of it. mps: the folder of the MPS daemon through which it shares its GPU; None for none of ours.
    """

    device: str
    threads: int | None = None
    memory_fraction: float | None = None
    visible: str | None = None
    gpu: Gpu | None = None
    mps: str | None = None

    @property
    def seen_as(self) -> str:
        """The name of the device in the worker."""
        return self.device if self.visible is None else "cuda:0"

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the worker, beside those of this process."""
        seen = {} if self.visible is None else {VISIBLE: self.visible}
        return seen | ({} if self.mps is None else {"CUDA_MPS_PIPE_DIRECTORY": self.mps})


def slots_for(
    workers: int | str,
    *,
    device: str,
    macs: int,
    batch_size: int,
    networks: int,
    undisturbed: bool = False,
    listed: bool = False,
) -> list[Slot]:
    """Slots for `--workers` (a number or 'auto') on `--device`, for networks of at most so many MACs.

    networks: how many are to be trained. undisturbed: what is measured must not share its device, so at most one worker
    on each. listed: all networks are known beforehand, as those of a campaign are; no more workers than networks then.
    """
    if listed and workers != AUTO:
        workers = min(int(workers), networks)
    at_once = networks if listed else useful_at_once(networks)
    devices = _devices(device)
    if undisturbed and workers != AUTO and int(workers) > len(devices):
        raise IgcnasError(
            f"--workers {workers} on {len(devices)} device{'s' * (len(devices) > 1)} would disturb each other's "
            f"measured latency; use --workers {len(devices)}"
        )
    if devices == ["cpu"]:
        count = (1 if undisturbed else _on_cpu(at_once)) if workers == AUTO else int(workers)
        return [Slot(device="cpu", threads=None if count == 1 else 1)] * count
    if workers != AUTO:
        count, each = int(workers), int(workers)
    else:
        each = 1 if undisturbed else _on_gpu(macs * batch_size, len(devices))
        count = each * len(devices)
        count = count if undisturbed else min(count, at_once)
    found = gpus.ask(map(_index, devices)) if count > len(devices) else {}
    most = {one: _room(found.get(_index(one)), each) if workers == AUTO else each for one in devices}
    turns = [one for turn in range(each) for one in devices if turn < most[one]][:count]
    return _shared([Slot(device=one, visible=gpus.name_for(_index(one)), gpu=found.get(_index(one))) for one in turns])


def useful_at_once(networks: int) -> int:
    """How many of so many networks of a search may be in training at once, so that proposals know of most others."""
    return max(_FEW, networks // _SHARE)


def fitting(slots: Sequence[Slot], need_mb: float) -> list[Slot]:
    """Those for which there is memory, now that it is measured what a training takes; at least one a device."""
    kept: list[Slot] = []
    machine = affordable(need_mb) or len(slots)
    for slot in slots:
        most = machine if slot.device == "cpu" else _room(slot.gpu, len(slots), need_mb)
        kept += [slot] * (sum(one.device == slot.device for one in kept) < most)
    return kept if len(kept) == len(slots) else _shared(kept)


def affordable(need_mb: float = STATED_NEED_MB) -> int | None:
    """How many workers of this need there is memory for, at least one; None where nothing tells."""
    available = available_memory_mb()
    return None if available is None else max(1, int(_SPARE * available / need_mb))


def _on_cpu(at_once: int) -> int:
    cores = usable_cores()
    return min(cores, affordable() or cores, at_once)


def _on_gpu(step_macs: int, devices: int) -> int:
    """Workers of each GPU, as far as its memory goes."""
    wanted = next((count for most, count in _LONG_KERNELS if step_macs <= most), 1)
    machine = affordable(_GPU_HOST_MB) or wanted * devices
    return max(1, min(wanted, usable_cores() // devices, machine // devices))


def _room(gpu: Gpu | None, most: int, training_mb: float = _GPU_TRAINING_MB) -> int:
    """Workers for which a GPU has memory, at least one and at most so many."""
    if gpu is None:
        return most
    return max(1, min(most, int(_SPARE * gpu.free_mb / (_CONTEXT_MB + training_mb))))


def _shared(slots: list[Slot]) -> list[Slot]:
    """The same, with a share of the memory for each that does not have its GPU for itself."""
    found = []
    for slot in slots:
        there = sum(one.device == slot.device for one in slots)
        fraction = None if there == 1 or slot.device == "cpu" else round(_part(slot.gpu, there), 4)
        found.append(replace(slot, memory_fraction=fraction))
    return found


def _part(gpu: Gpu | None, workers: int) -> float:
    """Of all its memory, what one of so many workers may take: of what is free, less the contexts of all."""
    if gpu is None:
        return _SHARED_MEMORY / workers
    free = _SHARED_MEMORY * (gpu.free_mb - workers * _CONTEXT_MB) / gpu.total_mb
    return max(_LEAST_SHARE, free / workers)


def _index(device: str) -> int:
    return int(device.removeprefix("cuda:"))


def _devices(name: str) -> list[str]:
    """'cpu', or each GPU: all that are visible for 'cuda', one for 'cuda:1'."""
    if name == "cpu" or (name == "auto" and not gpu.may_be_used()):
        return ["cpu"]  # torch would say so, too, but takes more than a second to be imported
    import torch

    from igcnas.training.device import resolve_device

    device = resolve_device(name)
    if device.type == "cpu":
        return ["cpu"]
    if device.index is not None:
        return [str(device)]
    return [f"cuda:{index}" for index in range(torch.cuda.device_count())]
