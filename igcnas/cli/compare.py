"""igcnas compare: studies beside each other, with tests between searches that were repeated."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from igcnas.cli.common import add_studies_dir
from igcnas.errors import IgcnasError

if TYPE_CHECKING:
    from igcnas.results.comparison import Comparison
    from igcnas.search.study import Study

EPILOG = """Studies that differ in nothing but their seed are repeats of one method; what is tested is the method.

examples:
  %(prog)s mine theirs
  %(prog)s studies/gp-* studies/random-* --out comparison
  %(prog)s a-0 a-1 b-0 b-1 --group old=a-0,a-1 --group new=b-0,b-1
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "compare",
        help="set studies beside each other: fronts, hypervolume, tests between repeated searches",
        description="Fronts on one axis, hypervolume over networks and over seconds, and, where searches were repeated "
        "with other seeds, tests between the methods. Writes compare.md, compare.csv, compare.png and compare.svg. "
        "Studies whose data, training or objective differ are refused. See docs/compare.md.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("studies", metavar="NAME", nargs="+", help="names of studies, or paths of their folders; two or more")
    add_studies_dir(parser)
    add(
        "--group",
        action="append",
        default=[],
        metavar="METHOD=NAME,NAME",
        help="take these studies for repeats of one method; by default those that differ in their seed alone",
    )
    add(
        "--reference",
        type=float,
        metavar="PERCENT",
        help="accuracy above which hypervolume is counted (default: what every search reaches with a quarter of the "
        "budget, rounded down to a multiple of 5)",
    )
    add(
        "--apart",
        action="store_true",
        help="draw studies that judge networks differently in rows of their own, without any difference between them",
    )
    add(
        "--out", type=Path, default=Path("comparison"), metavar="DIR", help="folder of the files (default: %(default)s)"
    )
    add("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run, unread="the files are still written")


def run(arguments: argparse.Namespace) -> int:
    """Compare, write, print."""
    if arguments.reference is not None and not 0 <= arguments.reference < 100:
        raise IgcnasError(f"--reference {arguments.reference:g} must be an accuracy in percent, from 0 to below 100")
    groups = _groups(arguments.group)
    searches = _searches(arguments)
    from igcnas.results.comparison import by_settings, compare, given, panels

    methods = given(searches, groups) if groups else by_settings(searches)
    parted = panels(methods, apart=arguments.apart)
    found = [compare(panel, reference_accuracy=arguments.reference) for panel in parted]
    files = _write(arguments.out, found, " and ".join(method.name for method in methods))
    if arguments.json:
        from igcnas.results.comparison.table import plain

        data = {"panels": [plain(one) for one in found], "files": [str(path) for path in files]}
        print(json.dumps(data))
        return 0
    from igcnas.results.comparison.table import text

    print("\n\n".join(text(one) for one in found))
    if len(found) > 1:
        print("\nThese parts judge networks differently: no number of one says anything about another.")
    print()
    for path in files:
        print(path)
    return 0


def _groups(words: list[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for word in words:
        method, separator, names = word.partition("=")
        listed = [name for name in names.split(",") if name]
        if not separator or not method or not listed:
            raise IgcnasError(f"--group {word!r} must be METHOD=NAME,NAME, as in new=mine-0,mine-1")
        if method in groups:
            raise IgcnasError(f"--group {method!r} is given twice; put all its studies into one")
        groups[method] = listed
    return groups


def _searches(arguments: argparse.Namespace) -> list[Study]:
    from igcnas.search.folder import find_study

    folders = [find_study(name, arguments.studies_dir) for name in arguments.studies]
    if len(folders) < 2:
        raise IgcnasError(f"only {arguments.studies[0]!r} is given; name two studies or more")
    names: dict[str, Path] = {}
    for folder in folders:
        real = folder.resolve()
        if real.name in names:
            again = "is given twice" if names[real.name] == real else f"is also {names[real.name]}"
            raise IgcnasError(f"study {real.name!r} {again}; studies are told apart by the names of their folders")
        names[real.name] = real
    from igcnas.search.study import Study

    return [Study.read(folder) for folder in folders]


def _write(folder: Path, found: list[Comparison], title: str) -> list[Path]:
    from igcnas.results.comparison.figure import save
    from igcnas.results.comparison.table import comma_separated, markdown
    from igcnas.system.files import make_folder, write_text

    make_folder(folder, advice="give another --out")
    words, table = folder / "compare.md", folder / "compare.csv"
    parts = [f"# Comparison: {title}", *(markdown(one) for one in found)]
    if len(found) > 1:
        parts.append("The parts judge networks differently: no number of one says anything about another.\n")
    write_text(words, "\n\n".join(parts))
    write_text(table, comma_separated(found))
    pictures = save(folder / "compare.png", found, title=f"Comparison: {title}")
    return [words, table, *pictures]
