"""Where the time of a search goes that is no training: its start, what is around each training, its end; and status.

    python -m benchmarks.overhead --searches 3 --out benchmarks/results/overhead.md

Each search is the command itself in a process of its own, in a fresh folder, on the digits. The time of a line is that
at which it is printed. The time in training is what the records say that each training took, over the workers.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch

from igcnas.results.table import Column, Table
from igcnas.search.records import frame
from igcnas.training.device import describe

_UNITS = {"s": 1, "min": 60, "h": 3600}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One search, in seconds from the command on. begun: when the first training began, as its record says."""

    begun: float
    trained: float
    figures: float
    exported: float
    ended: float
    announced: float
    training: float
    workers: int

    @property
    def idle(self) -> float:
        """The share of the workers' time, from the first training to the last, that is no training."""
        return 1 - self.training / (self.workers * (self.trained - self.begun))


def search(studies: Path, networks: int, epochs: int, workers: int) -> Run:
    """Run one and read its clock."""
    options = ["--budget-mflops", "0.2", "--networks", str(networks), "--epochs", str(epochs), "--study", "s"]
    words = [sys.executable, "-m", "igcnas", "search", *options, "--workers", str(workers), "--studies-dir", studies]
    start, clock = time.perf_counter(), time.time()
    at: dict[str, float] = {}
    announced = 0.0
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, encoding="utf-8", env=environment) as it:
        assert it.stdout is not None
        for line in it.stdout:
            now = time.perf_counter() - start
            if found := re.match(r"time +about (?:(\d+) h )?(\d+) (s|min)", line):
                announced = 3600 * int(found[1] or 0) + int(found[2]) * _UNITS[found[3]]
            name = "trained" if re.match(r" +(\d+/\d+|again) ", line) else line.split()[0] if line.split() else ""
            at[name] = now
            if "pareto.png" in line:
                at["figures"] = now
    if it.returncode:
        raise SystemExit(f"the search ended with status {it.returncode}")
    table = frame(studies / "s")
    begun = table["began"].min().timestamp() - clock
    return Run(
        begun=begun,
        trained=at["trained"],
        figures=at["figures"],
        exported=at["parity"],
        ended=time.perf_counter() - start,
        announced=announced,
        training=float(table["seconds"].sum()),
        workers=workers,
    )


def status(studies: Path) -> float:
    """Seconds of igcnas status."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "igcnas", "status", studies / "s"], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Measure; write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", type=int, default=3)
    parser.add_argument("--networks", type=int, default=30)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    runs, looks = [], []
    for _ in range(arguments.searches):
        with tempfile.TemporaryDirectory() as folder:
            runs.append(search(Path(folder), arguments.networks, arguments.epochs, arguments.workers))
            looks += [status(Path(folder)) for _ in range(3)]
            print(runs[-1], looks[-3:], flush=True)
    rows = [
        ("from the command to the first training, s", [run.begun for run in runs]),
        ("workers' time that is no training, from the first training to the last, %", [100 * r.idle for r in runs]),
        ("time taken over the time announced", [(run.trained - run.begun) / run.announced for run in runs]),
        ("figures and table, s", [run.figures - run.trained for run in runs]),
        ("export, s", [run.exported - run.figures for run in runs]),
        ("from the last line to the end of the process, s", [run.ended - run.exported for run in runs]),
        ("igcnas status, s", looks),
    ]
    columns = (Column.words("what"), Column.numbers("median", say=".2f"), Column.words("lowest to highest"))
    table = Table(
        columns=columns,
        rows=tuple((name, median(found), f"{min(found):.2f} to {max(found):.2f}") for name, found in rows),
    )
    command = f"python -m benchmarks.overhead --searches {arguments.searches} --networks {arguments.networks}"
    command += f" --epochs {arguments.epochs} --workers {arguments.workers}"
    text = f"""# What a search does besides training

`{command}`: {arguments.searches} searches on the digits, {describe(torch.device("cpu"))}, {os.cpu_count()} cores.

{table.markdown()}
"""
    arguments.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
