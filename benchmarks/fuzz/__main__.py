"""Try damaged and hostile inputs on every reader; print how many were tried and what was not handled, by place.

python -m benchmarks.fuzz --inputs 100000 --seed 1
python -m benchmarks.fuzz --inputs 1 --seed 1 --only pickle

Not handled is an exception that is no IgcnasError, a status that is not of a mistake, a process that dies, more than
20 s or more than 1 GiB for one input. Ends with status 1 where anything was not handled. For Linux.
"""

from __future__ import annotations

import argparse
import sys
import time

from benchmarks.fuzz.running import fuzz
from benchmarks.summary import header


def main() -> int:
    """Run and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100_000, metavar="N", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of all inputs (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=3600.0, metavar="S", help="stop then (default: %(default)s)")
    parser.add_argument("--only", metavar="TARGET", help="this reader alone")
    arguments = parser.parse_args()
    start = time.monotonic()
    found = fuzz(inputs=arguments.inputs, seed=arguments.seed, seconds=arguments.seconds, only=arguments.only)
    print(f"# Fuzzing\n\n{header('benchmarks.fuzz')}")
    print("| reader | inputs | refused | read |\n|---|---:|---:|---:|")
    for name, tried in sorted(found.tried.items()):
        unhandled = sum(count for place, count in found.unhandled.items() if found.first[place].startswith(f"{name}:"))
        print(f"| {name} | {tried:,} | {found.refused[name]:,} | {tried - found.refused[name] - unhandled:,} |")
    total, unhandled = found.tried.total(), found.unhandled.total()
    print(f"\n{total:,} inputs, {unhandled:,} not handled, {time.monotonic() - start:.0f} s.")
    for place, count in found.unhandled.most_common():
        print(f"  {count:>6}  {place}  (first: {found.first[place]})")
    return 1 if unhandled else 0


if __name__ == "__main__":
    sys.exit(main())
