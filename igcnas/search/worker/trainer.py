"""What a worker has for the work that it is given: the device, the data, and what is measured of its memory.

It decides nothing itself: whether a training goes on after an epoch, it asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from igcnas.data.dataset import Dataset
from igcnas.search.worker.memory import forget_peak, peak_memory_mb
from igcnas.search.worker.messages import WorkerSetup
from igcnas.training.device import describe, prepare_device, resolve_device
from igcnas.training.recipes import recipe_for
from igcnas.training.tensors import TrainingData


class Trainer:
    """The data on the device, and everything that outlives a job. An IgcnasError says why it cannot be.

    note: told what a user should know. stop: asked at each step of what can be stopped between two steps.
    """

    def __init__(
        self,
        setup: WorkerSetup,
        *,
        note: Callable[[str], None] = lambda _text: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.setup, self.note, self.stop = setup, note, stop
        self.device = resolve_device(setup.device)
        self.device_name = describe(self.device)
        _, height, width = setup.data.input_shape
        prepare_device(self.device, height * width)
        if setup.threads is not None or (self.device.type == "cpu" and setup.training.engine == "fast"):
            torch.set_num_threads(setup.threads or 1)  # the fast engine has one thread, and what is left is small
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
            if setup.memory_fraction is not None:
                torch.cuda.set_per_process_memory_fraction(setup.memory_fraction, self.device)
        self.kept: dict[str, Any] = {}  # by some work for that which follows
        dataset, training = setup.dataset(), setup.training
        self._data: TrainingData | None = None
        if setup.images != "none":
            fraction = training.validation_fraction if setup.images == "split" else None
            self._data = TrainingData.split(
                dataset,
                self.device,
                fraction=fraction,
                seed=training.seed,
                augmentation=recipe_for(training).augmentation,
            )
        self._dataset = None if setup.images == "split" else dataset  # a split is a copy, and what most workers need

    @property
    def data(self) -> TrainingData:
        """The images to train on, and those to validate on unless all are trained on."""
        assert self._data is not None, "the setup says that each training has its own images"
        return self._data

    @property
    def dataset(self) -> Dataset:
        """What the images are of."""
        return self.setup.dataset() if self._dataset is None else self._dataset

    def captures(self, asked: bool | None) -> bool | None:
        """Whether steps are captured: as a work asks, else as the setup says."""
        return self.setup.capture if asked is None else asked

    def forget_peak(self) -> None:
        """Begin a measurement of memory."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        else:
            forget_peak()

    def held_memory_mb(self) -> float | None:
        """The most that torch held on a GPU, in use or not; of the whole process on a CPU."""
        if self.device.type == "cuda":
            return round(torch.cuda.max_memory_reserved(self.device) / 1e6, 1)
        return peak_memory_mb()

    def peak_memory_mb(self) -> float | None:
        """Of the tensors on a GPU; of the whole process on a CPU."""
        if self.device.type == "cuda":
            return round(torch.cuda.max_memory_allocated(self.device) / 1e6, 1)
        return peak_memory_mb()
