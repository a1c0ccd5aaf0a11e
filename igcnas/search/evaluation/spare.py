"""Processes that are started before it is known what they will train: importing torch takes more than a second.

Only for workers on a CPU: what a process on a GPU sees of it is part of its environment.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from igcnas.search.evaluation.child import Child, server_for
from igcnas.search.evaluation.slots import Slot


class Spares:
    """Use as a context manager: those that nobody took are ended.

    server: of which they are forked, and others can be until it closes; None where each is started anew.
    """

    def __init__(self, slots: Sequence[Slot] = ()) -> None:
        slots = [slot for slot in slots if slot.device == "cpu"]
        self.server = server_for(slots)
        self._left = [(slot.threads, Child(slot.threads, server=self.server)) for slot in slots]

    def __enter__(self) -> Spares:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, child in self._left:
            child.kill()
        for _, child in self._left:
            child.end()
        if self.server is not None:
            self.server.close()

    def take(self, slot: Slot) -> Child | None:
        """A process for this slot, which is the caller's from now on; None where there is none."""
        for number, (threads, child) in enumerate(self._left):
            if slot.device == "cpu" and threads == slot.threads:
                del self._left[number]
                return child
        return None
