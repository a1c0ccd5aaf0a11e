"""Means with standard errors, paired differences, and what a page says of the machine that made it."""

from __future__ import annotations

import math
import os
import platform
import shlex
import statistics
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple


class Mean(NamedTuple):
    """A mean, its standard error, and how many values it is of."""

    value: float
    error: float
    n: int

    def text(self, digits: int = 3, *, sign: bool = False) -> str:
        """As it is printed: mean, standard error."""
        plus = "+" if sign else ""
        return f"{self.value:{plus}.{digits}f} ({self.error:.{digits}f})"


def mean(values: Sequence[float]) -> Mean:
    """Mean and standard error; the error of one value is not known."""
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return Mean(statistics.fmean(values), error, len(values))


def paired(ours: dict[int, float], theirs: dict[int, float]) -> Mean:
    """Mean difference, ours minus theirs, over the runs that both have."""
    return mean([ours[run] - theirs[run] for run in sorted(ours.keys() & theirs.keys())])


def header(module: str) -> str:
    """The command, the machine and the versions: the first lines of a page."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(encoding="utf-8").splitlines() if cpu.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    machine = f"{os.cpu_count()}-core virtual machine ({names[0] if names else platform.processor()})"
    packages = ", ".join(f"{name} {version(name)}" for name in ("optuna", "numpy", "scipy", "torch"))
    return (
        f"    {shlex.join(['python', '-m', module, *map(_plain, sys.argv[1:])])}\n\n"
        f"{machine}, other work at the same time, one thread a process; "
        f"Python {platform.python_version()}, {packages}.\n"
    )


def _plain(word: str) -> str:
    """Paths by their last part: a page tells nothing of the folders of the machine that made it."""
    return Path(word).name if os.sep in word else word
