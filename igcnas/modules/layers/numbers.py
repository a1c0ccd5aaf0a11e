"""Numbers that the host changes between the steps of a training, where a step may be captured in a CUDA graph."""

from __future__ import annotations

import torch


class StepNumber:
    """A number on the host or, once `place` was called, in a tensor on a device.

    A captured step repeats what it did: a number of the host would stay what it was, a tensor is read anew each time.
    """

    def __init__(self, number: float) -> None:
        self._number = number
        self._tensor: torch.Tensor | None = None

    def on(self, device: torch.device) -> float | torch.Tensor:
        """Its tensor of no dimension where that is on this device; the number where it is not, as after a training."""
        return self._tensor if self._tensor is not None and self._tensor.device == device else self._number

    def set(self, number: float) -> None:
        """Change it; in place, and without a wait for the device."""
        if number == self._number:
            return
        self._number = number
        if self._tensor is not None:
            self._tensor.fill_(number)

    def place(self, device: torch.device) -> None:
        """From now on it lies in a tensor there: int64 where it is an integer, else float32."""
        dtype = torch.int64 if isinstance(self._number, int) else torch.float32
        self._tensor = torch.full((), self._number, dtype=dtype, device=device)
