"""Every way of a grouped 1x1, a depthwise, a dense 3x3 and a composed convolution: forward, and with all gradients.

python -m benchmarks.operators --device cpu --out benchmarks/results

Each way (benchmarks/speed/ways.py) is first held against float64 on the same inputs, then timed: the first call apart,
then medians of repeats in which all ways of a case take turns. Bytes a second are those that must move at least
(benchmarks/speed/shapes.py) over the time, and their share is of the copy rate measured in the same call. On a GPU
there is nothing to compare: igcnas runs the library's operators there.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks.speed.clock import Timing, interleaved, once
from benchmarks.speed.machine import Rates, describe, machine, plain_rates, rates
from benchmarks.speed.operations import Operation, errors, inputs, reference
from benchmarks.speed.page import command, number, table, write
from benchmarks.speed.shapes import KINDS, SETTINGS, Case, cases
from benchmarks.speed.ways import WAYS
from igcnas.errors import IgcnasError, unknown_name

_CPU = torch.device("cpu")
_BYTES = 4  # of a float32
_ALLOWED = 1e-3  # relative errors to float64: rounding over sums of thousands


@dataclass(slots=True, kw_only=True)
class Row:
    """One way at one case. failed: why there are no times. error: the largest relative one to float64.

    first: seconds of the first call with all gradients, before anything else of this way and case.
    """

    way: str
    error: float = math.nan
    first: float = math.nan
    forward: Timing | None = None
    both: Timing | None = None
    failed: str = ""


@dataclass(slots=True)
class Results:
    """Everything that was measured, as it grows."""

    machine: dict[str, Any]
    rates: Rates
    rows: dict[Case, list[Row]] = field(default_factory=dict)
    stopped: str = ""

    def plain(self) -> dict[str, Any]:
        """For JSON: medians, spreads and first calls."""
        return {
            "machine": self.machine,
            "rates": plain_rates(self.rates),
            "cases": [
                {
                    **asdict(case),
                    "ways": [
                        {
                            "way": row.way,
                            "error": row.error,
                            "first": row.first,
                            "failed": row.failed,
                            "forward": _timing(row.forward),
                            "both": _timing(row.both),
                        }
                        for row in rows
                    ],
                }
                for case, rows in self.rows.items()
            ],
            "stopped": self.stopped,
        }


def _timing(timing: Timing | None) -> dict[str, Any] | None:
    if timing is None:
        return None
    return {"median": timing.median, "spread": timing.spread, "n": len(timing.seconds)}


def measure(
    chosen: Sequence[Case],
    *,
    repeats: int,
    seconds: float,
    check_only: bool = False,
    minutes: float | None = None,
    keep: Callable[[Results], None] = lambda _results: None,
) -> Results:
    """All cases, in their order; `keep` hears of each."""
    start = time.monotonic()
    results = Results(machine(_CPU), rates(_CPU, small=check_only))
    for case in chosen:
        if minutes is not None and time.monotonic() - start > 60 * minutes:
            results.stopped = f"{minutes} minutes were over before {case.kind} {case.setting} {case.text()}"
            break
        results.rows[case] = one_case(case, repeats=repeats, seconds=seconds, check_only=check_only)
        keep(results)
        gc.collect()
    return results


def one_case(case: Case, *, repeats: int, seconds: float, check_only: bool) -> list[Row]:
    """Every way of one case: its error, and its times unless `check_only`."""
    given = inputs(case)
    expected = reference(given)
    rows: list[Row] = []
    ready: dict[str, Operation] = {}
    for way in WAYS[case.kind]:
        row = Row(way=way.name)
        rows.append(row)
        try:
            operation = way.make(given)
            row.first = once(operation.both, _CPU)
            row.error = errors(operation.results(), expected)
            if not check_only:
                ready[way.name] = operation
        except Exception as error:  # a way that cannot do a shape says so in its row
            row.failed = f"{type(error).__name__}: {str(error).splitlines()[0][:120]}" if str(error) else repr(error)
        if row.error > _ALLOWED:
            row.failed = f"wrong: relative error {row.error:.1e}"
            ready.pop(way.name, None)
    del expected
    for direction in ("forward", "both"):
        calls = {name: getattr(operation, direction) for name, operation in ready.items()}
        timings = interleaved(calls, _CPU, repeats=repeats, seconds=seconds)
        for row in rows:
            if row.way in timings:
                setattr(row, direction, timings[row.way])
    return rows


def page(results: Results, words: Sequence[str] | None) -> str:
    """All tables."""
    parts = [
        "# Operators on a CPU\n",
        command("benchmarks.operators", words),
        describe(results.machine, results.rates),
        "`forward` and `both` (forward and all gradients) are medians, with the interquartile range in percent; "
        "`first` is the first call of both. Ratios: the time of the first way of the table over that of the row. The "
        "prediction is of `both, times`, alone. GB/s and the share are of `both`: what must move at least, over the "
        "time and over the copy rate above. Error is the largest relative one, over the output and all gradients, to "
        "float64.\n",
    ]
    for kind in KINDS:
        for setting in SETTINGS[kind]:
            found = {case: rows for case, rows in results.rows.items() if (case.kind, case.setting) == (kind, setting)}
            if found:
                parts += [f"## {kind}, {setting}\n", _table(found, results)]
    if results.stopped:
        parts.append(f"Not measured: {results.stopped}.\n")
    return "\n".join(parts)


def _table(found: dict[Case, list[Row]], results: Results) -> str:
    rows = []
    for case, timed in found.items():
        base = timed[0]
        predicted = {way.name: way.predicted for way in WAYS[case.kind]}
        for row in timed:
            if row.forward is None or row.both is None:
                rows.append([case.text(), row.way, *["-"] * 9, row.failed or f"error {row.error:.0e}"])
                continue
            rate = _BYTES * case.least_elements(True) / row.both.median
            rows.append(
                [
                    case.text(),
                    row.way,
                    _time(row.forward),
                    _time(row.both),
                    f"{1e3 * row.first:.1f}",
                    _over(base, row, "forward"),
                    _over(base, row, "both"),
                    predicted[row.way],
                    number(rate / 1e9),
                    f"{100 * rate / results.rates.copy:.0f} %",
                    f"{row.error:.0e}",
                    "",
                ]
            )
    head = ["shape", "way", "forward, us", "both, us", "first, ms", "forward, times", "both, times"]
    return table([*head, "predicted", "GB/s", "of copy", "error", "note"], rows)


def _time(timing: Timing) -> str:
    return f"{number(1e6 * timing.median)} ({100 * timing.spread:.0f} %)"


def _over(base: Row, row: Row, direction: str) -> str:
    ours, theirs = getattr(row, direction), getattr(base, direction)
    return number(theirs.median / ours.median) if theirs is not None else "-"


def wrong(results: Results) -> list[str]:
    """Ways that failed or are not close to float64, in words."""
    return [
        f"{case.kind} {case.setting} {case.text()}, {row.way}: {row.failed}"
        for case, rows in results.rows.items()
        for row in rows
        if row.failed
    ]


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print, write. Status 1 where `--check-only` finds a way that is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.operators", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", choices=["cpu"], help="cpu, and nothing else")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--batches", type=int, nargs="+", default=[128], help="default: 128")
    parser.add_argument("--repeats", type=int, default=9, help="default: 9")
    parser.add_argument("--seconds", type=float, default=0.02, help="of each repeat (default: 0.02)")
    parser.add_argument("--minutes", type=float, default=None, help="start no case after so many minutes")
    parser.add_argument("--check-only", action="store_true", help="errors to float64, no times")
    parser.add_argument("--threads", type=int, default=1, help="default: 1")
    parser.add_argument("--name", default=None, help="of the page (default: operators-cpu)")
    parser.add_argument("--out", type=Path, help="folder for the page and its JSON (default: print only)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args(words)
    try:
        for kind in arguments.kinds:
            if kind not in KINDS:
                raise IgcnasError(unknown_name("kind", kind, KINDS))
    except IgcnasError as error:
        print(f"error: {error}")
        return 2
    torch.set_num_threads(arguments.threads)
    chosen = list(cases(tuple(arguments.kinds), tuple(arguments.batches)))

    def keep(results: Results) -> None:
        if arguments.out is not None:
            write(arguments.out, arguments.name or "operators-cpu", page(results, words), results.plain())

    results = measure(
        chosen,
        repeats=arguments.repeats,
        seconds=arguments.seconds,
        check_only=arguments.check_only,
        minutes=arguments.minutes,
        keep=keep,
    )
    keep(results)
    if arguments.check_only:
        found = wrong(results)
        checked = sum(map(len, results.rows.values()))
        print("\n".join([*found, f"{checked} ways at {len(results.rows)} cases checked, {len(found)} wrong"]))
        return 1 if found else 0
    print(json.dumps(results.plain()) if arguments.json else page(results, words))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
