"""What several commands share."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import NoReturn

from igcnas import names
from igcnas.units import duration as duration
from igcnas.units import mega as mega

STUDIES = Path("studies")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, like all others."""

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def add_study_argument(parser: argparse.ArgumentParser) -> None:
    """A study by name, and where studies are."""
    parser.add_argument("study", metavar="NAME", help="name of a study, or the path of its folder")
    add_studies_dir(parser)


def add_studies_dir(parser: argparse.ArgumentParser) -> None:
    """Where studies are."""
    parser.add_argument(
        "--studies-dir", type=Path, default=STUDIES, metavar="DIR", help="folder of all studies (default: %(default)s)"
    )


def study_folder(arguments: argparse.Namespace) -> Path:
    """Folder of the study that was named."""
    from igcnas.study import find_study

    return find_study(arguments.study, arguments.studies_dir)


def study_to_search(name: str | None, usual: str, studies: Path) -> Path:
    """Folder of the study that a search makes or goes on with. A new name is checked; one that is there opens."""
    if name is None:
        return studies / usual
    if names.stays_inside(name) and is_file(studies / name / "settings.json"):
        return studies / name
    return studies / names.new_name(name, option="--study", elsewhere="choose where it lies with --studies-dir")


def is_file(path: Path) -> bool:
    """Whether a file is there; False also where the system cannot tell, as of a name that is too long."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def command_line() -> str:
    """How this program was called, to call it again."""
    if sys.argv[0].endswith("__main__.py"):
        return shlex.join(["python", "-m", "igcnas", *sys.argv[1:]])
    return shlex.join(["python", *sys.argv] if sys.argv[0].endswith(".py") else sys.argv)
