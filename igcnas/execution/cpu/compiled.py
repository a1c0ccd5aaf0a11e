"""How the CPU kernels are compiled: once a machine, kept on disk beside the source or in the user's cache.

What Python calls is a kernel; what kernels call is inlined into each. Were it not, a kernel that was just compiled and
one that was loaded from disk could be linked to copies of a function that sum in another order, and two runs of one
training would differ in the last bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

# Sums may be taken in another order, so that they become vector code. Not-a-number stays: the flags that assume there
# is none are left out, because a training that diverges must show it.
_FLAGS = {"reassoc", "contract", "nsz", "arcp"}


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call."""
    compiled: Callable[..., Any] = njit(fastmath=_FLAGS, cache=True, error_model="numpy", nogil=True)(function)
    return compiled


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """A part of kernels, never called from elsewhere."""
    part: Callable[..., Any] = njit(fastmath=_FLAGS, error_model="numpy", forceinline=True)(function)
    return part
