"""Where training runs: CUDA where there is one, else the CPU, with threads set for small networks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import torch

from igcnas.errors import IgcnasError
from igcnas.limits import usable_cores

DEVICES = ("auto", "cpu", "cuda")
# The oldest driver for Linux that runs programs of a CUDA major version (NVIDIA's table of compatibility).
_LEAST_DRIVER = {11: 450, 12: 525, 13: 580}
_DRIVER_FILE = Path("/proc/driver/nvidia/version")


def resolve_device(name: str) -> torch.device:
    """auto: CUDA, else CPU. 'cuda:1' and the like name one GPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise IgcnasError(f"unknown device {name!r}; known: {', '.join(DEVICES)}, cuda:N")
    if name != "cpu" and not torch.cuda.is_available():
        why = unused_gpu() or "torch sees no CUDA device"
        raise IgcnasError(f"device {name!r} was asked for, but {why}; use --device auto")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise IgcnasError(f"device {name!r} was asked for, but torch sees {torch.cuda.device_count()} CUDA devices")
    return device


def unused_gpu() -> str | None:
    """Why an NVIDIA GPU that is in this machine cannot be used, and what to do; None if there is none or it can be."""
    if torch.cuda.is_available():
        return None
    driver = driver_version()
    if driver is None:
        return None
    here = f"an NVIDIA GPU is here (driver {driver}), but it cannot be used"
    if torch.version.cuda is None:
        return f"{here}: torch {torch.__version__} is built for CPUs; install a CUDA build of torch (see README, GPUs)"
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return f"{here}: CUDA_VISIBLE_DEVICES hides it; unset it"
    cuda = torch.version.cuda
    least = _LEAST_DRIVER.get(int(cuda.partition(".")[0]))
    major = driver.partition(".")[0]
    if least is not None and major.isdecimal() and int(major) < least:
        way = "install a newer driver, or torch for an older CUDA (see README, GPUs)"
        return f"{here}: torch {torch.__version__} with CUDA {cuda} needs driver {least} or newer; {way}"
    return f"{here}: torch {torch.__version__} with CUDA {cuda} does not see it; torch.cuda.init() in Python says why"


def driver_version() -> str | None:
    """The version of NVIDIA's driver where a GPU is; None where there is no GPU or nobody tells."""
    program = shutil.which("nvidia-smi")
    if program is not None:
        words = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
        try:
            told = subprocess.run(words, capture_output=True, text=True, timeout=20, check=True).stdout.split()
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


def prepare_device(device: torch.device, pixels: int) -> None:
    """Set threads on a CPU. `pixels` is height * width of an image.

    Small maps gain nothing from a second thread. On 32x32 images 2 threads took 0.6 to 1 times, 4 threads 0.5 to 0.75
    times the time of one (4 cores); but where threads outnumber the cores that are free, each barrier waits for the
    scheduler and training comes nearly to a stop. So: half of the cores that this process may run on.
    """
    if device.type != "cpu":
        return
    torch.set_num_threads(1 if pixels < 256 else max(1, usable_cores() // 2))


def describe(device: torch.device) -> str:
    """Name of the hardware, for records: 'cpu' or the GPU's own name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
