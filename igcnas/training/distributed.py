"""Several processes that train one network under torchrun, or one alone.

Every process has the whole network and an equal part of every batch. After the backward pass gradients are averaged, in
buckets that travel while the rest is still computed; batch norm takes its statistics over all parts (syncnorm.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed, nn

from igcnas.errors import IgcnasError

_BUCKET_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Who this process is among those that train together; device is where its part runs."""

    rank: int = 0
    size: int = 1
    device: torch.device | None = None

    @property
    def first(self) -> bool:
        """Whether this process writes and prints."""
        return self.rank == 0

    def total(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sum over all processes."""
        if self.size > 1:
            tensor = tensor.clone()
            distributed.all_reduce(tensor)
        return tensor

    def mean(self, tensor: torch.Tensor) -> torch.Tensor:
        """The mean over all processes."""
        return self.total(tensor) / self.size if self.size > 1 else tensor

    def largest(self, value: float) -> float:
        """The largest value that any process has."""
        if self.size == 1:
            return value
        tensor = torch.tensor(float(value), device=self.device)
        distributed.all_reduce(tensor, op=distributed.ReduceOp.MAX)
        return tensor.item()

    def share(self, value: Any) -> Any:
        """What the first process has, in all."""
        if self.size == 1:
            return value
        box = [value if self.first else None]
        distributed.broadcast_object_list(box, src=0, device=self.device)
        return box[0]

    def part(self, batch_size: int) -> int:
        """Images of a batch that each process takes; IgcnasError if the parts were not equal."""
        if batch_size % self.size:
            raise IgcnasError(
                f"a batch of {batch_size} images does not divide into {self.size} equal parts; change --batch-size"
            )
        return batch_size // self.size


ALONE = World()


def launched() -> bool:
    """Whether torchrun, or another launcher with its variables, started this process."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


@contextmanager
def join(device: torch.device) -> Iterator[World]:
    """The group that torchrun made, over nccl on CUDA and gloo on a CPU; a process of its own is alone."""
    if not launched() or int(os.environ["WORLD_SIZE"]) == 1:
        yield World(device=device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield World(rank=distributed.get_rank(), size=distributed.get_world_size(), device=device)
    finally:
        distributed.destroy_process_group()


class GradientAverage:
    """Averages gradients over all processes during the backward pass; call `finish` before the optimizer's step.

    Buckets follow the parameters from the last to the first, which is about the order in which gradients come, and are
    sent in that order in every process. A parameter without a gradient counts as zero: learned layers need not use all.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], world: World) -> None:
        self._world = world
        self._buckets: list[list[nn.Parameter]] = [[]]
        self._place: dict[int, int] = {}
        size = 0
        for parameter in reversed([p for p in parameters if p.requires_grad]):
            if size > _BUCKET_BYTES:
                self._buckets.append([])
                size = 0
            self._buckets[-1].append(parameter)
            self._place[id(parameter)] = len(self._buckets) - 1
            size += parameter.numel() * parameter.element_size()
            parameter.register_post_accumulate_grad_hook(self._arrived)  # type: ignore[no-untyped-call]
        self._start()

    def _start(self) -> None:
        self._missing = [len(bucket) for bucket in self._buckets]
        self._sent: list[tuple[torch.Tensor, Any]] = []

    def _arrived(self, parameter: torch.Tensor) -> None:
        self._missing[self._place[id(parameter)]] -= 1
        while len(self._sent) < len(self._buckets) and self._missing[len(self._sent)] <= 0:
            self._send()

    def _send(self) -> None:
        bucket = self._buckets[len(self._sent)]
        for parameter in bucket:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        flat = torch.cat([parameter.grad.flatten() for parameter in bucket if parameter.grad is not None])
        self._sent.append((flat, distributed.all_reduce(flat, async_op=True)))

    def finish(self) -> None:
        """Wait; every gradient is then the mean."""
        while len(self._sent) < len(self._buckets):
            self._send()
        for bucket, (flat, work) in zip(self._buckets, self._sent, strict=True):
            work.wait()
            flat /= self._world.size
            parts = torch.split(flat, [p.numel() for p in bucket])
            for parameter, part in zip(bucket, parts, strict=True):
                assert parameter.grad is not None
                parameter.grad.copy_(part.view_as(parameter))
        self._start()
