"""Ctrl-C and SIGTERM, held until the work is where it can stop."""

from __future__ import annotations

import signal
import time
from types import FrameType


class Stop:
    """Set by Ctrl-C or SIGTERM, asked where it is safe to stop; a second Ctrl-C does not wait.

    patience, in seconds: a second signal so soon is the first one, passed on by a launcher that the terminal told, too.
    """

    def __init__(self, *, patience: float = 0.0) -> None:
        self.asked = False
        self._patience, self._since = patience, 0.0

    def __call__(self) -> bool:
        """Whether someone asked to stop."""
        return self.asked

    def __enter__(self) -> Stop:
        self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        if not self.asked:
            self.asked, self._since = True, time.monotonic()
        elif time.monotonic() - self._since >= self._patience:
            raise KeyboardInterrupt
