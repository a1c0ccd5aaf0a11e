"""How wide an interleaved group convolution can be for its parameters: every integer (L, M) against the closed form.

Zhang et al., ICCV 2017 (arXiv:1707.02725), section 3 and Fig. 3. An IGC block of width G = L M with a kernel of S taps
has T = L M^2 S + M L^2 weights, so that T^2 - 4 S G^3 = G^2 (M S - L)^2 >= 0: G is at most (T / (2 sqrt S))^(2/3), and
exactly that where L = M S. At stride 1 the MACs are T for each position of the output, so a budget in MACs has the same
optimum. This is about width alone; in the paper's Fig. 3 accuracy is best near the widest block, not at it.
Weights are those of the convolutions, without batch norm. Run `python -m analysis.width_optimum --help`.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from igcnas.blocks import BasicBlock
from igcnas.cost import Cost, layer_cost
from igcnas.errors import BudgetError, IgcnasError
from igcnas.grouping import Grouping, Interleaved
from igcnas.primitives import Convolution, Size

Integers: TypeAlias = npt.NDArray[np.int64]
Row: TypeAlias = dict[str, int | float | str]

MAP: Size = (32, 32)  # a CIFAR image; any size gives the same MACs for each position
LARGEST_BUDGET = 10**10  # the lattice grows as T^(2/3): 20 million points here, a few seconds
PAPER_KERNEL_AREA = 9
BLUE, VERMILION = "#0072B2", "#D55E00"  # apart for every colour vision (Okabe and Ito)
FRONTIER_LABEL = "widest integer block for each M within T"
PAPER_LABEL = "points of the paper's Fig. 3 (some exceed T)"
ACCURACY_LABEL = "accuracy, the paper's own (mean of 5 runs)"
# Budget T: (L, M, percent of CIFAR-100 test images right, mean of 5 runs) of each point in the paper's Fig. 3.
FIG3: dict[int, tuple[tuple[int, int, float], ...]] = {
    4672: (
        *((1, 23, 51.11), (2, 16, 53.28), (3, 13, 55.09), (5, 10, 56.28), (6, 9, 57.22)),
        *((12, 6, 60.31), (28, 3, 63.21), (40, 2, 63.89), (64, 1, 63.07)),
    ),
    17536: (
        *((1, 44, 61.10), (2, 31, 61.70), (4, 22, 63.05), (12, 12, 65.05), (14, 11, 65.36), (23, 8, 66.59)),
        *((28, 7, 67.04), (41, 5, 67.93), (64, 3, 68.08), (85, 2, 68.13), (128, 1, 67.13)),
    ),
}
# (L, M) of the first stage, where the paper uses it; all have 3x3 kernels.
PUBLISHED = (
    *((24, 2, "CIFAR"), (4, 8, "CIFAR"), (16, 32, "CIFAR, large"), (32, 26, "CIFAR, large"), (450, 2, "CIFAR, large")),
    *((4, 32, "ImageNet"), (16, 16, "ImageNet"), (100, 2, "ImageNet"), (28, 3, "Fig. 3"), (41, 5, "Fig. 3")),
)


def formula(L: Integers, M: Integers, S: int) -> Integers:
    """Weights of an IGC block, equation (7) of the paper: L spatial kernels M x M x S and M pointwise ones L x L."""
    return L * M * M * S + M * L * L


def width_bound(T: float, S: int) -> float:
    """Channels that no IGC block with T weights and S taps exceeds, equations (10) to (15) of the paper.

    >>> round(width_bound(4672, 9), 2)
    84.64
    """
    return math.pow(T / (2 * math.sqrt(S)), 2 / 3)


def closed_form(T: float, S: int) -> tuple[float, float]:
    """Real (L, M) of the widest block: T = 2 M^3 S^2 where L = M S."""
    M = math.pow(T / (2 * S * S), 1 / 3)
    return M * S, M


def wider_than_regular(L: int, M: int, S: int) -> bool:
    """Whether L * M exceeds the width of a regular convolution of equal weights: L / (L - 1) < M S and L > 1.

    Multiplied by L - 1, so that L = 1 needs no case of its own.
    """
    return L < M * S * (L - 1)


def corner_cases(S: int, up_to: int) -> list[tuple[int, int]]:
    """(L, M) with 1 < L, both at most `up_to`, that are no wider than a regular convolution; none from S = 3 on."""
    sizes = range(1, up_to + 1)
    return [(L, M) for L in sizes[1:] for M in sizes if not wider_than_regular(L, M, S)]


def count_convolutions(grouping: Grouping, width: int, S: int, size: Size = MAP) -> Cost:
    """MACs and weights of the convolutions of one block at stride 1, from its plan; S is the square of the kernel."""
    block = BasicBlock(grouping=grouping, kernel=math.isqrt(S), residual=False)
    layers = block.layers(width, width, 1, size, "relu")
    costs = [layer_cost(layer) for layer in layers if isinstance(layer, Convolution)]
    return Cost(sum(cost.macs for cost in costs), sum(cost.params for cost in costs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """An IGC block, with weights and MACs (on a map of size MAP) counted from its plan."""

    L: int
    M: int
    S: int
    params: int
    macs: int

    @property
    def width(self) -> int:
        """G, channels."""
        return self.L * self.M


def configuration(L: int, M: int, S: int) -> Configuration:
    """The block with these partitions, counted."""
    cost = count_convolutions(Interleaved(L=L, M=M), L * M, S)
    return Configuration(L=L, M=M, S=S, params=cost.params, macs=cost.macs)


def frontier(T: int, S: int) -> Integers:
    """The largest L for each M = 1, 2, ... such that the block has at most T weights; exact, by integer roots."""
    if T < S + 1:
        raise BudgetError(f"no block with kernel area {S} has {T} parameters or fewer; the smallest has {S + 1}")
    if T > LARGEST_BUDGET:
        raise BudgetError(f"a budget of {T} parameters is too large to enumerate; at most {LARGEST_BUDGET}")
    most = (math.isqrt(1 + 4 * S * T) - 1) // (2 * S)  # the largest M beside L = 1, where T = M^2 S + M
    largest = [(math.isqrt(M**4 * S**2 + 4 * M * T) - M * M * S) // (2 * M) for M in range(1, most + 1)]
    return np.array(largest, dtype=np.int64)


def lattice(T: int, S: int) -> tuple[Integers, Integers]:
    """All (L, M) whose block has at most T weights, as two arrays of one length."""
    largest = frontier(T, S)
    M = np.repeat(np.arange(1, len(largest) + 1), largest)
    L = np.concatenate([np.arange(1, top + 1) for top in largest])
    return L, M


def widest(T: int, S: int) -> Configuration:
    """The widest block of at most T weights; of equally wide ones that with the fewest weights, then the smallest M."""
    L, M = lattice(T, S)
    first = np.lexsort((M, formula(L, M, S), -L * M))[0]
    return configuration(int(L[first]), int(M[first]), S)


def optimum(T: int, S: int) -> Row:
    """Widest integer block within a budget of T weights beside the closed form; widths are channels."""
    best, (L, M), bound = widest(T, S), closed_form(T, S), width_bound(T, S)
    closed = {"closed_L": L, "closed_M": M, "closed_width": L * M, "bound": bound}
    shares = {"percent_of_bound": 100 * best.width / bound, "L_over_MS": best.L / (best.M * S)}
    counts = {"L": best.L, "M": best.M, "width": best.width, "params": best.params, "macs_32x32": best.macs}
    return {"budget": T, "S": S, **counts, **closed, **shares, "regular_width": math.sqrt(T / S)}


def published(L: int, M: int, where: str) -> Row:
    """A block of the paper against the bound for its own weights, not for a nominal budget; widths are channels."""
    block = configuration(L, M, PAPER_KERNEL_AREA)
    bound = width_bound(block.params, block.S)
    names = {"network": f"IGC-{Interleaved(L=L, M=M).label()}", "where": where}
    counts = {"width": block.width, "params": block.params, "bound": bound}
    shares = {"percent_of_bound": 100 * block.width / bound, "L_over_MS": L / (M * block.S)}
    wider = "yes" if wider_than_regular(L, M, block.S) else "no"
    return {**names, **counts, **shares, "regular_width": math.sqrt(block.params / block.S), "wider": wider}


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel of the figure: the widest block for each M, the blocks named on the axis, and the paper's accuracy.

    `accuracy` (percent) runs along `named`; it is empty where the paper has no points.
    """

    T: int
    S: int
    blocks: tuple[Configuration, ...]
    named: tuple[Configuration, ...]
    accuracy: tuple[float, ...]


def compute(T: int, S: int) -> Panel:
    """Blocks to draw: all M up to 64 of them, then evenly on a log axis; named are the paper's points or about ten."""
    largest = frontier(T, S)

    def pick(number: int) -> list[int]:
        return sorted(set(np.geomspace(1, len(largest), number).round().astype(int).tolist()))

    def blocks(chosen: list[int]) -> tuple[Configuration, ...]:
        return tuple(configuration(int(largest[M - 1]), M, S) for M in chosen)

    best = widest(T, S).M
    drawn = list(range(1, len(largest) + 1)) if len(largest) <= 64 else sorted({best, *pick(64)})
    points = FIG3.get(T, ()) if S == PAPER_KERNEL_AREA else ()
    named = tuple(configuration(L, M, S) for L, M, _ in points)
    if not points:  # names closer together than a thirtieth of the axis would overlap
        apart = math.log(len(largest)) / 30
        named = blocks(sorted({best, *(M for M in pick(10) if abs(math.log(M / best)) > apart)}))
    return Panel(T=T, S=S, blocks=blocks(drawn), named=named, accuracy=tuple(point[2] for point in points))


def draw(data: Panel, ax: Axes) -> None:
    """Width over (L, M), M on a falling log axis so that L grows to the right; accuracy on a second axis."""
    L, M = closed_form(data.T, data.S)
    regular = math.sqrt(data.T / data.S)
    kernel = math.isqrt(data.S)
    ax.axhline(L * M, color="black", linestyle="--", linewidth=1, label=r"bound on the width, $(T / 2\sqrt{S})^{2/3}$")
    ax.axhline(regular, color="0.4", linestyle=":", label=r"regular convolution of as many parameters, $\sqrt{T / S}$")
    drawn_M, widths = [b.M for b in data.blocks], [b.width for b in data.blocks]
    ax.plot(drawn_M, widths, ".-", color=BLUE, linewidth=1.2, label=FRONTIER_LABEL)
    ax.plot([M], [L * M], "*", color="#E69F00", markersize=18, zorder=1, label="closed form, $L = M S$")
    if data.accuracy:
        named_M = [b.M for b in data.named]
        named_widths = [b.width for b in data.named]
        ax.plot(named_M, named_widths, "s", color=BLUE, markersize=8, fillstyle="none", label=PAPER_LABEL)
        right = ax.twinx()
        right.plot(named_M, data.accuracy, "^-", color=VERMILION, linewidth=1, label=ACCURACY_LABEL)
        low, high = min(data.accuracy), max(data.accuracy)
        right.set_ylim(low - 0.06 * (high - low), high + 0.3 * (high - low))  # below the widths, which it would hide
        right.set_ylabel("CIFAR-100 test accuracy, percent", color=VERMILION)
        right.tick_params(axis="y", colors=VERMILION)
    ax.set_xscale("log")
    ax.invert_xaxis()
    ax.set_xticks([], minor=True)
    names = [f"({b.L}, {b.M})  {b.params:,}" for b in data.named]
    ax.set_xticks([b.M for b in data.named], names, rotation=90, fontsize=8)
    ax.set_xlabel("(L, M) and its real parameters; M falls on a log axis")
    ax.set_ylabel("width G = L M, channels", color=BLUE)
    ax.set_ylim(0, 1.1 * max(L * M, regular))
    ax.set_title(f"T = {data.T:,} parameters, {kernel}x{kernel} kernel (S = {data.S})", fontsize=11)


def figure(panels: Sequence[Panel], columns: int) -> Figure:
    """Panels row by row under one title, with one legend for all."""
    rows = -(-len(panels) // columns)
    page = Figure(figsize=(6.5 * columns, 4.6 * rows + 1.2), layout="constrained")
    for number, panel in enumerate(panels, start=1):
        draw(panel, page.add_subplot(rows, columns, number))
    page.suptitle("Widest interleaved group convolution block of T parameters: integers against the closed form")
    entries: dict[str, Artist] = {}
    for ax in page.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    page.legend(
        list(entries.values()), list(entries), loc="outside lower center", ncols=min(3, 1 + columns), fontsize=9
    )
    return page


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
    options = _parse(arguments)
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
