"""The machine: what a page says of it, the cores a process may use, and its copy and GEMM rates, measured."""

from __future__ import annotations

import gc
import multiprocessing
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.speed.clock import interleaved
from igcnas.search.provenance import package_versions
from igcnas.system.processor import processor

PACKAGES = ("torch", "numba", "numpy", "optuna")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Bytes a second of a copy (read and written bytes both count) and multiply-accumulates a second of a GEMM.

    spread: interquartile range over median of each.
    """

    copy: float
    gemm: float
    copy_spread: float
    gemm_spread: float
    dtype: str
    threads: int

    def text(self) -> str:
        """One line for a page."""
        return (
            f"Copy {self.copy / 1e9:,.1f} GB/s (spread {100 * self.copy_spread:.0f} %), GEMM in {self.dtype} "
            f"{2 * self.gemm / 1e12:,.3f} TFLOP/s (spread {100 * self.gemm_spread:.0f} %), measured in the same call"
            + ("." if self.threads == 0 else f" with {self.threads} thread{'s' if self.threads > 1 else ''}.")
        )


def rates(device: torch.device, *, repeats: int = 7, small: bool = False) -> Rates:
    """Measure both, in some seconds; `small` for a test: buffers that fit in a cache, a figure without meaning.

    On a CPU float32 with the threads that torch has, on CUDA bfloat16.
    """
    cuda = device.type == "cuda"
    dtype = torch.bfloat16 if cuda else torch.float32
    numel = 2**20 if small else (2**30 if cuda else 2**26)
    n = 128 if small else (8192 if cuda else 1024)
    source, target = torch.ones(numel, dtype=torch.uint8, device=device), None
    target = torch.empty_like(source)
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(a)
    ways = {"copy": lambda: target.copy_(source), "gemm": lambda: torch.mm(a, b, out=out)}
    found = interleaved(ways, device, repeats=repeats, seconds=0.002 if small else 0.1)
    return Rates(
        copy=2 * numel / found["copy"].median,
        gemm=n**3 / found["gemm"].median,
        copy_spread=found["copy"].spread,
        gemm_spread=found["gemm"].spread,
        dtype=str(dtype).removeprefix("torch."),
        threads=0 if cuda else torch.get_num_threads(),
    )


def available_cores() -> tuple[int, ...]:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def stay_on(cores: Iterable[int]) -> None:
    """Keep this process and its children on these cores, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(cores))


def machine(device: torch.device) -> dict[str, Any]:
    """What a reader must know to repeat it: processor, cores, GPU, versions, allocator settings, load."""
    found: dict[str, Any] = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "cores_used": len(available_cores()),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "versions": package_versions(PACKAGES),
        "allocator": os.environ.get("GLIBC_TUNABLES") or os.environ.get("LD_PRELOAD") or "as it is",
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        found["gpu"] = {
            "name": properties.name,
            "memory_gb": round(properties.total_memory / 1e9, 1),
            "processors": properties.multi_processor_count,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }
    return found


def describe(found: dict[str, Any], measured: Rates | None = None) -> str:
    """The same as the first lines of a page."""
    gpu = found.get("gpu")
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    lines = []
    if gpu:
        lines.append(f"{gpu['name']}, {gpu['memory_gb']} GB, CUDA {gpu['cuda']}, cuDNN {gpu['cudnn']}.")
    lines.append(
        f"{found['cores']}-core machine ({found['processor']}), {found['cores_used']} of the cores used, load "
        f"{found['load']} at the start; Python {found['python']}, {versions}; allocator {found['allocator']}."
    )
    if measured is not None:
        lines.append(measured.text())
    return "\n".join(lines) + "\n"


def plain_rates(measured: Rates) -> dict[str, Any]:
    """For JSON."""
    return asdict(measured)


def peak_memory_mb() -> float | None:
    """Largest resident memory of this process since `forget_peak`; None where the system does not tell."""
    own = _kb("/proc/self/status", "VmHWM")
    return None if own is None else own / 1024


def device_mb(device: torch.device) -> tuple[float, float] | None:
    """Megabytes allocated and reserved by torch on a GPU, now that nothing refers to the last trial any more."""
    if device.type != "cuda":
        return None
    gc.collect()
    torch.cuda.synchronize(device)
    return torch.cuda.memory_allocated(device) / 2**20, torch.cuda.memory_reserved(device) / 2**20


def children_mb() -> float:
    """Memory that the live children of this process share with nobody: what loader processes cost beside it."""
    live = [child.pid for child in multiprocessing.active_children() if child.pid]
    private = [
        _kb(f"/proc/{pid}/smaps_rollup", f"Private_{kind}") or 0.0 for pid in live for kind in ("Clean", "Dirty")
    ]
    return sum(private) / 1024


def forget_peak() -> None:
    """Start counting the peak anew, where the system can."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    except OSError:
        return


def _kb(path: str, key: str) -> float | None:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((float(line.split()[1]) for line in lines if line.startswith(key + ":")), None)
