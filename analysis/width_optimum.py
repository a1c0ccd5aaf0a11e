"""Whether the widest interleaved group convolution is where L = M S says: `python -m analysis.width_optimum`.

Prints, for budgets of weights and kernel areas, the widest integer (L, M) beside the closed form and the bound, and the
published blocks; writes the first table as CSV, and a figure. The mathematics is in width_lattice.py.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from analysis.width_figure import compute, figure
from analysis.width_lattice import FIG3, PUBLISHED, Row, corner_cases, optimum, published
from igcnas.errors import IgcnasError


def table(rows: Sequence[Row]) -> str:
    """Rows as aligned text; real numbers with two decimals, small ratios with three."""

    def text(value: float | str) -> str:
        return f"{value:.{3 if value < 1 else 2}f}" if isinstance(value, float) else str(value)

    cells = [list(rows[0]), *([text(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join("  ".join(cell.rjust(w) for cell, w in zip(line, widths, strict=True)) for line in cells)


def write(out: Path, params: Sequence[int], kernel_areas: Sequence[int], rows: Sequence[Row]) -> None:
    """width_optimum.csv and width_optimum.png in a folder that is made if need be."""
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "width_optimum.csv", "w", newline="", encoding="ascii") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    panels = [compute(T, S) for S in kernel_areas for T in params]
    figure(panels, columns=len(params)).savefig(out / "width_optimum.png", dpi=120)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}\n")  # one line, without the usage


def _kernel_area(text: str) -> int:
    area = int(text) if text.isdecimal() else 0
    if area % 2 == 0 or math.isqrt(area) ** 2 != area:
        raise argparse.ArgumentTypeError(
            f"a kernel area is the square of an odd number, as 1, 9, 25 or 49, not {text!r}"
        )
    return area


def _budget(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"a budget is a positive whole number of parameters, not {text!r}")
    return int(text)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(prog="python -m analysis.width_optimum", description="Widest IGC block for a parameter budget.")
    add = parser.add_argument
    add("--params", type=_budget, nargs="+", default=list(FIG3), metavar="T", help="weights (default: those of Fig. 3)")
    areas = "taps of the spatial kernel, an odd square (default: 9 25 49)"
    add("--kernel-area", type=_kernel_area, nargs="+", default=[9, 25, 49], metavar="S", help=areas)
    add("--out", type=Path, default=Path("studies/width_optimum"), metavar="DIR", help="folder (default: %(default)s)")
    add("--json", action="store_true", help="print both tables as JSON")
    add("--train", action="store_true", help="test by experiment whether accuracy follows; see --train --help")
    return parser.parse_args(arguments)


def _report(optima: Sequence[Row], known: Sequence[Row], kernel_areas: Sequence[int], out: Path) -> None:
    print("Widest integer (L, M) within the budget; closed form and bound for the budget; widths in channels\n")
    print(table(optima))
    print("\nPublished blocks (first stage, 3x3); bound and regular convolution for their own parameters\n")
    print(table(known))
    print("\nNo wider than a regular convolution of as many parameters: L = 1, and of L > 1 (L, M <= 64)")
    for S in kernel_areas:
        cases = corner_cases(S, up_to=64)
        print(f"  S = {S}: {', '.join(map(str, cases[:4])) + f' ... ({len(cases)} in all)' if cases else 'none'}")
    print(f"\nwrote width_optimum.csv and width_optimum.png to {out}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both tables, write the first as CSV and the figure; exit status 2 and one line for a user's error."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if "--train" in words:
        from analysis import width_trial

        return width_trial.main([word for word in words if word != "--train"])
    options = _parse(words)
    params, kernel_areas = list(dict.fromkeys(options.params)), list(dict.fromkeys(options.kernel_area))
    try:
        optima = [optimum(T, S) for S in kernel_areas for T in params]
        write(options.out, params, kernel_areas, optima)
    except (IgcnasError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    known = [published(*entry) for entry in PUBLISHED]
    if options.json:
        print(json.dumps({"optima": optima, "published": known}, indent=2))
    else:
        _report(optima, known, kernel_areas, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
