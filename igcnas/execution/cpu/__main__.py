"""Compile every CPU kernel now, which the first training would else do: python -m igcnas.execution.cpu."""

from __future__ import annotations

import sys
import time

from igcnas.execution.cpu.compiling import compile_all
from igcnas.execution.cpu.mark import can_be_kept


def main() -> int:
    """Say how long it took; status 1 where nothing of it can be kept."""
    start = time.perf_counter()
    compile_all()
    kept = can_be_kept()
    where = "" if kept else ", but no folder for them can be written: each process will compile them again"
    print(f"the CPU kernels are compiled ({time.perf_counter() - start:.0f} s){where}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
