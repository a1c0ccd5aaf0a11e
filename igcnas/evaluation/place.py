"""A slot as it is used: its process, and what that has to do."""

from __future__ import annotations

from dataclasses import dataclass

from igcnas.evaluation.child import Child
from igcnas.worker import Job, Probe, WorkerSetup


@dataclass(slots=True, kw_only=True)
class Task:
    """Something to do, known by a number. deaths: processes that ended with it."""

    number: int
    job: Job | Probe
    deaths: int = 0


@dataclass(slots=True, kw_only=True)
class Place:
    """failed_starts: in a row. task: None where it has nothing to do."""

    setup: WorkerSetup
    child: Child | None = None
    task: Task | None = None
    failed_starts: int = 0

    def give(self, task: Task) -> None:
        """Give it something to do; a process that died meanwhile is replaced."""
        self.task = task
        if self.child is None or not self.child.send(task.job):
            self.end()
            self.child = Child(self.setup)
            self.child.send(task.job)
        self.child.silence = 0.0

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
