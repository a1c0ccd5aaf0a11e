"""Slots on GPUs that are shared."""

from __future__ import annotations

from igcnas.search.evaluation import Slot
from igcnas.search.evaluation.gpus import Gpu
from igcnas.search.evaluation.slots import _shared

UUIDS = [f"GPU-0000000{number}-1111-2222-3333-444444444444" for number in range(3)]


def slots(*counts: int, uuid: bool = True) -> list[Slot]:
    """So many workers on each GPU, in turns."""
    found = []
    for index, count in enumerate(counts):
        gpu = Gpu(name="NVIDIA", uuid=UUIDS[index] if uuid else None, free_mb=6000.0, total_mb=8000.0)
        found += [Slot(device=f"cuda:{index}", visible=str(index), gpu=gpu)] * count
    return _shared(found)
