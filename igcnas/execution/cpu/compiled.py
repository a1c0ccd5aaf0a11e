"""How the CPU kernels are compiled: once a machine, kept on disk beside the source or in the user's cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call. Sums may be taken in another order, so that they become vector code.

    Not-a-number stays: the flags that assume there is none are left out, because a training that diverges must show it.
    """
    flags = {"reassoc", "contract", "nsz", "arcp"}
    compiled: Callable[..., Any] = njit(fastmath=flags, cache=True, error_model="numpy", nogil=True)(function)
    return compiled
