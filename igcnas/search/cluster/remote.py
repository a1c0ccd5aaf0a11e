"""A worker process on another machine, seen from the controller as one of its own (`evaluation.child`).

A thread asks the actor for what its worker says, writes the files that come with it into the study, and puts the words
into a pipe; so the evaluator listens to workers that are near and far in the same way.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any

from igcnas.errors import MachineError
from igcnas.search.cluster.cluster import Cluster, Node
from igcnas.search.cluster.host import Batch, Gone
from igcnas.search.cluster.parcel import packed, unpack
from igcnas.search.evaluation.child import Child
from igcnas.search.evaluation.place import Place
from igcnas.search.worker import Work, WorkerSetup, messages

# An actor that says nothing for so long, not even that there is nothing, is frozen or cut off.
_PATIENCE_SECONDS = 60.0
_NUMBERS = count(1)


@dataclass(slots=True, kw_only=True, eq=False)
class Actor:
    """An actor and its node. lost: why it is gone, None while it is there; starved: for want of memory."""

    node: Node
    cluster: Cluster
    handle: Any
    lost: str | None = None
    starved: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def tell(self, call: str, *values: Any) -> None:
        """Make a call whose answer nobody waits for. Calls of an actor are made in their order."""
        if self.lost is None:
            with suppress(*self.cluster.faults):  # whoever listens to the worker hears of it
                getattr(self.handle, call).remote(*values)

    def lose(self, reason: str, *, starved: bool = False) -> None:
        """It is gone, or counts as gone: then it is ended, if it can be reached."""
        with self.lock:
            if self.lost is not None:
                return
            self.lost, self.starved = f"{self.node.name}: {reason}", starved
        self.cluster.end(self.handle)


class RemoteChild(Child):
    """A worker that an actor starts."""

    def __init__(self, actor: Actor) -> None:
        self.ready, self.silence = False, 0.0
        self.pipe, self._theirs = Pipe()
        self._actor, self._number = actor, next(_NUMBERS)
        self._home: Path | None = None
        self._gone: Gone | None = None
        self._writing, self._ended = threading.Lock(), False
        self._thread = threading.Thread(target=self._pass_on, daemon=True)

    def begin(self, setup: WorkerSetup, environment: Mapping[str, str]) -> None:
        """Start it; once."""
        self._actor.tell("start", self._number, setup, dict(environment))
        self._thread.start()

    def send(self, message: Work | str) -> bool:
        """Whether the actor is there to be told."""
        if isinstance(message, Work):
            self._home = message.home
            files = {} if message.home is None else packed(message.home, message.reads)
            self._actor.tell("give", self._number, message, files)
        else:
            self._actor.tell("answer", self._number, message)
        return self._actor.lost is None

    def ask_to_stop(self) -> None:
        """Let it save what it trains, and end; what it saves comes here."""
        self._actor.tell("stop", self._number)

    def has_ended(self, seconds: float) -> bool:
        """Whether it has, and its files are here, at most so many seconds later."""
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    def kill(self) -> None:
        """End the process; nothing of it is written any more. The actor stays."""
        with self._writing:
            self._ended = True
        self._actor.tell("end", self._number)

    def end(self) -> None:
        """The same, and hear no more of it. Its actor ends it before it starts another."""
        self.kill()
        self.pipe.close()

    @property
    def was_killed(self) -> bool:
        """Whether somebody else ended it by SIGKILL."""
        return self._gone is not None and self._gone.killed

    @property
    def starved(self) -> bool:
        """Whether that was for want of memory."""
        return self._actor.starved or (self._gone is not None and self._gone.killed and self._gone.starved)

    def reason(self) -> str:
        """Why it, or its actor, ended."""
        if self._actor.lost is not None or self._gone is None:
            return self._actor.lost or "the training process hung up"
        return f"{self._actor.node.name}: {self._gone.reason}"

    def _pass_on(self) -> None:
        """In a thread of its own: until the worker or the actor is gone, or nobody listens."""
        actor = self._actor
        with suppress(OSError):  # nobody listens
            while self._gone is None:
                try:
                    batch: Batch = actor.cluster.answer(
                        actor.handle.receive.options(concurrency_group="words").remote(self._number), _PATIENCE_SECONDS
                    )
                except actor.cluster.faults as error:
                    reason, starved = actor.cluster.words(error)
                    actor.lose(reason, starved=starved)
                    break
                self._take(batch)
        with suppress(OSError):
            self._theirs.close()

    def _take(self, batch: Batch) -> None:
        if batch.files and self._home is not None:
            try:
                with self._writing:
                    if not self._ended:
                        unpack(self._home, batch.files)
            except MachineError as error:  # of this machine, which holds the study
                self._theirs.send((messages.HALTED, str(error)))
                return
        for word, content in batch.words:
            told = f"{self._actor.node.name}: {content}" if word == messages.HALTED else content
            self._theirs.send((word, told))
        self._gone = batch.gone


@dataclass(slots=True, kw_only=True)
class RemotePlace(Place):
    """A slot that an actor is."""

    actor: Actor

    def start(self, *, alone: bool = False) -> None:
        """Have the actor start a process, if there is none."""
        if self.child is None:
            child = RemoteChild(self.actor)
            setup = dataclasses.replace(self.setup, memory_fraction=None) if alone else self.setup
            child.begin(setup, self.slot.environment)
            self.child = child
