"""Trainings in several processes. Each has one thread, so that no result depends on how many there are.

A process reads the data once. It ends when the one that started it does, however that died; what it was at is taken up
from its checkpoint by the next run.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Any

from igcnas.errors import TrainingError
from igcnas.training.engine import Stopped

from .settings import TrialSettings
from .training import Outcome, Training, train


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Where the data are, how they are trained on, and where results go. checkpoint_seconds: 0 for each step."""

    folder: Path
    settings: TrialSettings
    spec: str
    data_dir: Path | None
    image_size: int | None
    device: str
    checkpoint_seconds: float


# Of a worker process: workplace, data set, device, the event that asks it to stop; or why it has none of them.
_ours: tuple[Any, ...] | Exception = ()


def trained(
    workplace: Workplace, trainings: Sequence[Training], *, workers: int, stop: Callable[[], bool]
) -> Iterator[tuple[Training, Outcome]]:
    """Each training and its result as they end. Raises Stopped after `stop`, with checkpoints written."""
    context = multiprocessing.get_context("spawn")
    asked = context.Event()
    executor = concurrent.futures.ProcessPoolExecutor(
        min(workers, len(trainings)), mp_context=context, initializer=_begin, initargs=(workplace, asked)
    )
    try:
        waiting = {executor.submit(_work, training): training for training in trainings}
        while waiting:
            done, _ = concurrent.futures.wait(waiting, timeout=0.2, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                yield waiting.pop(future), future.result()
            if stop():
                raise Stopped
    except BrokenProcessPool:
        raise TrainingError(
            "a training process died, perhaps for lack of memory; the same command goes on, with fewer --workers"
        ) from None
    finally:
        asked.set()
        executor.shutdown(cancel_futures=True)


def _begin(workplace: Workplace, asked: Any) -> None:
    """In a new worker process."""
    import torch

    from igcnas.data.loading import load_dataset
    from igcnas.training.device import resolve_device

    from .data import pooled

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal tells all; the first process decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    torch.set_num_threads(1)
    global _ours
    try:
        dataset = load_dataset(workplace.spec, data_dir=workplace.data_dir, image_size=workplace.image_size)
        _ours = (workplace, pooled(dataset, workplace.settings.splits), resolve_device(workplace.device), asked)
    except Exception as error:  # raised with the first training: from here its traceback would be printed, and not it
        _ours = error


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)


def _work(training: Training) -> Outcome:
    if isinstance(_ours, Exception):
        raise _ours
    workplace, dataset, device, asked = _ours
    return train(
        workplace.folder,
        training,
        workplace.settings,
        dataset,
        device,
        stop=asked.is_set,
        checkpoint_seconds=workplace.checkpoint_seconds,
    )
