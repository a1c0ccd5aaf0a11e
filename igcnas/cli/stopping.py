"""Ctrl-C, SIGTERM and the end of the terminal (SIGHUP), held until the work is where it can stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from igcnas.program import Terminated

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
