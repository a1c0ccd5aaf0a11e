"""Inputs in a process of their own, which may crash, hang or ask for too much memory without ending the whole.

The child says on a pipe which input it begins; where it dies, that input is counted, and another child goes on behind
it. An input has SECONDS, and MEMORY beyond what the child has when its readers are loaded.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from igcnas.errors import IgcnasError

if TYPE_CHECKING:
    from benchmarks.fuzz.targets import Targets

SECONDS, MEMORY = 20.0, 1 << 30


@dataclass(slots=True)
class Outcome:
    """Inputs tried, refused and read of each target; what was unhandled, by place, with the first input of each."""

    tried: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    unhandled: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, number: int, place: str | None) -> None:
        """One input: place None where it was read, '' where it was refused, else where it was not handled."""
        self.tried[name] += 1
        self.refused[name] += place == ""
        if place:
            self.unhandled[place] += 1
            self.first.setdefault(place, f"{name}:{number}")


def fuzz(*, inputs: int, seed: int, seconds: float, only: str | None = None) -> Outcome:
    """Try so many inputs, each reader in turn, until the time is over."""
    outcome, start, number = Outcome(), time.monotonic(), 0
    context = multiprocessing.get_context("spawn")
    while number < inputs and time.monotonic() - start < seconds:
        here, there = context.Pipe(duplex=False)
        left = seconds - (time.monotonic() - start)
        child = context.Process(target=_child, args=(there, seed, range(number, inputs), left, only), daemon=True)
        child.start()
        there.close()
        last = follow(here, child, outcome)
        if last is None:
            break
        number = last[1] + 1
    return outcome


def follow(here: Connection, child: BaseProcess, outcome: Outcome) -> tuple[str, int] | None:
    """Hear a child until it ends; the input that it died of, None where it came to its end."""
    name, number = "", -1
    try:
        while True:
            if name and not here.poll(2 * SECONDS):  # its alarm did not help: it is within C
                child.kill()
                outcome.add(name, number, f"{name}: no answer within {2 * SECONDS:g} s")
                break
            message = here.recv()
            if message is None:
                name = ""
                break
            name, number, done, place = message
            if done:
                outcome.add(name, number, place)
    except EOFError:
        child.join()
        if not name:
            raise RuntimeError("the readers cannot be loaded; see above") from None
        outcome.add(name, number, f"{name}: the process ended with {child.exitcode}")
    child.join()
    return (name, number) if name else None


def _child(there: Connection, seed: int, numbers: range, seconds: float, only: str | None) -> None:
    from benchmarks.fuzz.targets import Targets

    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["IGCNAS_CACHE"] = os.path.join(folder, "cache")
        targets = Targets(Path(folder) / "corpus")
        _limit_memory()
        names = [only] if only else targets.cycle
        try_inputs(there, targets, names, seed=seed, numbers=numbers, seconds=seconds)


def try_inputs(
    there: Connection, targets: Targets, names: Sequence[str], *, seed: int, numbers: range, seconds: float
) -> None:
    """Try the inputs of these numbers; say on the pipe which one begins, and what became of it."""
    start = time.monotonic()
    signal.signal(signal.SIGALRM, _late)
    for number in numbers:
        if time.monotonic() - start > seconds:
            break
        name = names[number % len(names)]
        there.send((name, number, False, None))
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        place: str | None = None
        try:
            targets.all[name](Random(f"{seed}/{number}"))
        except IgcnasError:
            place = ""
        except SystemExit as end:
            place = "" if end.code in (0, 2) else f"{name}: exit {end.code}"
        except BaseException as error:  # whatever it is, it was not handled: that is what is looked for
            place = _place(error)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        there.send((name, number, True, place))
    there.send(None)


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _late(*_: object) -> None:
    raise TimeoutError(f"more than {SECONDS:g} s")


def _place(error: BaseException) -> str:
    """The innermost line of igcnas, and the exception."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if f"{os.sep}igcnas{os.sep}" in frame.filename] or frames
    where = ours[-1]
    file = where.filename.rpartition(f"{os.sep}igcnas{os.sep}")[2]
    return f"{file}:{where.lineno} {type(error).__name__}: {ascii(str(error))[:100]}"
