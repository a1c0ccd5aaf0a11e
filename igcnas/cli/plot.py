"""igcnas plot: the Pareto front as a picture, and all networks as a table."""

from __future__ import annotations

import argparse
from pathlib import Path

from igcnas.cli.common import add_study_argument, study_folder


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
    for path in write(study_folder(arguments)):
        print(path)
    return 0


def write(folder: Path) -> list[Path]:
    """pareto.png, pareto.svg and trials.csv of a study; their paths."""
    from igcnas.results.figures import save_front
    from igcnas.search.records import records, to_frame
    from igcnas.search.study import StudySettings, open_study
    from igcnas.system.files import write_text
    from igcnas.system.harmless import cells

    settings = StudySettings.read(folder)
    study = open_study(folder)
    every = records(study)
    table = folder / "trials.csv"
    parameters = {trial.number: trial.params for trial in study.get_trials(deepcopy=False)}
    write_text(table, cells(to_frame(every, parameters)).to_csv(index=False, lineterminator="\n"))
    pictures = save_front(folder / "pareto.png", every, settings, title=folder.name)
    return [*pictures, table]
