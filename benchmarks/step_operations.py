"""What a training step asks of a GPU: operations, reads of the host, layouts; counted without one.

python -m benchmarks.step_operations [--out benchmarks/results]

The whole step of a search (forward pass, autograd, clipping, optimizer) runs on CUDA tensors that are not there
(benchmarks/fake_cuda), in bfloat16, for the networks of the literature and random ones at 32x32 and 8x8. An operation
is one call of a PyTorch operator that is no view: about one kernel, a few more for some. In a CUDA graph each is a
node. Linux and a C++ compiler are needed.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.fake_cuda import compiled, trained
from benchmarks.speed.networks import known, sample
from benchmarks.speed.page import command, table, write

_SIZES = (((3, 32, 32), 100_000_000), ((1, 8, 8), 500_000))
_RANDOM = 4
_HEAD = ("images", "network", "operations a step", "around a step", "reads in a step", "reads an epoch", "layouts lost")


def rows() -> list[dict[str, Any]]:
    """Each network with what was counted."""
    found = [
        (f"{shape[1]}x{shape[2]}", network)
        for shape, budget in _SIZES
        for network in (*known(shape, 10, budget), *sample(shape, 10, budget, _RANDOM, seed=0, space=None))
    ]
    with tempfile.TemporaryDirectory() as folder:
        library = compiled(Path(folder))
        counted = trained(library, [{"architecture": network.architecture.to_json()} for _, network in found])
    return [
        {"images": images, "network": network.name, "macs": network.macs} | one
        for (images, network), one in zip(found, counted, strict=True)
    ]


def page(found: Sequence[dict[str, Any]], words: Sequence[str] | None) -> str:
    """As Markdown."""
    lines = [
        (
            row["images"],
            row["network"],
            f"{row['launches']['step'] / row['steps']:.0f}",
            f"{row['launches']['around'] / row['steps']:.0f}",
            str(row["reads"].get("step", 0)),
            f"{row['reads']['around'] / row['epochs']:.0f}",
            str(len(row["layouts"].get("step", []))),
        )
        for row in found
    ]
    text = (
        "Counted on tensors of a GPU that is not there: nothing was timed, and nothing depends on the machine. A step "
        "is that of a search, eager or captured alike; around it are the batch and the schedules.\n"
    )
    return (
        f"# Operations of a training step on CUDA\n\n{command('benchmarks.step_operations', words)}\n{text}\n"
        + table(_HEAD, lines)
    )


def main(words: Sequence[str] | None = None) -> int:
    """Count, print, write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.step_operations",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, help="folder for the page and its JSON (default: print only)")
    arguments = parser.parse_args(words)
    found = rows()
    if arguments.out is not None:
        kept = [{key: row[key] for key in ("images", "network", "macs", "steps", "launches", "reads")} for row in found]
        write(arguments.out, "step-operations", page(found, words), kept)
    print(page(found, words))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
