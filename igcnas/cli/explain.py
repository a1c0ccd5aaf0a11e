"""igcnas explain: what a block is, what it costs, who meets whom in it, and its picture."""

from __future__ import annotations

import argparse
import json
import textwrap
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igcnas.drawing.explanation import KINDS, Explanation
from igcnas.errors import ArchitectureError, IgcnasError, unknown_name
from igcnas.network.paths import PathSummary, blocks_to_meet, summarize
from igcnas.results.table import Column, Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SMALL = 24
_LARGE = 128
_FORMATS = (".png", ".svg", ".pdf")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    known = "\n".join(f"  {kind.name:<12} {_defaults(kind.parameters)}" for kind in KINDS.values())
    parser = commands.add_parser(
        "explain",
        help="one block of the literature: layers, counts, paths between channels, picture",
        description="Says what a block consists of and costs, how many paths join its input and output channels, and "
        "draws it.",
        epilog=f"blocks and their parameters:\n{known}\n\nexample: igcnas explain igcv1 L=2 M=3 --out igcv1.svg",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", help="a block, see below")
    parser.add_argument("parameters", nargs="*", metavar="key=value", help="its parameters")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the picture (.png, .svg, .pdf; default explain-NAME.png)"
    )
    parser.add_argument("--no-picture", action="store_true", help="draw nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def _defaults(parameters: dict[str, Any]) -> str:
    return " ".join(
        f"{name}={'x'.join(map(str, value)) if isinstance(value, tuple) else str(value).lower()}"
        for name, value in parameters.items()
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the facts and draw the block."""
    if arguments.name not in KINDS:
        raise ArchitectureError(unknown_name("block", arguments.name, KINDS))
    out = arguments.out or Path(f"explain-{arguments.name}.png")
    if out.suffix.lower() not in _FORMATS:
        raise IgcnasError(f"{out} is no picture that can be written: its name must end with {', '.join(_FORMATS)}")
    block = KINDS[arguments.name].from_text(arguments.parameters)
    counts = block.counts()
    if not arguments.no_picture:
        from igcnas.drawing.canvas import save_scene
        from igcnas.drawing.explained import explained_scene

        save_scene(out, explained_scene(block))
    picture = None if arguments.no_picture else str(out)
    if arguments.json:
        print(json.dumps(_facts(arguments.name, block, counts) | {"picture": picture}))
        return 0
    print(_text(block, counts))
    if picture:
        print(f"\npicture: {picture}")
    return 0


def _facts(name: str, block: Explanation, counts: NDArray[np.int64]) -> dict[str, Any]:
    """What --json prints: the same as the text."""
    summary = summarize(counts)
    return {
        "block": name,
        "title": block.title,
        "what": block.what,
        "layers": block.rows(),
        "weights_per_position": block.weights,
        "params": block.cost.params,
        "macs": block.cost.macs,
        "paths": {
            "pairs": summary.pairs,
            "fewest": summary.fewest,
            "most": summary.most,
            "unconnected": summary.unconnected,
            "condition": summary.condition,
            "blocks_to_meet": _in_a_row(counts),
        },
        "path_counts": counts.tolist() if max(counts.shape) <= _LARGE else None,
        "formulas": list(block.formulas),
        "masks": {layer: [list(row) for row in mask] for layer, mask in block.masks.items()},
    }


def _text(block: Explanation, counts: NDArray[np.int64]) -> str:
    lines = [block.title, *textwrap.wrap(block.what, 100), ""]
    lines.append(Table.of(_LAYERS, block.rows()).text())
    lines += [
        "",
        f"weights per position {block.weights:,}; params with norms {block.cost.params:,}; MACs {block.cost.macs:,}",
        *(f"  {line}" for formula in block.formulas for line in _wrap(formula)),
        "",
        f"paths between channels: {_sentence(summarize(counts))}",
    ]
    if counts.shape[0] == counts.shape[1] and summarize(counts).unconnected:
        number = _in_a_row(counts)
        lines.append(
            f"  in a row, without shortcuts: {number} blocks connect every pair"
            if number
            else "  in a row, however many such blocks: some pairs never meet"
        )
    if max(counts.shape) <= _SMALL:
        lines += ["", *_matrix(counts)]
    return "\n".join(lines)


def _what(row: dict[str, Any]) -> str:
    return f"{row['kernel']}x{row['kernel']} convolution" if "kernel" in row else str(row["kind"])


def _channels(row: dict[str, Any]) -> str:
    return f"{row['in_channels']} -> {row['out_channels']}" if "kernel" in row else str(row.get("channels", ""))


_LAYERS = (
    Column.words("layer", itemgetter("name")),
    Column.words("what", _what),
    Column.words("channels", _channels),
    Column.numbers("groups", lambda row: row.get("groups", "")),
    Column.numbers("params", lambda row: f"{row['params']:,}" if row["params"] else ""),
    Column.numbers("MACs", lambda row: f"{row['macs']:,}" if row["macs"] else ""),
    Column.words("role", lambda row: row.get("role", "")),
)


def _wrap(formula: str) -> list[str]:
    return textwrap.wrap(formula, 110, subsequent_indent="    ")


def _sentence(summary: PathSummary) -> str:
    """The summary in words."""
    if summary.fewest == summary.most:
        each = f"exactly {summary.most} for each of {summary.pairs:,} pairs"
    else:
        each = f"{summary.fewest} to {summary.most} for {summary.pairs:,} pairs"
    conditions = {
        "strict": "strictly complementary",
        "loose": "loosely complementary",
        "incomplete": f"{summary.unconnected:,} pairs never meet: not complementary",
    }
    return f"{each}; {conditions[summary.condition]}"


def _in_a_row(counts: NDArray[np.int64]) -> int | None:
    """Blocks until every pair is connected; None where never, or where the width changes and none can follow."""
    return blocks_to_meet(counts) if counts.shape[0] == counts.shape[1] else None


def _matrix(counts: NDArray[np.int64]) -> list[str]:
    """The matrix with a row for each output channel; a dot for no path."""
    width = max(len(str(counts.max())), len(str(counts.shape[1] - 1))) + 1
    head = " out \\ in" + "".join(f"{i:>{width}}" for i in range(counts.shape[1]))
    return [head] + [
        f"{o:>9}" + "".join(f"{value or '.':>{width}}" for value in row) for o, row in enumerate(counts.tolist())
    ]
