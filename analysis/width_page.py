"""The tables of docs/width.md, computed: each stands between `<!-- table NAME -->` and `<!-- end -->`.

    python -m analysis.width_page            write the tables into the page
    python -m analysis.width_page --check    exit with status 1 if they are not current

The words around them are written by hand; tests/test_width_page.py holds the numbers in them.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from igcnas.system import program
from igcnas.system.files import write_text

from .width import igcv2_rows, igcv3_rows, published
from .width.igcv3 import Question
from .width.lattice import FIG3, Row, optimum
from .width.reports import Request, together
from .width.subject import KINDS, Subject
from .width.tables import Columns, markdown

PAGE = Path(__file__).resolve().parent.parent / "docs" / "width.md"
_MARK = re.compile(r"<!-- table ([\w-]+) -->\n(.*?)<!-- end -->", re.DOTALL)
_BOUND: Columns = {"bound": "bound", "percent_of_bound": "% of bound"}


def _v1_optima() -> str:
    rows = [optimum(Subject(S=S), T) for S in (9, 25, 49) for T in FIG3]
    closed = {"closed_L": "real L", "closed_M": "real M"}
    columns = {"budget": "T", "S": "S", "L": "L", "M": "M", "width": "width", "params": "weights", **closed, **_BOUND}
    return markdown(rows, {**columns, "L_over_MS": "L / (M S)", "regular_width": "regular width"})


def _v1_subjects() -> str:
    """Best ratios in both units, from the laws of counted plans."""
    rows: list[Row] = []
    cases = [(kind, stride, 20) for kind in ("block", "norm", "widening") for stride in (1, 2)]
    cases += [("network", 1, depth) for depth in (8, 20, 38, 62, 98)]
    for kind, stride, depth in cases:
        subject = Subject(kind=kind, stride=stride, depth=depth)
        words = f"stride {stride}" if kind != "network" else f"depth {depth}"
        rows.append(
            {
                "what": f"{KINDS[kind]}; {words}",
                "params": subject.params.best_ratio / subject.S,
                "macs": subject.macs.best_ratio / subject.S,
            }
        )
    return markdown(
        rows, {"what": "budget for", "params": "best L / (M S), parameters", "macs": "best L / (M S), MACs"}
    )


def _v1_stages() -> str:
    columns = {"network": "network", "stage": "data, stage", "L": "L", "M": "M", "width": "width", "params": "weights"}
    shares = {"L_over_MS": "L / (M S)", "regular_width": "regular width"}
    return markdown(list(published.stages()), {**columns, **_BOUND, **shares})


def _v1_networks() -> str:
    rows: list[Row] = []
    for first, second in zip(published.whole_networks("params"), published.whole_networks("macs"), strict=True):
        row: Row = {"network": first["network"], "width": first["width"], "L_over_MS": first["L_over_MS"]}
        for unit, found in (("params", first), ("macs", second)):
            row |= {
                unit: found["cost"],
                f"{unit}_best": found["best_L_over_MS"],
                f"{unit}_share": found["percent_of_bound"],
                f"{unit}_widest": f"{found['widest_width']} ({found['widest']})",
            }
        rows.append(row)
    columns = {"network": "network", "width": "width", "L_over_MS": "L / (M S)"}
    for unit, word in (("params", "parameters"), ("macs", "MACs")):
        columns |= {unit: word, f"{unit}_best": "best L / (M S)", f"{unit}_share": "% of bound"}
        columns |= {f"{unit}_widest": f"widest in as many {word}"}
    return markdown(rows, columns)


def _v1_fig3() -> str:
    columns = {"network": "budget", "L": "L", "M": "M", "width": "width", "params": "weights", **_BOUND}
    return markdown(
        list(published.fig3_rows()),
        {**columns, "L_over_MS": "L / (M S)", "wider": "wider than regular", "accuracy": "CIFAR-100, %"},
    )


def _v2_kernels() -> str:
    rows = [row for C in (64, 256) for row in igcv2_rows.kernels_for_width(C, 9)]
    columns = {"C": "C", "kernels": "n", "paper_bound": "the paper's bound", "bound": "bound with K1 >= 1"}
    return markdown(
        rows, {**columns, "K": "best K", "params": "weights", "over_bound": "over the bound", "ways": "factorisations"}
    )


def _v2_widths() -> str:
    rows: list[Row] = []
    for T in FIG3:
        found = igcv2_rows.widths_for_budget(T, 9)
        widest = igcv2_rows.best(found)
        rows += [{**row, "widest": "widest" if row is widest else ""} for row in found]
    columns = {"budget": "T", "kernels": "n", "paper_bound": "the paper's bound", "bound": "bound with K1 >= 1"}
    return markdown(rows, {**columns, "width": "widest C", "K": "K", "params": "weights", "widest": ""})


def _v2_published() -> str:
    columns = {"stage": "stage", "C": "C", "K": "K", "params": "weights", "percent_of_pairs": "% of pairs connected"}
    strict = {"strict_K": "K of three kernels that connects all", "strict_params": "its weights"}
    bounds = {"bound": "bound, any number of kernels", "paper_bound": "the same, K1 below 1"}
    return markdown(list(igcv2_rows.published_rows()), {**columns, **strict, **bounds})


_V3: Columns = {"budget": "T", "t": "t", "width": "c", "hidden": "t c", "G1": "G1", "G2": "G2", "paths": "paths"}


def _v3_optima() -> str:
    rows = [igcv3_rows.optimum(Question(t=t), T) for T in (4752, 17536) for t in igcv3_rows.EXPANSIONS]
    return markdown(rows, {**_V3, "params": "weights", **_BOUND, "real_G1": "real G1 = G2"})


def _v3_stride() -> str:
    rows = [igcv3_rows.optimum(Question(t=t, unit="macs", stride=2), 4_752_000) for t in igcv3_rows.EXPANSIONS]
    return markdown(rows, {**_V3, "macs": "MACs", **_BOUND, "real_G1": "real G1", "real_G2": "real G2"})


def _v3_published() -> str:
    columns = {"network": "network", "c": "c", "G1": "G1", "G2": "G2", "params": "weights", "paths": "paths"}
    same = {"bound_same_paths": "bound, as many paths", "percent_same_paths": "% of it"}
    one = {"bound_one_path": "bound, one path", "percent_one_path": "% of it"}
    return markdown(list(igcv3_rows.published_rows()), {**columns, **same, **one})


def _blocks() -> str:
    budgets = tuple((T, "params") for T in (1000, *FIG3, 100_000))
    rows = together(Request(budgets=budgets)).tables["optima"]
    columns = {
        "budget": "T",
        "regular": "regular",
        "igcv1": "IGC V1",
        "igcv1_bound": "bound",
        "igcv2": "IGC V2",
        "K": "K",
    }
    third = {"igcv3_t1": "IGC V3, t = 1", "igcv3_t1_bound": "bound", "igcv3_t6": "IGC V3, t = 6"}
    return markdown(rows, {**columns, "igcv2_bound": "bound", **third, "igcv3_t6_bound": "bound"})


TABLES: dict[str, Callable[[], str]] = {
    "igcv1-optima": _v1_optima,
    "igcv1-subjects": _v1_subjects,
    "igcv1-stages": _v1_stages,
    "igcv1-networks": _v1_networks,
    "igcv1-fig3": _v1_fig3,
    "igcv2-kernels": _v2_kernels,
    "igcv2-widths": _v2_widths,
    "igcv2-published": _v2_published,
    "igcv3-optima": _v3_optima,
    "igcv3-stride": _v3_stride,
    "igcv3-published": _v3_published,
    "blocks": _blocks,
}


def filled(text: str) -> str:
    """The page with every table computed anew; ValueError for a table that is unknown or missing."""
    names = [found[1] for found in _MARK.finditer(text)]
    if sorted(names) != sorted(TABLES):
        raise ValueError(f"the page has the tables {sorted(names)}, not {sorted(TABLES)}")
    return _MARK.sub(lambda found: f"<!-- table {found[1]} -->\n\n{TABLES[found[1]]()}\n\n<!-- end -->", text)


def main(arguments: Sequence[str] | None = None, *, path: Path = PAGE) -> int:
    """Write the tables, or say whether they are current."""
    return program.run(lambda: _main(arguments, path), ends_process=arguments is None)


def _main(arguments: Sequence[str] | None, path: Path) -> int:
    parser = argparse.ArgumentParser(description="compute the tables of docs/width.md")
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 if the page is not current")
    options = parser.parse_args(arguments)
    if not path.is_file():
        parser.error(f"{path} is missing; run this in a checkout of the repository")
    before = path.read_text(encoding="utf-8")
    after = filled(before)
    if not options.check:
        write_text(path, after)
        print(path)
        return 0
    print(f"{path} is {'current' if before == after else 'not current; run python -m analysis.width_page'}")
    return 0 if before == after else 1


if __name__ == "__main__":
    raise SystemExit(main())
