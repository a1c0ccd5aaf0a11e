"""What several commands share."""

from __future__ import annotations

import argparse
import math
import shlex
import sys
from pathlib import Path
from typing import Any, NoReturn

from igcnas import bounds, names
from igcnas.checks import shown
from igcnas.errors import IgcnasError, unknown_name
from igcnas.harmless import line
from igcnas.units import duration as duration
from igcnas.units import mega as mega

STUDIES = Path("studies")


# The most that an option may ask for, whatever the command; each command has its own least.
_MOST = {
    "networks": bounds.NETWORKS,
    "seeds": 10_000,
    "repeats": bounds.NETWORKS,
    "top": bounds.NETWORKS,
    "trial": bounds.NETWORKS,
    "stage": bounds.STAGES,
    "bands": 1000,
    "epochs": bounds.EPOCHS,
    "min_epochs": bounds.EPOCHS,
    "batch_size": bounds.BATCH,
    "image_size": bounds.WIDTH_PIXELS,
    "workers": bounds.WORKERS,
    "port": 65535,
    "seed": bounds.SEED,
    "budget_mflops": bounds.MACS / 1e6,
    "memory_limit_gb": 1e6,
}
_LEAST = {"budget_mflops": 1e-6, "seed": 0}  # one multiply-accumulate
_FOREVER = ("checkpoint_seconds",)  # may be infinite


def check_numbers(arguments: argparse.Namespace) -> None:
    """Refuse a number that no command can mean, in one line, before anything is done with it."""
    for name, value in vars(arguments).items():
        if name == "workers" and isinstance(value, str) and value.isdecimal():
            value = int(value[: bounds.DIGITS])
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        option = f"--{name.replace('_', '-')}"
        if math.isnan(value) or (value == math.inf and name not in _FOREVER):
            raise IgcnasError(f"{option} {value:g} must be a finite number")
        if value > _MOST.get(name, math.inf):
            raise IgcnasError(f"{option} {shown(value)} must be at most {_number(_MOST[name])}")
        if 0 < value < _LEAST.get(name, 0) or (name == "seed" and value < 0):
            raise IgcnasError(f"{option} {shown(value)} must be at least {_LEAST[name]:g}")


def _number(value: float) -> str:
    """A whole number with all of its digits, so that it can be taken as it stands."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.12g}"


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, like all others."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """A command or a value that is not among the choices: with the nearest one, as all unknown names."""
        if action.choices is not None and value not in action.choices:
            what = "command" if isinstance(action, argparse._SubParsersAction) else f"value of {_name(action)}"
            raise argparse.ArgumentError(None, unknown_name(what, str(value), map(str, action.choices)))

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        self.exit(2, f"error: {line(message)}; see {self.prog} --help\n")


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
