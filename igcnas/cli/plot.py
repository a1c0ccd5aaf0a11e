"""igcnas plot: the Pareto front as a picture, and all networks as a table."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from igcnas.cli.common import add_study_argument, study_folder

if TYPE_CHECKING:
    from igcnas.search.study import Study


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "plot",
        help="draw the Pareto front of a study and write its table",
        description="Writes pareto.png, pareto.svg and trials.csv into the folder of the study; works while it runs.",
    )
    add_study_argument(parser)
    parser.set_defaults(run=run, unread="the files are still written")


def run(arguments: argparse.Namespace) -> int:
    """Write the files."""
    from igcnas.search.study import Study

    for path in write(Study.read(study_folder(arguments))):
        print(path)
    return 0


def write(study: Study) -> list[Path]:
    """pareto.png, pareto.svg and trials.csv of a study; their paths."""
    from igcnas.results.figures import save_front
    from igcnas.search.records import to_frame
    from igcnas.system.files import write_text
    from igcnas.system.harmless import cells

    table = study.folder / "trials.csv"
    frame = to_frame(study.records, study.parameters, measure=study.measure, images=study.images)
    write_text(table, cells(frame).to_csv(index=False, lineterminator="\n"))
    pictures = save_front(study.folder / "pareto.png", study.records, study.settings, title=study.folder.name)
    return [*pictures, table]
