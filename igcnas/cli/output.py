"""How much a long command says, and where else it goes: --quiet, --log-file.

Convention: what a command prints before it calls `begin_result` is progress, which a quiet one keeps to itself; what
follows is the result. Errors are always said. A log has all of it, each line with its time, whatever a terminal shows.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, cast

from igcnas.errors import MachineError
from igcnas.system import files, harmless, program


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """Define both options; the command must call `begin_result` before it prints its own."""
    parser.add_argument("--quiet", action="store_true", help="print the result and errors, but no plan and no progress")
    parser.add_argument(
        "--log-file",
        type=Path,
        metavar="FILE",
        help="append all that is said to this file, also what --quiet leaves out, each line with its time",
    )


@contextmanager
def arranged(arguments: argparse.Namespace, command: str) -> Iterator[None]:
    """Standard output and error as these arguments have it. command: how the program was called, for the log."""
    quiet, path = getattr(arguments, "quiet", False), getattr(arguments, "log_file", None)
    if os.environ.get("RANK", "0") != "0":  # of several processes under torchrun the first speaks
        path = None
    if not quiet and path is None:
        yield
        return
    log = None if path is None else Log(path)
    if log is not None:
        files.append(log.path, log.stamped(f"$ {command}"), lines=True)  # a log that cannot be written is refused here
    voice, before = _Voice(quiet=quiet, asked=quiet, log=log), (sys.stdout, sys.stderr)
    sys.stdout = cast(TextIO, Spoken(before[0], voice, hides=True))
    sys.stderr = cast(TextIO, Spoken(before[1], voice, hides=False))
    try:
        yield
    except BaseException as error:
        if log is not None and not isinstance(error, SystemExit):
            interrupted = isinstance(error, KeyboardInterrupt)
            log.add("stopped" if interrupted else f"error: {program.message(error)[1]}")
        raise
    finally:
        sys.stdout, sys.stderr = before


def begin_result() -> None:
    """From here on it is the result that is printed."""
    if isinstance(sys.stdout, Spoken):
        sys.stdout.voice.quiet = False


def end_result() -> None:
    """From here on it is progress again: a command goes on with another one."""
    if isinstance(sys.stdout, Spoken):
        sys.stdout.voice.quiet = sys.stdout.voice.asked


def tell(output: TextIO, text: str) -> None:
    """A line of progress to standard output or error, or to any other stream."""
    if isinstance(output, Spoken):
        output.tell(text)
    else:
        print(text, file=output, flush=True)


def log_alone(output: TextIO, text: str) -> None:
    """A line that a terminal is shown by other means."""
    if isinstance(output, Spoken) and output.voice.log is not None:
        output.voice.log.add(text)


def screen(output: TextIO) -> TextIO:
    """The stream itself, for a library that draws on it what no log wants."""
    return output.stream if isinstance(output, Spoken) else output


class Log:
    """Lines at the end of a file, each with its time. When the disk fails it, the command goes on without."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._works = True

    def add(self, text: str) -> None:
        """A line, or several."""
        if not self._works:
            return
        try:
            files.append(self.path, self.stamped(text), lines=True)
        except MachineError as error:
            self._works = False
            print(f"note: the log ends here: {error}", file=screen(sys.stderr), flush=True)

    @staticmethod
    def stamped(text: str) -> bytes:
        """As it stands in the file."""
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        return "".join(f"{now}  {harmless.line(one)}\n" for one in text.split("\n")).encode("utf-8", "backslashreplace")


@dataclass(slots=True, kw_only=True)
class _Voice:
    """What standard output and error share. quiet: now. asked: whether the command is to be quiet."""

    quiet: bool
    asked: bool
    log: Log | None


class Spoken:
    """A stream whose lines go to the log, too. hides: it says nothing while the command is quiet."""

    def __init__(self, stream: TextIO, voice: _Voice, *, hides: bool) -> None:
        self.stream, self.voice, self._hides = stream, voice, hides
        self._begun = ""  # of a line

    def write(self, text: str) -> int:
        """As of a stream."""
        *lines, self._begun = (self._begun + text).split("\n")
        if lines and self.voice.log is not None:
            self.voice.log.add("\n".join(lines))
        if not (self._hides and self.voice.quiet):
            self.stream.write(text)
        return len(text)

    def writelines(self, texts: Any) -> None:
        """As of a stream."""
        for text in texts:
            self.write(text)

    def tell(self, text: str) -> None:
        """A line of progress, which a quiet command tells the log alone, also on standard error."""
        if self.voice.quiet:
            log_alone(cast(TextIO, self), text)
        else:
            self.write(f"{text}\n")
            self.stream.flush()

    def isatty(self) -> bool:
        """Whether a bar may be drawn on it."""
        return not self.voice.quiet and self.stream.isatty()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)
