"""What the processor of this machine is called, and what it can do."""

from __future__ import annotations

import platform
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path


@cache
def processor() -> str:
    """The name of the processor, as the system tells it."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(encoding="utf-8", errors="replace").splitlines() if cpu.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    if sys.platform == "darwin":  # platform.processor() says 'arm' there
        words = ["sysctl", "-n", "machdep.cpu.brand_string"]
        with suppress(OSError, subprocess.SubprocessError):
            names = [
                subprocess.run(
                    words, capture_output=True, encoding="utf-8", errors="replace", timeout=10, check=True
                ).stdout.strip()
            ]
    return names[0] if names else platform.processor() or platform.machine() or sys.platform


def fingerprint() -> str:
    """What code for this very processor depends on: its name and abilities."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))
    return platform.processor() + platform.node()
