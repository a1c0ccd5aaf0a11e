"""How the CPU kernels are compiled: once a machine and version, kept on disk.

What Python calls is a kernel; what kernels call is inlined into each. Were it not, a kernel that was just compiled and
one that was loaded from disk could be linked to copies of a function that sum in another order, and two runs of one
training would differ in the last bits.

Numba looks at the file of a kernel to see whether what it has on disk is current, and not at the files of what is
inlined. So the folder on disk is named after a hash of all of them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import njit

# Sums may be taken in another order, so that they become vector code. Not-a-number stays: the flags that assume there
# is none are left out, because a training that diverges must show it.
_FLAGS = {"reassoc", "contract", "nsz", "arcp"}
_PREFIX = "kernels-"
_CONFIG: Any = numba.config


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call."""
    before = _CONFIG.CACHE_DIR
    _CONFIG.CACHE_DIR = str(FOLDER)  # numba asks when it decorates
    try:
        compiled: Callable[..., Any] = njit(fastmath=_FLAGS, cache=True, error_model="numpy", nogil=True)(function)
    finally:
        _CONFIG.CACHE_DIR = before
    return compiled


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """A part of kernels, never called from elsewhere."""
    part: Callable[..., Any] = njit(fastmath=_FLAGS, error_model="numpy", forceinline=True)(function)
    return part


def sources_hash(folder: Path) -> str:
    """Of every Python file in a folder, names and contents."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _folder() -> Path:
    """NUMBA_CACHE_DIR where it is set, else beside the source, else the user's cache. Those of other versions go."""
    here = Path(__file__).parent
    name = _PREFIX + sources_hash(here)
    if _CONFIG.CACHE_DIR:
        return Path(_CONFIG.CACHE_DIR) / name
    beside = here / "__pycache__"
    try:
        (beside / name).mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "igcnas" / name
    for other in beside.glob(_PREFIX + "*"):
        if other.name != name:
            shutil.rmtree(other, ignore_errors=True)
    return beside / name


FOLDER = _folder()
