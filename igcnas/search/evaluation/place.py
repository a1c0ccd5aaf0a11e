"""A slot as it is used: its process, and what that has to do."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from igcnas.search.evaluation.child import Child
from igcnas.search.evaluation.forkserver import ForkServer
from igcnas.search.evaluation.slots import Slot
from igcnas.search.worker import Work, WorkerSetup


@dataclass(slots=True, kw_only=True)
class Task:
    """Something to do, known by a number. name: for the user, as "network 3"; "" where there is nothing to say.

    deaths: processes that ended with it. moves: machines that were lost while they trained it. alone_on: the device
    that it must have for itself; None where it may share one.
    """

    number: int
    job: Work
    name: str = ""
    deaths: int = 0
    moves: int = 0
    alone_on: str | None = None


@dataclass(slots=True, kw_only=True)
class Place:
    """failed_starts: in a row. task: None where it has nothing to do. hardware: what its processes said they run on.

    server: of which its processes are forked; None where each is started anew.
    """

    slot: Slot
    setup: WorkerSetup
    child: Child | None = None
    task: Task | None = None
    failed_starts: int = 0
    hardware: str = ""
    server: ForkServer | None = None

    @staticmethod
    def of(slot: Slot, setup: WorkerSetup) -> Place:
        """A place in this slot, for workers that are otherwise set up so."""
        mine = dataclasses.replace(
            setup, device=slot.seen_as, threads=slot.threads, memory_fraction=slot.memory_fraction
        )
        return Place(slot=slot, setup=mine)

    @property
    def on_cpu(self) -> bool:
        """Whether its processes train on a CPU."""
        return "cpu" in (self.slot.device, self.hardware)

    def give(self, task: Task) -> None:
        """Give it something to do; a process that died meanwhile is replaced.

        What has the device for itself gets a process of its own, without a share of the memory to keep to.
        """
        alone = task.alone_on is not None
        if alone:
            self.end()
        self.task = task
        if self.child is None or not self.child.send(task.job):
            self.end()
            self.start(alone=alone)
            assert self.child is not None
            self.child.send(task.job)
        self.child.silence = 0.0

    def start(self, *, alone: bool = False) -> None:
        """Start its process, if there is none; alone: without a share of the memory to keep to."""
        if self.child is None:
            self.child = Child(self.setup.threads, self.slot.environment, self.server)
            self.child.set_up(dataclasses.replace(self.setup, memory_fraction=None) if alone else self.setup)

    def adopt(self, child: Child) -> None:
        """Go on with a process that was started before."""
        self.child = child
        child.set_up(self.setup)

    def end(self) -> None:
        """End its process."""
        if self.child is not None:
            self.child.end()
        self.child = None

    def lose(self) -> tuple[Task | None, bool]:
        """End its process; what that had to do, and whether it had begun to work at all."""
        task, started = self.task, self.child is not None and self.child.ready
        self.end()
        self.task = None
        self.failed_starts += not started
        return task, started
