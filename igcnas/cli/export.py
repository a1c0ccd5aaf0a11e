"""igcnas export: one network of a study in files that other programs open."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from igcnas.cli.common import add_study_argument, study_folder
from igcnas.units import counted

if TYPE_CHECKING:
    from igcnas.search.study import Study


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "export",
        help="write the best network of a study as ONNX, safetensors, model.py, JSON and a card",
        description="Writes best/ (or trials/NUMBER/export/) in the folder of the study, checks that torch, ONNX "
        "Runtime and model.py agree, and reads the test split once.",
    )
    add_study_argument(parser)
    parser.add_argument("--trial", type=int, metavar="NUMBER", help="this network instead of the best (see trials.csv)")
    parser.set_defaults(run=run, unread="the export goes on")


def run(arguments: argparse.Namespace) -> int:
    """Export; print where to."""
    from igcnas.search.study import Study

    print(f"wrote     {write(Study.read(study_folder(arguments)), arguments.trial)}")
    return 0


def write(study: Study, number: int | None) -> Path:
    """Export the best network, or the one of this number; print how well it answers; the folder it went to."""
    from igcnas.results.best import export_of

    found = export_of(study, number)
    for name, difference in found.parity.items():
        print(f"parity    {name}: largest relative difference {difference:.1e}")
    for name, accuracy in found.accuracies.items():
        print(f"test      {name}: {accuracy:.2f} % of {counted(found.images, 'image')}")
    if found.always is not None:
        print(f"balance   {found.always}")
    return found.folder
