"""The GPUs of this machine as torch numbers them: what they are, what memory is free, how a process sees one alone.

Who asks a GPU for its free memory gets a context there, which takes some of it and, on a GPU in exclusive mode, keeps
everybody else out. So a process asks that ends with the answer.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

VISIBLE = "CUDA_VISIBLE_DEVICES"
_SECONDS = 120.0  # torch on a slow disk, and a driver that wakes up
_ASK = """
import json, sys
sys.path[:] = sys.argv[2:]
import torch
found = {}
for index in json.loads(sys.argv[1]):
    try:
        about = torch.cuda.get_device_properties(index)
        free, total = torch.cuda.mem_get_info(index)
    except Exception:  # in use by another alone, or broken: nothing is known of it then
        continue
    found[index] = {"name": about.name, "uuid": str(getattr(about, "uuid", "")), "free": free, "total": total}
print("\\n" + json.dumps(found))
"""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """Memory in megabytes (10^6 bytes). uuid: its name for CUDA; None of a part of a GPU (MIG), and where unknown."""

    name: str
    uuid: str | None
    free_mb: float
    total_mb: float


def ask(indices: Iterable[int], environment: Mapping[str, str] | None = None) -> dict[int, Gpu]:
    """What torch says of the GPUs of these numbers, in this environment; those of which it says nothing are left out.

    environment: variables beside those of this process.
    """
    words = [sys.executable, "-P", "-c", _ASK, json.dumps(list(indices)), *sys.path]
    try:
        done = subprocess.run(
            words,
            env=os.environ | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_SECONDS,
            check=True,
        )
        found: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return {}
    return {int(index): _gpu(**about) for index, about in found.items()}


def name_for(index: int) -> str:
    """The value of CUDA_VISIBLE_DEVICES with which a process sees this one alone, as cuda:0.

    Where the user has set it, torch's numbers are places in that list: of numbers, UUIDs or names of parts (MIG).
    """
    named = [name.strip() for name in os.environ.get(VISIBLE, "").split(",")]
    return named[index] if index < len(named) and named[index] else str(index)


def _gpu(*, name: str, uuid: str, free: int, total: int) -> Gpu:
    uuid = uuid.removeprefix("GPU-")
    known = _UUID.fullmatch(uuid) and "MIG" not in name.split()
    return Gpu(name=name, uuid=f"GPU-{uuid}" if known else None, free_mb=free / 1e6, total_mb=total / 1e6)
