"""The training of an actor that trains nothing: it sleeps. Light, for a process for each of many workers."""

from __future__ import annotations

import time


class Sleeper:
    """An actor of Ray."""

    def ready(self) -> bool:
        """Whether it is there."""
        return True

    def train(self, seconds: float) -> tuple[float, float]:
        """Sleep; when it began and ended, on this machine's clock."""
        begin = time.time()
        time.sleep(seconds)
        return begin, time.time()
