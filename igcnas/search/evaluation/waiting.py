"""What waits for a slot, and who is next: trainings that share a device, and those that need one for themselves.

A device that a training waits to have for itself gets nothing new. What trains there ends in its time, then every idle
process of that device is ended, so that it gives its memory back, and the waiting training has it until it ends; then
the next that waits for it, in the order in which they asked. So trainings that ran out of memory all at once are
trained one after the other, and something always trains as long as anything waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from igcnas.search.evaluation.place import Place, Task


class Waiting:
    """Tasks without a place."""

    def __init__(self) -> None:
        self._shared: deque[Task] = deque()
        self._alone: deque[Task] = deque()

    def __len__(self) -> int:
        return len(self._shared) + len(self._alone)

    def add(self, task: Task) -> None:
        """Behind all others of its kind."""
        (self._shared if task.alone_on is None else self._alone).append(task)

    def again(self, task: Task) -> None:
        """Before all others of its kind: it had its turn."""
        (self._shared if task.alone_on is None else self._alone).appendleft(task)

    def clear(self) -> None:
        """Forget them all."""
        self._shared.clear()
        self._alone.clear()

    def hand_out(self, places: Sequence[Place]) -> None:
        """Give every place what it may have now. There is a place at least."""
        for task in list(self._alone):
            self._hand_out_alone(task, places)
        held = {task.alone_on for task in (*self._alone, *(p.task for p in places)) if task is not None}
        for place in places:
            if self._shared and place.task is None and place.slot.device not in held:
                place.give(self._shared.popleft())

    def _hand_out_alone(self, task: Task, places: Sequence[Place]) -> None:
        there = [place for place in places if place.slot.device == task.alone_on]
        if not there:  # the last slot of that device was given up
            task.alone_on = places[0].slot.device
            there = [place for place in places if place.slot.device == task.alone_on]
        if all(place.task is None for place in there):
            for place in there:
                place.end()
            self._alone.remove(task)
            there[0].give(task)
