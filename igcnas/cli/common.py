"""What several commands share."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any, NoReturn

from igcnas.errors import unknown_name
from igcnas.units import duration as duration
from igcnas.units import mega as mega

STUDIES = Path("studies")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, like all others."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """A command or a value that is not among the choices: with the nearest one, as all unknown names."""
        if action.choices is not None and value not in action.choices:
            what = "command" if isinstance(action, argparse._SubParsersAction) else f"value of {_name(action)}"
            raise argparse.ArgumentError(None, unknown_name(what, str(value), map(str, action.choices)))

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def _name(action: argparse.Action) -> str:
    """An option or an argument as it is given."""
    return "/".join(action.option_strings) or str(action.metavar or action.dest)


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


def command_line() -> str:
    """How this program was called, to call it again."""
    if sys.argv[0].endswith("__main__.py"):
        return shlex.join(["python", "-m", "igcnas", *sys.argv[1:]])
    return shlex.join(["python", *sys.argv] if sys.argv[0].endswith(".py") else sys.argv)
