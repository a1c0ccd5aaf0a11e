"""The mark beside the compiled kernels: it says that all of them are there, for this processor, Python and numba.

Asked before every search, so it must not import torch.
"""

from __future__ import annotations

import hashlib
import platform
from contextlib import suppress
from typing import Any

import numba
from llvmlite import binding

from igcnas.execution.cpu import compiled

_CONFIG: Any = numba.config


def is_compiled() -> bool:
    """Whether all kernels are on disk, so that no training will wait for them."""
    return any((folder / _name()).is_file() for folder in compiled.FOLDERS)


def can_be_kept() -> bool:
    """Whether some folder for the kernels can be written; if not, each process compiles for itself."""
    return compiled.WRITTEN is not None


def set_mark() -> None:
    """All kernels have been compiled."""
    if compiled.WRITTEN is not None:
        with suppress(OSError):  # a disk that is full now: the next one compiles again
            (compiled.WRITTEN / _name()).touch()


def _name() -> str:
    """Of what numba compiles for; NUMBA_CPU_NAME may say another processor than this one."""
    target = (
        numba.__version__,
        platform.python_version(),
        _CONFIG.CPU_NAME or binding.get_host_cpu_name(),
        _CONFIG.CPU_FEATURES or binding.get_host_cpu_features().flatten(),
    )
    return f"complete-{hashlib.sha256(repr(target).encode()).hexdigest()[:12]}"
