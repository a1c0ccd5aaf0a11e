"""What several commands share."""

from __future__ import annotations

import argparse
import math
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from igcnas.cli.engine import engine_in_words
from igcnas.errors import IgcnasError, unknown_name
from igcnas.network.budget import LIMITS, TIME
from igcnas.system import bounds, folders, names
from igcnas.system.checks import shown
from igcnas.system.harmless import line
from igcnas.system.program import Terminated
from igcnas.units import duration as duration
from igcnas.units import mega as mega

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
    "memory_limit_gb": 1e6,
    **{f"budget_{limit.option}": bounds.MACS / limit.size for limit in (*LIMITS.values(), TIME)},
}
_LEAST = {**{f"budget_{limit.option}": 1 / limit.size for limit in (*LIMITS.values(), TIME)}, "seed": 0}
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
        "--studies-dir",
        type=Path,
        default=folders.studies(),
        metavar="DIR",
        help="folder of all studies (default: that of the environment variable IGCNAS_STUDIES, else studies; now "
        "%(default)s)",
    )
    parser.add_argument(
        "--storage",
        metavar="URL",
        help="the PostgreSQL server that has the records of the study, postgresql://USER@HOST/DATABASE; its password "
        "is better in PGPASSWORD or ~/.pgpass (default: that of the environment variable IGCNAS_STORAGE, else as the "
        "study was begun, else a file in its folder)",
    )


@contextmanager
def using_storage(arguments: argparse.Namespace) -> Iterator[None]:
    """Let this process, and those that it starts meanwhile, find the studies of --storage."""
    from igcnas.search.database.address import VARIABLE, Address

    url, before = getattr(arguments, "storage", None), os.environ.get(VARIABLE)
    if url is None:
        yield
        return
    Address.read(url)  # refused now, if it is none
    os.environ[VARIABLE] = url
    try:
        yield
    finally:
        os.environ.pop(VARIABLE)
        os.environ.update({} if before is None else {VARIABLE: before})


def study_folder(arguments: argparse.Namespace) -> Path:
    """Folder of the study that was named."""
    from igcnas.search.folder import find_study

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
    """How this program was called, to call it again; without passwords."""
    from igcnas.search.database.address import redacted

    name, *words = sys.argv
    program = ["python", "-m", "igcnas"] if name.endswith("__main__.py") else [name]
    program = ["python", name] if name.endswith(".py") and not name.endswith("__main__.py") else program
    return shlex.join([*program, *map(redacted, words)])


def recorded(
    folder: Path, *, devices: Sequence[str], workers: int = 1, engine: str, elsewhere: Iterable[str] = ()
) -> AbstractContextManager[None]:
    """For the time of the trainings. devices: as --device takes them. elsewhere: names of those on other machines."""
    from igcnas.search import provenance

    names, words = dict.fromkeys(elsewhere or ("cpu",)), engine
    if set(devices) - {"cpu"}:  # else torch, which takes a second to be imported, need not be asked
        from igcnas.training.device import describe, resolve_device

        found = [resolve_device(device) for device in devices]
        names, words = dict.fromkeys(map(describe, found)), engine_in_words(engine, found)
    return provenance.recorded(folder, command=command_line(), devices=tuple(names), workers=workers, engine=words)


_SIGNALS = tuple(
    found for name in ("SIGINT", "SIGTERM", "SIGHUP") if (found := getattr(signal, name, None)) is not None
)


class Stop:
    """Set by a signal, asked where it is safe to stop; a second one does not wait.

    patience, in seconds: a second signal so soon is the first one, passed on by a launcher that the terminal told, too.
    In a thread no signal arrives, and nothing is held.
    """

    def __init__(self, *, patience: float = 0.0) -> None:
        self.asked = False
        self._patience, self._since, self._number = patience, 0.0, signal.SIGINT
        self._held, self._answered = True, False

    def __call__(self) -> bool:
        """Whether someone asked to stop."""
        return self.asked

    @property
    def status(self) -> int:
        """Exit status of a program that was stopped so: 130 by Ctrl-C, 143 by SIGTERM. Who reads it has stopped."""
        self._answered = True
        return 128 + self._number

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """For work that loses nothing where it is cut off: a signal, also an earlier one, is KeyboardInterrupt."""
        self._held = False
        try:
            if self.asked:
                raise self._interrupt()
            yield
        finally:
            self._held = True

    def __enter__(self) -> Stop:
        self._before = {}
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                before = signal.getsignal(number)
                if number == getattr(signal, "SIGHUP", None) and before is signal.SIG_IGN:  # nohup
                    continue
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self.asked and kind is None and not self._answered:
            raise self._interrupt()  # it came where nothing asked any more; it is not swallowed

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        again = self.asked and time.monotonic() - self._since >= self._patience
        if not self.asked:
            self.asked, self._since, self._number = True, time.monotonic(), signal.Signals(number)
        if again or not self._held:
            raise self._interrupt()

    def _interrupt(self) -> KeyboardInterrupt:
        return KeyboardInterrupt() if self._number == signal.SIGINT else Terminated()
