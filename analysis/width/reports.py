"""What `python -m analysis.width_optimum` says of each block: tables, notes, a figure, and every integer block."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from igcnas.network.primitives import Size

from . import igcv2_rows, igcv3_rows, published
from .igcv2 import widest_of_any
from .igcv3 import Question
from .lattice import Row, corner_cases, lattice_rows, optimum, width_bound
from .subject import KINDS, Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Budgets as (number, 'params' or 'macs'), and what they are for; see the options of the command."""

    budgets: tuple[tuple[int, str], ...]
    kernel_areas: tuple[int, ...] = (9,)
    size: Size = (32, 32)
    stride: int = 1
    kind: str = "block"
    depth: int = 20
    expansions: tuple[int, ...] = igcv3_rows.EXPANSIONS
    paths: int = 1

    def cases(self) -> Iterator[tuple[int, int, str]]:
        """(S, budget, unit), kernel area by kernel area."""
        for S, (budget, unit) in itertools.product(self.kernel_areas, self.budgets):
            yield S, budget, unit

    def weights(self, budget: int, unit: str) -> int:
        """A budget in weights, for blocks all of whose kernels work on the map after the stride."""
        height, width = (-(-side // self.stride) for side in self.size)
        return budget if unit == "params" else budget // (height * width)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`name`: of the files; `tables`: rows by key, the first of which is written as CSV; `titles`: of these keys."""

    name: str
    titles: Mapping[str, str]
    tables: Mapping[str, Sequence[Row]]
    notes: tuple[str, ...]
    figure: Callable[[], Figure]
    every: Callable[[], Iterator[Row]]


def igcv1(request: Request) -> Report:
    """Every (L, M) against L = M S."""
    subject = Subject(size=request.size, stride=request.stride, kind=request.kind, depth=request.depth)
    cases = [(replace(subject, S=S), budget, unit) for S, budget, unit in request.cases()]

    def figure() -> Figure:
        from . import figure_igcv1

        panels = [figure_igcv1.compute(*case) for case in cases]
        return figure_igcv1.figure(panels, columns=min(2, len(request.budgets)))

    networks = [row for unit in ("params", "macs") for row in published.whole_networks(unit)]
    notes = ["No wider than a regular convolution of as many parameters: L = 1, and of L > 1 (L, M <= 64)"]
    for S in request.kernel_areas:
        found = corner_cases(S, up_to=64)
        words = f"{', '.join(map(str, found[:4]))} ... ({len(found)} in all)" if found else "none"
        notes.append(f"  S = {S}: {words}")
    return Report(
        name="width_optimum",
        titles={
            "optima": f"Widest integer (L, M) within the budget, counted for {KINDS[request.kind]};\n"
            "closed form and bound for the budget; widths in channels",
            "published": "Stages of the published networks (3x3); bound and regular width for their own parameters",
            "fig3": "Points of the paper's Fig. 3, each against the bound for its own parameters",
            "networks": "The published networks as a whole, against the widest that cost no more",
        },
        tables={
            "optima": [optimum(*case) for case in cases],
            "published": list(published.stages()),
            "fig3": list(published.fig3_rows()),
            "networks": networks,
        },
        notes=tuple(notes),
        figure=figure,
        every=lambda: itertools.chain.from_iterable(lattice_rows(*case) for case in cases),
    )


def igcv2(request: Request) -> Report:
    """Every product of sparse kernels against the balance condition."""
    cases = [(S, budget, unit, request.weights(budget, unit)) for S, budget, unit in request.cases()]
    widths: list[Row] = []
    for S, budget, unit, T in cases:
        rows = igcv2_rows.widths_for_budget(T, S, size=request.size, stride=request.stride)
        widest = igcv2_rows.best(rows)
        for row in rows:
            widths.append({**row, "budget": budget, "unit": unit, "widest": "yes" if row is widest else ""})
    notes = []
    for S, budget, unit, T in cases:
        paper, whole = widest_of_any(T, S)
        notes.append(
            f"S = {S}, {budget:,} {unit}: no number of kernels is wider than {whole:.2f}; "
            f"{paper:.2f} where a branch may have less than one channel"
        )

    def figure() -> Figure:
        from . import figure_igcv2

        S, *_, T = cases[0]
        return figure_igcv2.figure(T=T, S=S)

    return Report(
        name="width_igcv2",
        titles={
            "optima": "Widest product of n sparse kernels, one path a pair; bounds for the budget; widths in channels",
            "published": "The published network against products that connect every pair",
        },
        tables={"optima": widths, "published": list(igcv2_rows.published_rows())},
        notes=tuple(notes),
        figure=figure,
        every=lambda: itertools.chain.from_iterable(
            igcv2_rows.lattice_rows(T, S, size=request.size, stride=request.stride) for S, _, _, T in cases
        ),
    )


def igcv3(request: Request) -> Report:
    """Every (c, G1, G2) that connects all pairs against G1 = G2 = sqrt(t c)."""
    questions = [
        (Question(t=t, S=S, paths=request.paths, unit=unit, size=request.size, stride=request.stride), budget)
        for S, budget, unit in request.cases()
        for t in request.expansions
    ]

    def figure() -> Figure:
        from . import figure_igcv3

        return figure_igcv3.figure(*questions[0])

    return Report(
        name="width_igcv3",
        titles={
            "optima": f"Widest block that gives every pair {request.paths} or more paths; widths in channels",
            "published": "Published blocks (3x3, t = 6); bounds for their parameters, with their paths and with one",
        },
        tables={
            "optima": [igcv3_rows.optimum(question, budget) for question, budget in questions],
            "published": list(igcv3_rows.published_rows()),
        },
        notes=(),
        figure=figure,
        every=lambda: itertools.chain.from_iterable(
            igcv3_rows.lattice_rows(question, budget) for question, budget in questions
        ),
    )


def together(request: Request) -> Report:
    """The three blocks and the regular convolution, the widest of each within a budget of weights."""
    rows: list[Row] = []
    for S, budget, unit in request.cases():
        T = request.weights(budget, unit)
        product = igcv2_rows.best(igcv2_rows.widths_for_budget(T, S, size=request.size, stride=request.stride))
        first = optimum(Subject(S=S), T)
        columns: Row = {"budget": budget, "unit": unit, "S": S, "regular": math.isqrt(T // S)}
        columns |= {"igcv1": first["width"], "igcv1_bound": width_bound(T, S)}
        columns |= {"igcv2": product["width"], "K": product["K"], "igcv2_bound": widest_of_any(T, S)[1]}
        for t in (1, 6):
            question = Question(t=t, S=S, paths=request.paths, unit=unit, size=request.size, stride=request.stride)
            block = igcv3_rows.optimum(question, budget)
            columns |= {f"igcv3_t{t}": block["width"], f"igcv3_t{t}_bound": block["bound"]}
        rows.append(columns)

    def figure() -> Figure:
        from . import figure_blocks

        return figure_blocks.figure(S=request.kernel_areas[0])

    return Report(
        name="width_blocks",
        titles={"optima": "Widest integer block of each kind within the budget, and the bounds; widths in channels"},
        tables={"optima": rows},
        notes=(),
        figure=figure,
        every=lambda: iter(rows),
    )


BLOCKS: Mapping[str, Callable[[Request], Report]] = {
    "igcv1": igcv1,
    "igcv2": igcv2,
    "igcv3": igcv3,
    "all": together,
}
