"""How far a trial is and how long it will take, in lines; on a terminal the last one is written over."""

from __future__ import annotations

import time
from typing import TextIO

from igcnas.cli.common import duration

_QUIET_SECONDS = 10.0  # between lines of a file


class Progress:
    """What runs now (`what`), of `total` trainings; networks cost about the same, so that the rest takes its share."""

    def __init__(self, output: TextIO, what: str, *, done: int, total: int) -> None:
        self.output, self.what, self.done, self.total = output, what, done, total
        self._first, self._began, self._said = done, time.monotonic(), time.monotonic()
        self._open = False

    def one(self, name: str) -> None:
        """One more training is done."""
        self.done += 1
        now = time.monotonic()
        each = (now - self._began) / (self.done - self._first)
        line = f"{self.what:<9} {self.done}/{self.total}  {name}  ({duration(each * (self.total - self.done))} left)"
        if self.output.isatty():
            self.output.write(f"\r\033[K{line}")
            self._open = True
        elif now - self._said >= _QUIET_SECONDS or self.done == self.total:
            self.output.write(line + "\n")
            self._said = now
        self.output.flush()

    def end(self) -> None:
        """Leave the line."""
        if self._open:
            self.output.write("\n")
            self.output.flush()
            self._open = False
