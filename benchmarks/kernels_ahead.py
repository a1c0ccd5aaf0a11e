"""What the kernels became for an H100 that is not here: registers, stack, shared memory, widths of loads and stores.

python -m benchmarks.kernels_ahead --out benchmarks/results

Every kernel is compiled for compute capability 9.0 with all that it can do at once, as igcnas/kernels/ahead.py says,
and its binary is read with the tools of Triton's wheel. Nothing runs and nothing is timed.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
import triton

from igcnas.kernels.ahead import Binary, compiled, variants

HEAD = ("kernel", "what", "type", "warps", "registers", "stack", "shared", "instructions", "HGMMA", "loads", "stores")


def widths(counts: Mapping[int, int]) -> str:
    """As "10 x 128, 72 x 32"."""
    return ", ".join(f"{number} x {bits}" for bits, number in counts.items())


def row(binary: Binary) -> str:
    """A line of the table."""
    cells = (
        *(binary.kernel, binary.note, binary.dtype, binary.warps, binary.registers, binary.stack, binary.shared),
        *(binary.instructions, binary.matrix, widths(binary.loads), widths(binary.stores)),
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def page(binaries: list[Binary], seconds: float, workers: int) -> str:
    """The table with the command and versions."""
    spilled = [binary for binary in binaries if binary.stack]
    lines = [
        "# Kernels compiled ahead for sm_90",
        "",
        "    python -m benchmarks.kernels_ahead --out benchmarks/results",
        "",
        f"Python {platform.python_version()}, torch {torch.__version__}, triton {triton.__version__} and its ptxas; "
        f"{len(binaries)} kernels in {seconds:.0f} s on {workers} processes, less what was in Triton's cache. "
        "No GPU: nothing ran, nothing was timed.",
        "",
        "Each kernel with everything pending and every epilogue, channels a multiple of 8. Registers are a thread's "
        "(255 is the most there are), stack and shared memory bytes, loads and stores instructions by width in bits. "
        "The 32-bit loads of depthwise kernels are the weights, once a program; the 8-bit ones of `gather` are images. "
        "A 5x5 has four values a thread in bf16, so 64 bits, because its 25 weights take the registers. "
        f"Kernels with values on the stack: {len(spilled)}.",
        "",
        "| " + " | ".join(HEAD) + " |",
        "|" + "---|" * len(HEAD),
        *map(row, binaries),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Compile, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="folder for kernels-ahead.md")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    start = time.perf_counter()
    with ProcessPoolExecutor(options.workers) as pool:
        binaries = list(pool.map(compiled, list(variants())))
    text = page(binaries, time.perf_counter() - start, options.workers)
    print(text)
    if options.out:
        (options.out / "kernels-ahead.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
