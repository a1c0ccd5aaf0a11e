"""What several commands share."""

from __future__ import annotations

import argparse
import math
import shlex
import sys
from pathlib import Path
from typing import NoReturn

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
    given = Path(arguments.study)
    return given if (given / "settings.json").is_file() else arguments.studies_dir / arguments.study


def mega(macs: float) -> str:
    """MACs in millions, with three significant digits, as papers print them."""
    return f"{macs / 1e6:.3g}"


def duration(seconds: float) -> str:
    """A time that people say: 40 s, 3 min, 2 h 10 min."""
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def command_line() -> str:
    """How this program was called, to call it again."""
    if sys.argv[0].endswith("__main__.py"):
        return shlex.join(["python", "-m", "igcnas", *sys.argv[1:]])
    return shlex.join(["python", *sys.argv] if sys.argv[0].endswith(".py") else sys.argv)
