"""Memory of this process and of this machine, in megabytes (10^6 bytes), as the kernel counts it.

On Linux the high-water mark of a process can be set back to what it now holds (/proc/self/clear_refs), so that each
training has a peak of its own. Elsewhere the mark is of all trainings of the process so far. A peak on a CPU is of the
whole process: interpreter, torch and data included.
"""

from __future__ import annotations

import ctypes
import gc
import re
import sys
from contextlib import suppress
from pathlib import Path

from igcnas.system import resources

_KIB = 1024 / 1e6
_LACK = re.compile("out of memory|can't allocate memory|STATUS_ALLOC_FAILED|CUDA error: .*memory allocation")


def forget_peak() -> bool:
    """Give back what earlier trainings left, and set the mark back; whether that could be done."""
    gc.collect()
    with suppress(OSError, AttributeError, TypeError):  # of glibc alone; Windows has no library without a name
        ctypes.CDLL(None).malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def peak_memory_mb() -> float | None:
    """The high-water mark of this process; None where nothing tells it (Windows)."""
    status = Path("/proc/self/status")
    if status.is_file():
        mark = _field(status, "VmHWM")
        if mark is not None:
            return round(mark * _KIB, 1)
    try:
        import resource
    except ImportError:
        return None
    mark = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(mark / 1e6 if sys.platform == "darwin" else mark * _KIB, 1)  # bytes on macOS, else KiB


def lack_of_memory(error: BaseException | None) -> str | None:
    """What was said of it, in one line, where an error comes from too little memory of the device; None if it does not.

    By words where torch raises a plain RuntimeError: on a CPU, and where a library of CUDA cannot allocate.
    """
    while error is not None:
        words = (str(error).splitlines() or [""])[0]
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            return words or type(error).__name__
        if isinstance(error, RuntimeError) and _LACK.search(words):
            return words
        error = error.__cause__
    return None


def available_memory_mb() -> float | None:
    """What new processes may take: of the machine, and of the limits that this process is under; None if unknown."""
    available = resources.memory().available
    return None if available is None else available / 1e6


def processes_ended_for_memory() -> int | None:
    """How many processes Linux has killed so far because memory had run out, also in containers; None elsewhere."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text(encoding="ascii").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return None


def _field(path: Path, name: str) -> int | None:
    """The number behind `name:` in one of the kernel's lists, in KiB there."""
    with suppress(OSError):
        for line in path.read_text(encoding="ascii", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key == name:
                return int(value.split()[0])
    return None
