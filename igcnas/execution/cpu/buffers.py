"""Memory of the CPU operators: numpy arrays (channels, height, width, batch), and a pool for those of gradients."""

from __future__ import annotations

import numpy as np
import torch

from igcnas.execution.values import Gradient, Storage
from igcnas.network.primitives import Size


class Buffers:
    """Vectors, storages and the pool of them; the first part of `igcnas.execution.operators.Operators`."""

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self._free: dict[tuple[int, ...], list[Storage]] = {}
        self.none = np.zeros(1, np.float32)

    def identity(self, channels: int) -> np.ndarray:
        return np.arange(channels)

    def reorder(self, rows: np.ndarray, indices: tuple[int, ...]) -> np.ndarray:
        return np.ascontiguousarray(rows[list(indices)])

    def in_order(self, rows: np.ndarray) -> bool:
        """Whether nothing is permuted."""
        return bool((rows == np.arange(len(rows))).all())

    def ones(self, channels: int) -> np.ndarray:
        return np.ones(channels, np.float32)

    def zeros(self, channels: int) -> np.ndarray:
        return np.zeros(channels, np.float32)

    def sums(self, channels: int) -> np.ndarray:
        return np.zeros((channels, 3))

    def gradient_sums(self, channels: int) -> np.ndarray:
        return np.zeros((channels, 2))

    def places(self, channels: int, size: Size) -> np.ndarray:
        return np.zeros((channels, *size, self.batch), np.int32)

    def means(self, channels: int) -> np.ndarray:
        return np.zeros((channels, self.batch), np.float32)

    def allocate(self, channels: int, size: Size) -> Storage:
        array = np.zeros((channels, *size, self.batch), np.float32)
        return Storage(array, array.reshape(channels, -1), array.shape)

    def take_like(self, storage: Storage) -> Storage:
        free = self._free.get(storage.key)
        if free:
            found = free.pop()
            found.users = 1
            return found
        return self.allocate(storage.key[0], (storage.key[1], storage.key[2]))

    def duplicate(self, storage: Storage) -> Storage:
        found = self.take_like(storage)
        np.copyto(found.flat, storage.flat)
        return found

    def release(self, storage: Storage) -> None:
        storage.users -= 1
        if storage.users == 0:
            self._free.setdefault(storage.key, []).append(storage)

    def plain_gradient(self, storage: Storage) -> Gradient:
        return Gradient(storage, storage, self.none, self.none, self.none, False)

    def view(self, tensor: torch.Tensor) -> np.ndarray:
        array: np.ndarray = tensor.numpy()
        return array

    def load(self, images: torch.Tensor, storage: Storage) -> None:
        array, count = storage.array, len(images)
        if images.shape[1:] != array.shape[:3] or count > self.batch:  # nothing below looks, and numpy would repeat
            raise ValueError(
                f"{count} images {tuple(images.shape[1:])} do not fit a network for {array.shape[0]} channels of "
                f"{array.shape[1]}x{array.shape[2]} pixels and batches of {self.batch}"
            )
        np.copyto(array[..., :count], images.permute(1, 2, 3, 0).numpy())
        if count < self.batch:
            array[..., count:] = array[..., count - 1 : count]

    def leaf(self, means: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(means).t().contiguous()
