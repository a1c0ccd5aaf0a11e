"""igcnas report: what a study found, on one page, with figures for papers."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from igcnas.cli.common import add_study_argument, study_folder

EPILOG = """examples:
  %(prog)s digits-all-0.2M
  %(prog)s digits-all-0.2M --out results.html --no-figures
  %(prog)s digits-all-0.2M --no-importance --json > report.json
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "report",
        help="write what a study found, and how far that can be believed, as one page",
        description="Writes report.html into the folder of the study, one file that needs no network: the verdict with "
        "its uncertainty, the front, baselines and random search beside the search, what mattered, audits, cost, "
        "provenance. Writes its figures as PNG and SVG into figures/. Works while the search runs. See docs/report.md.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_study_argument(parser)
    add = parser.add_argument
    add("--out", type=Path, metavar="FILE", help="the page (default: report.html in the folder of the study)")
    add("--no-figures", action="store_true", help="leave out figures/")
    add(
        "--no-importance",
        action="store_true",
        help="leave out what mattered, which takes up to a minute the first time",
    )
    add("--json", action="store_true", help="print every number as one JSON object, too")
    parser.set_defaults(run=run, unread="the files are still written")


def run(arguments: argparse.Namespace) -> int:
    """Compose; write; print the paths and the verdict."""
    from igcnas.results.plain import plain
    from igcnas.results.report.composing import composition, write_figures
    from igcnas.results.report.numbers.importance import takes_time
    from igcnas.results.report.page import render
    from igcnas.search.study import Study
    from igcnas.system.files import write_text

    folder = study_folder(arguments)
    study, importance = Study.read(folder), not arguments.no_importance
    if importance and takes_time(study):
        print(
            "analysing what mattered, once for these networks: up to a minute; --no-importance leaves it out",
            file=sys.stderr,
            flush=True,
        )
    found = composition(study, importance=importance)
    page = arguments.out or folder / "report.html"
    files = [page]
    write_text(page, render(found.report))
    if not arguments.no_figures:
        files += write_figures(found.drawings, folder / "figures")
    verdict = found.report.summary.paragraphs[0].replace("\u00a0", " ")
    if arguments.json:
        print(json.dumps({"study": folder.name, "sentence": verdict, **plain(found.numbers), "files": plain(files)}))
        return 0
    print(verdict)
    for path in files:
        print(f"wrote     {path}")
    print(
        "to share  the page names study, data, processor and versions, and no folders of this machine, which "
        "settings.json and runs.jsonl do",
        file=sys.stderr,
    )
    return 0
