"""What a trial costs the controller of a search, by workers and trials, and how good proposals stay.

    python -m benchmarks.scale service --work scale-work
    python -m benchmarks.scale actors --work scale-work
    python -m benchmarks.scale quality --work scale-work --table nasbench201-cifar10.csv.gz --runs 10
    python -m benchmarks.scale page --work scale-work --out benchmarks/results --pictures docs

`service`: seconds of the real controller by part, with virtual workers, on studies that were filled before. `actors`:
real actors of Ray (the extra `ray`) whose trainings sleep, and whole searches with virtual workers. `quality`: regret
on NAS-Bench-201. Each run is a line in the work folder; what is there is not run again. `page` simulates a controller
of these seconds, sets it beside the real runs, goes on from there, and writes scale.md and its picture.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import optuna

from benchmarks.scale import actors, page, quality, service


def main() -> None:
    """Measure, or write the page."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["service", "actors", "quality", "page"])
    parser.add_argument("--work", type=Path, required=True, help="folder for the runs so far")
    parser.add_argument("--table", type=Path, help="NAS-Bench-201, for quality")
    parser.add_argument("--runs", type=int, default=10, help="searches of each kind, for quality (default: 10)")
    parser.add_argument("--out", type=Path, help="folder for scale.md (default: print it only)")
    parser.add_argument("--pictures", type=Path, help="folder for scale.png")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    if arguments.what == "quality" and arguments.table is None:
        parser.error("quality needs the table: give its file with --table")
    steps = {"service": service.measured, "actors": actors.measured, "quality": quality.measured, "page": page.write}
    steps[arguments.what](arguments)


if __name__ == "__main__":
    main()
