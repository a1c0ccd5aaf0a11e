"""Images decoded while a network trains, by processes of their own: for folders that no memory holds.

What is drawn for an image comes from (seed of the epoch, position of the image) alone, so that batches do not depend on
the number of processes, nor on where an epoch was taken up. A JPEG is decoded at the smallest of its own scales that
still has every pixel that the window needs. Images become RGB, upright (see preparation.py).
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, get_worker_info

from igcnas.data.augmentation import DRAWS, Augmentation, random_window
from igcnas.data.listing import Listing
from igcnas.data.picture import opened, remarks
from igcnas.data.preparation import Preparation, preparation_of, scaled_box, upright_size
from igcnas.errors import DataError, MachineError
from igcnas.system.files import machine_fault

_PREFETCH = 4  # batches that each process keeps ready
_COLOURS = 4

# (uint8 images (B, 3, S, S), int64 labels (B,), draws for the colours (B, 4)), on the CPU
StreamBatch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What an image becomes: a square of `size` pixels, cut as the augmentation says, or as for validation."""

    size: int
    augmentation: Augmentation
    training: bool

    @property
    def preparation(self) -> Preparation:
        """What is done to a picture where nothing is random."""
        augmentation = self.augmentation
        data = {"streamed": True, "crop": augmentation.crop, "centre": augmentation.centre}
        return preparation_of((3, self.size, self.size), data)


class ImageFiles(Dataset[StreamBatch | str]):
    """Batches of images by their keys (seed, position); a text instead of a batch says what is wrong with a file.

    Paths lie in one buffer: a million Python strings would be copied into each process bit by bit as it counts
    references to them.
    """

    def __init__(self, listing: Listing, form: Form) -> None:
        encoded = [os.fsencode(path) for path in listing.paths]
        self._ends = np.cumsum([0, *map(len, encoded)])
        self._paths = np.frombuffer(b"".join(encoded), dtype=np.uint8)
        self.labels = listing.labels
        self.form = form

    def __len__(self) -> int:
        return len(self.labels)

    def path(self, index: int) -> str:
        """Where an image is."""
        return os.fsdecode(self._paths[self._ends[index] : self._ends[index + 1]].tobytes())

    def __getitem__(self, key: tuple[int, int]) -> StreamBatch | str:
        return self.__getitems__([key])

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> StreamBatch | str:
        """One batch; called by the DataLoader with all keys of a batch."""
        images = np.empty((len(keys), 3, self.form.size, self.form.size), dtype=np.uint8)
        colours = np.empty((len(keys), _COLOURS), dtype=np.float32)
        with remarks():  # said once, before the training
            for position, (seed, index) in enumerate(keys):
                draw = random.Random(f"{seed}/{index}").random  # the same numbers in every release of Python
                draws = [draw() for _ in range(DRAWS + 1 + _COLOURS)]
                try:
                    pixels = decode(self.path(index), self.form, draws[: DRAWS + 1])
                except DataError as error:
                    return str(error)
                images[position] = pixels.transpose(2, 0, 1)
                colours[position] = draws[DRAWS + 1 :]
        labels = self.labels[[index for _, index in keys]]
        return torch.from_numpy(images), torch.from_numpy(labels), torch.from_numpy(colours)


def decode(path: str, form: Form, draws: Sequence[float]) -> NDArray[np.uint8]:
    """Pixels (size, size, 3) of one file; `draws` are four numbers for the window and one for the mirror."""
    augmentation = form.augmentation
    with opened(path) as image:
        if form.training and augmentation.crop in ("area", "short-side"):
            if image.format not in ("JPEG", "MPO"):
                image.load()  # a PNG may say its orientation behind the pixels
            box = random_window(augmentation, *upright_size(image), draws)
            pixels = np.asarray(scaled_box(image, box, form.size))
        else:
            pixels = np.asarray(form.preparation.apply(image))
    if form.training and augmentation.crop == "pad":
        pixels = _shifted(pixels, augmentation, draws)
    if form.training and augmentation.flip and draws[DRAWS] < 0.5:
        pixels = pixels[:, ::-1]
    return pixels


def _shifted(pixels: NDArray[np.uint8], augmentation: Augmentation, draws: Sequence[float]) -> NDArray[np.uint8]:
    """A random window of the padded image."""
    size = len(pixels)
    pad = size // 8 if augmentation.pad is None else augmentation.pad
    fill = pixels.mean((0, 1)).round() if augmentation.fill == "mean" else np.zeros(3)
    whole = np.broadcast_to(fill.astype(np.uint8), (size + 2 * pad, size + 2 * pad, 3)).copy()
    whole[pad : pad + size, pad : pad + size] = pixels
    top, left = int(draws[0] * (2 * pad + 1)), int(draws[1] * (2 * pad + 1))
    return whole[top : top + size, left : left + size]


def stream(
    files: ImageFiles, batches: list[list[tuple[int, int]]], *, workers: int, pin: bool = False
) -> Iterator[StreamBatch]:
    """The batches of these keys, in order, decoded by so many processes ahead of their use; 0: in this one.

    DataError, of one line, names a file that cannot be decoded; MachineError says that shared memory is full.
    """
    loader: DataLoader[StreamBatch | str] = DataLoader(
        files,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=_handed_over,  # type: ignore[arg-type]  # __getitems__ has made the batch
        pin_memory=pin,
        prefetch_factor=_PREFETCH if workers else None,
        worker_init_fn=_begin,
        multiprocessing_context=("fork" if hasattr(os, "fork") else "spawn") if workers else None,
        generator=torch.Generator(),  # it draws a seed for workers, which must not come from the training's numbers
    )
    iterator = iter(loader)
    while True:
        try:
            batch = next(iterator, None)
        except RuntimeError as error:
            if (found := machine_fault(error)) is not None:
                raise MachineError(
                    f"cannot hand over decoded images in shared memory (/dev/shm): {found.strerror}; make room there "
                    "(for a container, --shm-size), or give --workers 0"
                ) from None
            if "DataLoader worker" not in str(error):
                raise
            reason = str(error).splitlines()[0]
            raise DataError(f"a process that decodes images ended ({reason}); try fewer --workers") from error
        if batch is None:
            return
        if isinstance(batch, str):
            raise DataError(batch)
        yield batch


def _handed_over(batch: StreamBatch | str) -> StreamBatch | str:
    """The batch, in shared memory if a process of its own has made it.

    Here an error of that is told to the process that trains. The thread that would do it later prints a traceback, and
    that process waits for ever.
    """
    if get_worker_info() is not None and not isinstance(batch, str):
        for tensor in batch:
            tensor.share_memory_()  # type: ignore[no-untyped-call]
    return batch


def _begin(_worker: int) -> None:
    """Ctrl-C is the business of the process that trains."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
