"""Print the plan of the house: its rooms in the order of imports, and the files that import each other in a circle.

    python -m tools.house --picture house.svg
    python -m tools.house --root ../before --json

Nothing is run: imports are read from the code, also those inside functions and for the type checker alone.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from tools.house.picture import picture
from tools.house.rooms import Room, indoors, rooms, upward
from tools.imports import FOLDERS, ROOT, circles, imports, imports_of, modules


def table(found: Sequence[Room]) -> str:
    """The rooms as a table of Markdown."""
    head = ["| room | files | lines | imports |", "|---|---:|---:|---|"]
    return "\n".join(
        [*head, *(f"| {room.name} | {room.files} | {room.lines:,} | {_imports(room)} |" for room in found)]
    )


def summary(found: Sequence[Room]) -> str:
    """What there is of igcnas, in one line."""
    inside = indoors(list(found))
    arrows = sum(len(room.imports) for room in inside)
    return (
        f"igcnas: {len(inside)} rooms, {sum(room.files for room in inside)} files, "
        f"{sum(room.lines for room in inside):,} lines, {arrows} arrows between rooms, "
        f"{len(upward(inside))} of them against the order"
    )


def circle_text(circle: Sequence[str], found: Mapping[str, Path]) -> str:
    """A circle as its imports, each with its line and what kind it is."""
    lines = [f"{len(circle)} files in a circle:"]
    for name in circle:
        for imported in imports_of(name, found):
            if imported.module in circle:
                kinds = [word for word, is_so in (("late", imported.late), ("typing", imported.typing)) if is_so]
                lines.append(
                    f"- {name}:{imported.line} imports {imported.module}" + f" ({', '.join(kinds)})" * bool(kinds)
                )
    return "\n".join(lines)


def main() -> None:
    """The table, the circles, and the picture."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.house", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, default=ROOT, metavar="FOLDER", help="the tree (default: this one)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--picture", type=Path, metavar="FILE.svg", help="draw the rooms of igcnas")
    arguments = parser.parse_args()
    found = modules(arguments.root, (*FOLDERS, "tests"))
    graph = imports(found)
    all_rooms, all_circles = rooms(found, graph), circles(graph)
    if arguments.json:
        print(json.dumps({"rooms": [asdict(room) for room in all_rooms], "circles": all_circles}, indent=1))
    else:
        texts = [summary(all_rooms), table(all_rooms), *(circle_text(circle, found) for circle in all_circles)]
        print("\n\n".join(texts if all_circles else [*texts, "No circle between files."]))
    if arguments.picture is not None:
        arguments.picture.write_text(picture(indoors(all_rooms), summary(all_rooms)), encoding="utf-8")


def _imports(room: Room) -> str:
    return ", ".join(name.removeprefix("igcnas.") for name in room.imports)


if __name__ == "__main__":
    main()
