"""A real worker process and the small network that it trains."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from igcnas.data.loading import load_dataset
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock
from igcnas.network.grouping import Interleaved
from igcnas.search.settings import DataSettings
from igcnas.search.worker import WorkerSetup
from igcnas.training.settings import TrainingSettings


def network(L: int = 2, *, channels: int = 1) -> Architecture:
    stage = Stage(block=BasicBlock(grouping=Interleaved(L=L, M=2)), width=2 * L, repeats=1, stride=2)
    shape = (channels, 8, 8)
    return Architecture(family="test", input_shape=shape, num_classes=10, stem_channels=4, stages=(stage,))


def setup(epochs: int, *, device: str = "cpu", learning_rate: float = 0.6) -> WorkerSetup:
    training = TrainingSettings(epochs=epochs, learning_rate=learning_rate)
    data = DataSettings.of(load_dataset("digits"), training, spec="digits", data_dir=None, image_size=None)
    return WorkerSetup(data=data, training=training, device=device)


# Some seconds of training, of which the first epoch is a small part: enough to be hit in the middle.
LONG = setup(30)


def is_gone(pid: int) -> bool:
    """Whether the process has ended; an orphan that nobody waits for stays as a zombie."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (ProcessLookupError, FileNotFoundError):
        return True


def wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()
