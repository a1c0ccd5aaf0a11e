"""An NVIDIA GPU that is in the machine and that torch cannot use: why, and what to do. Asks the driver, not torch."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

# The oldest driver for Linux that runs programs of a CUDA major version (NVIDIA's table of compatibility).
_LEAST_DRIVER = {11: 450, 12: 525, 13: 580}
_DRIVER_FILE = Path("/proc/driver/nvidia/version")
# Without these torch finds no GPU: the library of NVIDIA's driver, which torch does not bring, and AMD's device.
_DRIVER_LIBRARY = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}
_AMD_DEVICE = Path("/dev/kfd")


def may_be_used() -> bool:
    """Whether torch could find a GPU here: False is sure, and known in a millisecond, without torch."""
    if _AMD_DEVICE.exists():
        return True
    if sys.platform not in _DRIVER_LIBRARY:
        return False
    try:
        ctypes.CDLL(_DRIVER_LIBRARY[sys.platform])
    except OSError:
        return False
    return True


def why_unused(*, torch: str | None, cuda: str | None) -> str | None:
    """One line for a torch of this version, built for this CUDA (None: for CPUs), which sees no GPU; None without one.

    torch: None where it cannot be loaded.
    """
    driver = driver_version()
    if driver is None:
        return None
    here = f"an NVIDIA GPU is here (driver {driver}), but it cannot be used"
    if torch is None:
        return f"{here}: torch cannot be loaded; install it again"
    if cuda is None:
        return f"{here}: torch {torch} is built for CPUs; install a CUDA build of torch (see README, GPUs)"
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return f"{here}: CUDA_VISIBLE_DEVICES hides it; unset it"
    least = _LEAST_DRIVER.get(int(cuda.partition(".")[0]))
    major = driver.partition(".")[0]
    if least is not None and major.isdecimal() and int(major) < least:
        way = "install a newer driver, or torch for an older CUDA (see README, GPUs)"
        return f"{here}: torch {torch} with CUDA {cuda} needs driver {least} or newer; {way}"
    return f"{here}: torch {torch} with CUDA {cuda} does not see it; torch.cuda.init() in Python says why"


def driver_version() -> str | None:
    """The version of NVIDIA's driver where a GPU is; None where there is no GPU or nobody tells."""
    program = shutil.which("nvidia-smi")
    if program is not None:
        words = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
        try:
            done = subprocess.run(
                words, capture_output=True, encoding="utf-8", errors="replace", timeout=20, check=True
            )
            told = done.stdout.split()
        except (OSError, subprocess.SubprocessError):
            told = []
        if told:
            return told[0]
    try:
        text = _DRIVER_FILE.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r"Kernel Module\s+(?:for \S+\s+)?(\d+[\d.]*)", text)
    return found[1] if found else None
