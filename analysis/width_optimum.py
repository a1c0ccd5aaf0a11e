"""Whether the widest block of IGC V1, V2 and V3 is where theory says: `igcnas width-optimum`.

In the repository also `python -m analysis.width_optimum`. For IGC V1 (the default) prints, for budgets of parameters or
MACs and kernel areas, the widest integer (L, M) beside L = M S and the bound, and how far every published network is
from it; `--block igcv2`, `igcv3` and `all` do the like for the others. Writes the first table as CSV and a figure as
PNG and SVG; with `--csv` every integer block. The mathematics is in docs/width.md and analysis/width/. With `--train`
accuracy is tested (analysis/width_trial/).
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from igcnas.network.primitives import Size
from igcnas.system import program
from igcnas.system.files import make_folder
from igcnas.system.folders import studies

from .width import tables
from .width.igcv3_rows import EXPANSIONS
from .width.lattice import FIG3
from .width.reports import BLOCKS, Report, Request
from .width.subject import KINDS

PROG = "python -m analysis.width_optimum"


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


def _positive(what: str, text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{what} is a positive whole number, not {text!r}")
    return int(text)


def _params(text: str) -> int:
    return _positive("a budget in parameters", text)


def _macs(text: str) -> int:
    return _positive("a budget in MACs", text)


def _count(text: str) -> int:
    return _positive("this", text)


def _size(text: str) -> Size:
    found = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"a map is HEIGHTxWIDTH in pixels, as 32x32, not {text!r}")
    return int(found[1]), int(found[2])


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=prog,
        description="The widest block of IGC V1, V2 or V3 for a budget: every integer block against the closed form.",
    )
    add = parser.add_argument
    add("--block", choices=list(BLOCKS), default="igcv1", help="which block, or all beside each other")
    budgets = " ".join(map(str, FIG3))
    add("--params", type=_params, nargs="+", metavar="T", help=f"budgets in parameters (default: {budgets})")
    add("--macs", type=_macs, nargs="+", metavar="T", help="budgets in multiply-accumulates on a map")
    add("--map", type=_size, default=(32, 32), metavar="HxW", help="input of the block, or images (default: 32x32)")
    add("--stride", type=_count, default=1, metavar="N", help="stride of the block, for MACs (default: 1)")
    areas = "taps of the spatial kernel, an odd square (default: 9 25 49; 9 for a network)"
    add("--kernel-area", type=_kernel_area, nargs="+", metavar="S", help=areas)
    first = parser.add_argument_group("igcv1")
    kinds = "; ".join(f"{kind}: {what}" for kind, what in KINDS.items())
    first.add_argument("--of", choices=list(KINDS), default="block", help=f"what the budget is for: {kinds}")
    first.add_argument("--depth", type=_count, default=20, metavar="D", help="of the network (default: 20)")
    third = parser.add_argument_group("igcv3")
    expansions = f"expansions t (default: {' '.join(map(str, EXPANSIONS))})"
    third.add_argument("--expansion", type=_count, nargs="+", default=list(EXPANSIONS), metavar="t", help=expansions)
    third.add_argument("--paths", type=_count, default=1, metavar="P", help="least paths of a pair (default: 1)")
    add("--out", type=Path, default=studies() / "width_optimum", metavar="DIR", help="folder (default: %(default)s)")
    add("--csv", action="store_true", help="also write every integer block within the budgets, NAME_lattice.csv")
    add("--json", action="store_true", help="print the tables as JSON")
    add("--train", action="store_true", help="test by experiment whether accuracy follows; see --train --help")
    return parser


def request(options: argparse.Namespace) -> Request:
    """The question that the options put; the default budgets where none is given."""
    params = options.params or ([] if options.macs else list(FIG3))
    areas = options.kernel_area or ([9] if options.of == "network" else [9, 25, 49])
    budgets = [(T, "params") for T in params] + [(T, "macs") for T in options.macs or []]
    return Request(
        budgets=tuple(dict.fromkeys(budgets)),
        kernel_areas=tuple(dict.fromkeys(areas)),
        size=options.map,
        stride=options.stride,
        kind=options.of,
        depth=options.depth,
        expansions=tuple(dict.fromkeys(options.expansion)),
        paths=options.paths,
    )


def write(report: Report, out: Path, *, every: bool) -> list[str]:
    """The first table, the figure as PNG and SVG, and every integer block if asked for; returns names of files."""
    from .width.canvas import save

    make_folder(out)
    written = [f"{report.name}.csv", f"{report.name}.png", f"{report.name}.svg"]
    tables.write_csv(out / written[0], next(iter(report.tables.values())))
    if every:
        written.append(f"{report.name}_lattice.csv")
        tables.write_csv(out / written[-1], report.every())
    save(report.figure(), out, report.name)
    return written


def main(arguments: Sequence[str] | None = None, *, prog: str = PROG) -> int:
    """Print the tables and write the files; exit status 2 and one line for a user's error. `prog`: how it is called."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if "--train" in words:
        from . import width_trial

        return width_trial.main(
            [word for word in words if word != "--train"], prog=prog, ends_process=arguments is None
        )
    options = _parser(prog).parse_args(words)
    return program.run(lambda: _show(options), ends_process=arguments is None)


def _show(options: argparse.Namespace) -> int:
    report = BLOCKS[options.block](request(options))
    written = write(report, options.out, every=options.csv)
    if options.json:
        print(json.dumps(dict(report.tables), indent=2))
        return 0
    for key, rows in report.tables.items():
        print(f"{report.titles[key]}\n\n{tables.text(rows)}\n")
    for note in report.notes:
        print(note)
    print(f"\nwrote {', '.join(written)} to {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
