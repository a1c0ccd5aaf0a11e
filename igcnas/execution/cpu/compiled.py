"""How the CPU kernels are compiled: once a machine and version, kept on disk.

What Python calls is a kernel; what kernels call is inlined into each. Were it not, a kernel that was just compiled and
one that was loaded from disk could be linked to copies of a function that sum in another order, and two runs of one
training would differ in the last bits.

Numba looks at the file of a kernel to see whether what it has on disk is current, and not at the files of what is
inlined. So the folder on disk is named after a hash of all of them. There are several such folders
(igcnas.system.folders): all are read, also where they cannot be written, and the first that can be is written. None is
needed.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import njit
from numba.core.caching import FunctionCache

from igcnas.system.folders import KERNELS, kernel_folders, say_once, writable

# Sums may be taken in another order, so that they become vector code. Not-a-number stays: the flags that assume there
# is none are left out, because a training that diverges must show it.
_FLAGS = {"reassoc", "contract", "nsz", "arcp"}
_CONFIG: Any = numba.config
_HERE = Path(__file__).parent
_UNKEPT = "compiled kernels are not kept, each process compiles them again: "


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call, if no folder holds it."""
    compiled: Callable[..., Any] = njit(fastmath=_FLAGS, error_model="numpy", nogil=True)(function)
    compiled._cache = _Kept(function)  # type: ignore[attr-defined] # what `cache=True` sets, by numba's own rules
    return compiled


class _Kept:
    """What numba asks for a compiled kernel and gives one to keep: its cache, over several folders."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._readable = [_cache(function, folder) for folder in FOLDERS]
        self._writable = None if WRITTEN is None else _cache(function, WRITTEN)
        self.cache_path = "" if WRITTEN is None else str(WRITTEN)

    def load_overload(self, signature: Any, target: Any) -> Any:
        """The compiled kernel; None if no folder has it."""
        for cache in self._readable:
            try:
                found = cache.load_overload(signature, target)
            except Exception:  # a damaged file is whatever unpickling makes of it: compiled again, and written over
                continue
            if found is not None:
                return found
        return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keep it, where that can be done; a training does not end because it cannot."""
        if self._writable is None:
            say_once(_UNKEPT + "no folder for them can be written; name one in IGCNAS_CACHE")
            return
        try:
            try:
                self._writable.save_overload(signature, compiled)
            except Exception:  # an index that cannot be read, see above: begun anew
                self._writable.flush()
                self._writable.save_overload(signature, compiled)
        except OSError as error:
            say_once(f"{_UNKEPT}{WRITTEN}: {error.strerror or error}")

    def enable(self) -> None:
        """Caching is always on."""

    def disable(self) -> None:
        """Caching cannot be turned off."""

    def flush(self) -> None:
        """Forget what is kept of this kernel."""
        if self._writable is not None:
            self._writable.flush()


def _cache(function: Callable[..., Any], folder: Path) -> Any:
    """Numba's cache of one function in one folder, which need not be there, nor be writable."""

    base: Any = FunctionCache._impl_class

    class Locator:
        """Numba's own locators write in their folder before they answer."""

        @classmethod
        def from_function(cls, _function: Callable[..., Any], _file: str) -> Locator:
            return cls()

        def get_cache_path(self) -> str:
            return str(folder)

        def ensure_cache_path(self) -> None:
            folder.mkdir(parents=True, exist_ok=True)

        def get_source_stamp(self) -> str:
            return hashlib.sha256(Path(function.__code__.co_filename).read_bytes()).hexdigest()

        def get_disambiguator(self) -> str:
            return str(function.__code__.co_firstlineno)

    class Implementation(base):  # type: ignore[misc]
        _locator_classes = (Locator,)

    class Cache(FunctionCache):
        _impl_class = Implementation

    before = getattr(_CONFIG, "CACHE_LOCATOR_CLASSES", "")
    _CONFIG.CACHE_LOCATOR_CLASSES = ""  # the user's would go before ours
    try:
        return Cache(function)  # type: ignore[no-untyped-call]
    finally:
        _CONFIG.CACHE_LOCATOR_CLASSES = before


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """A part of kernels, never called from elsewhere."""
    part: Callable[..., Any] = njit(fastmath=_FLAGS, error_model="numpy", forceinline=True)(function)
    return part


def _remove_older(folders: list[Path]) -> None:
    """Kernels of other versions of the sources that lie beside them; other folders may serve several installations."""
    for other in (_HERE / "__pycache__").glob(KERNELS + "*"):
        if other.name != folders[0].name:
            shutil.rmtree(other, ignore_errors=True)


FOLDERS = kernel_folders(_HERE)
WRITTEN = writable(FOLDERS)
if WRITTEN is not None and WRITTEN.parent == _HERE / "__pycache__":
    _remove_older(FOLDERS)
