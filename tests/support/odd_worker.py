"""A worker that meets what only a GPU can do to it: a program to be started in place of `evaluation.child.command`.

It trains on the CPU whatever its device is called, and says of a training what a GPU would have done. Each training
leaves a line where it begins and one where it ends, of all workers in one file, in the order in which they happened.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

_START = "import sys; sys.path[:] = sys.argv[3:]; from odd_worker import main; main(int(sys.argv[1]), sys.argv[2])"
LACK = "CUDA out of memory. Tried to allocate 2.00 GiB."


def program(
    told: Path,
    *,
    uncaptured: Collection[str] = (),
    hungry: Collection[str] = (),
    too_large: Collection[str] = (),
    faulty: Collection[str] = (),
    gpu: str | None = None,
) -> Callable[[int], list[str]]:
    """How it is started that tells its trainings to this file; the others name networks by how their ids begin.

    uncaptured: their second epoch cannot be captured. hungry: out of memory with a share of it, too_large: always.
    faulty: they end the process. gpu: the name of the device that it is to have.
    """
    odd = {"told": str(told), "uncaptured": list(uncaptured), "hungry": list(hungry), "too_large": list(too_large)}
    odd |= {"faulty": list(faulty), "gpu": gpu}
    path = [str(Path(__file__).parent), *sys.path]
    return lambda descriptor: [sys.executable, "-P", "-c", _START, str(descriptor), json.dumps(odd), *path]


def main(descriptor: int, text: str) -> None:
    """Be that worker."""
    import torch

    from igcnas.errors import CaptureError, TrainingError
    from igcnas.search.worker import Job, process, searching, trainer

    odd = json.loads(text)
    plain_run, plain_train = Job.run, searching.train
    whole: list[bool] = []

    def among(kind: str, ident: str) -> bool:
        return any(ident.startswith(begin) for begin in odd[kind])

    def tell(**words: Any) -> None:
        line = (json.dumps(words) + "\n").encode()
        file = os.open(odd["told"], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        os.write(file, line)
        os.close(file)

    def run(job: Job, owner: trainer.Trainer, on_epoch: Any) -> Any:
        whole[:] = [owner.setup.memory_fraction is None]
        tell(
            at="begin",
            network=job.architecture.id,
            pid=os.getpid(),
            checkpoint=(Path(job.folder) / "checkpoint.pt").exists(),
        )
        try:
            return plain_run(job, owner, on_epoch)
        finally:
            tell(at="end", network=job.architecture.id, pid=os.getpid())

    def train(
        architecture: Any, data: Any, settings: Any, *, on_epoch: Any = None, capture: Any = None, **other: Any
    ) -> Any:
        ident = architecture.id
        if among("faulty", ident):
            os._exit(7)
        if among("too_large", ident) or (among("hungry", ident) and whole == [False]):
            raise TrainingError(f"out of memory: {LACK}") from torch.OutOfMemoryError(LACK)

        def told(report: Any) -> Any:
            if report.epoch == 2 and among("uncaptured", ident) and capture is not False:
                raise CaptureError("CUDA could not capture the step of this network (operation not permitted)")
            return None if on_epoch is None else on_epoch(report)

        result = plain_train(architecture, data, settings, on_epoch=told, capture=capture, **other)
        return dataclasses.replace(result, steps="eager" if capture is False else "graph")

    Job.run, searching.train = run, train  # type: ignore[method-assign]
    if odd["gpu"] is not None:
        trainer.resolve_device = lambda _name: torch.device("cpu")
        trainer.describe = lambda _device: odd["gpu"]
    process.main(descriptor)
