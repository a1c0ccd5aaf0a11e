"""The evaluator of a search, with workers on the nodes of a Ray cluster: a place an actor, an actor a slot.

What becomes of a training is as on one machine (`evaluation.pool`). An actor that is lost, with its node or alone, is
not the fault of what it trained: that is begun once more elsewhere, from the last checkpoint that came here, and it
counts as no death; too many of these are its outcome, because a training could be what ends machines. Places follow the
cluster: one more where a node has joined, none on a node that has left, is to leave, or was refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

from igcnas.errors import IgcnasError
from igcnas.search.cluster.cluster import Cluster, Node
from igcnas.search.cluster.host import Host, Joined
from igcnas.search.cluster.joining import facts
from igcnas.search.cluster.remote import Actor, RemoteChild, RemotePlace
from igcnas.search.evaluation.child import Child
from igcnas.search.evaluation.place import Place
from igcnas.search.evaluation.pool import ProcessEvaluator
from igcnas.search.evaluation.seam import Outcome, Told
from igcnas.search.evaluation.slots import Slot
from igcnas.search.evaluation.spare import Spares
from igcnas.search.worker import WorkerSetup
from igcnas.search.worker.sent import Sent
from igcnas.system.processor import processor

_FOLLOW_SECONDS, _PAUSE_SECONDS = 1.0, 0.1
# Without any worker; a node that restarts is back by then.
WAIT_SECONDS = 600.0
# Once the first has joined, others get so long before the search is planned for those that are there.
_GATHER_SECONDS = 10.0
_MOVES = 5
_FAULTS = 2  # of an actor that cannot start on a node, for no reason that it tells
# Of a GPU's memory, by those that share it; the rest is for what CUDA takes for itself.
_SHARED_MEMORY = 0.9


@dataclass(slots=True, kw_only=True)
class _Joining:
    """An actor that has not joined yet. sent: whether it was given the data."""

    actor: Actor
    answer: Any
    sent: bool = False


class RayEvaluator(ProcessEvaluator):
    """Use as a context manager within that of its cluster. most: workers at once; fewer where there is no more room.

    setup: its device is 'cpu' or 'cuda', for all workers. All else as in ProcessEvaluator.
    """

    def __init__(
        self,
        setup: WorkerSetup,
        cluster: Cluster,
        *,
        most: int,
        stop: Callable[[], bool] = lambda: False,
        stop_seconds: float = 0.0,
        epoch_deadline: float = 3600.0,
        note: Callable[[str], None] = lambda _text: None,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        super().__init__(
            setup, slots=[], stop=stop, stop_seconds=stop_seconds, epoch_deadline=epoch_deadline, note=note
        )
        self._cluster, self._most, self._wait_seconds = cluster, most, wait_seconds
        self._facts, self._processor = facts(), processor()
        self._joining: list[_Joining] = []
        self._nodes: dict[str, Node] = {}
        self._refused: dict[str, str] = {}
        self._faults: dict[str, int] = {}
        self._told: set[str] = set()
        self._reference: Any = None  # to the data
        self._followed = self._alone_since = float("-inf")

    @property
    def slots(self) -> int:
        """How many trainings can go on at once; one while there is no worker, which waits for it."""
        return max(1, len(self._places))

    @property
    def devices(self) -> set[str]:
        """Where the workers run; before any does, which kind of device that will be."""
        return super().devices or {self._setup.device}

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers, each on its own node."""
        actors = [place.actor for place in self._remote()]
        found = (self._cluster.answer(one.handle.pid.remote(), 10.0) for one in actors if one.lost is None)
        return tuple(pid for pid in found if pid)

    @property
    def nodes(self) -> list[Node]:
        """Where each worker is, one after the other."""
        return [place.actor.node for place in self._remote()]

    def _have_server(self) -> None:
        """None here: workers are started on their nodes."""

    def keep(self, slots: object) -> None:
        """Nothing: the cluster says what there is room for."""

    def start(self, spares: Spares | None = None) -> None:
        """Wait for the first worker, and some seconds for the others. IgcnasError where none comes."""
        begin = monotonic()
        gathered: float | None = None
        while not self._stop():
            self._follow()
            now = monotonic()
            if self._places:
                gathered = gathered or now
                if not self._joining or now - gathered > _GATHER_SECONDS:
                    break
            elif now - begin > self._wait_seconds:
                raise self._nobody()
            sleep(_PAUSE_SECONDS)
        super().start(spares)

    def close(self) -> None:
        """End the workers and their actors, and forget what they were to do."""
        super().close()
        actors = [place.actor for place in self._remote()] + [one.actor for one in self._joining]
        leaving = [one.handle.leave.remote() for one in actors if one.lost is None and not self._is_joining(one)]
        for answer in leaving:
            try:
                self._cluster.answer(answer, 5.0)
            except self._cluster.faults:  # then the next session on that node takes its folder away
                continue
        for actor in actors:
            self._cluster.end(actor.handle)
        self._places, self._joining = [], []

    def _remote(self) -> list[RemotePlace]:
        return [place for place in self._places if isinstance(place, RemotePlace)]

    def _is_joining(self, actor: Actor) -> bool:
        return any(one.actor is actor for one in self._joining)

    def _listen(self, told: Told) -> None:
        self._follow()
        if any(place.task is not None for place in self._places):
            super()._listen(told)
        elif not self._waiting:
            raise RuntimeError("nothing is in training: there is nothing to wait for")
        elif monotonic() - self._alone_since > self._wait_seconds:
            raise self._nobody()
        else:
            sleep(_PAUSE_SECONDS)

    def _hand_out(self) -> None:
        for place in self._remote():
            node = self._nodes.get(place.actor.node.id)
            if place.task is None and (place.actor.lost is not None or node is None or node.draining):
                self._drop(place)
        if self._places:
            super()._hand_out()

    def _starved(self, child: Child) -> bool:
        return isinstance(child, RemoteChild) and child.starved

    def _lost(self, place: Place, reason: str, *, told_so: bool = False, starved: bool = False) -> None:
        assert isinstance(place, RemotePlace)
        if place.actor.lost is None:
            super()._lost(place, reason, told_so=told_so, starved=starved)
            return
        task, _ = place.lose()
        self._drop(place)
        if task is None:
            return
        task.moves += 1
        if task.moves > _MOVES:
            self._ended.append((task.number, Outcome(reason=f"{task.moves} machines were lost with it: {reason}")))
            return
        if place.actor.starved and task.alone_on is None:
            task.alone_on = place.slot.device
        if task.name:
            self.note(f"{task.name} is begun again elsewhere ({reason})")
        self._waiting.again(task)

    def _give_up(self, place: Place, reason: str) -> None:
        """A worker cannot start there: its node gets no other."""
        assert isinstance(place, RemotePlace)
        self._drop(place)
        self._refuse(place.actor.node, reason)

    def _drop(self, place: RemotePlace) -> None:
        place.end()
        self._cluster.end(place.actor.handle)
        self._places = [one for one in self._places if one is not place]
        if not self._places:
            self._alone_since = monotonic()

    def _follow(self) -> None:
        """Look what the cluster is now: who has joined, who has gone, where there is room for more."""
        now = monotonic()
        if now - self._followed < _FOLLOW_SECONDS:
            return
        if self._followed < 0:
            self._alone_since = now
        self._followed = now
        try:
            self._nodes = self._cluster.nodes(self._setup.device)
        except self._cluster.faults as error:
            raise IgcnasError(
                f"the Ray cluster does not answer ({self._cluster.words(error)[0]}); nothing is lost: start it again, "
                "then the same command goes on"
            ) from error
        for one in list(self._joining):
            self._hear_of(one)
        self._hand_out()
        while (node := self._next_node()) is not None:
            self._spawn(node)

    def _next_node(self) -> Node | None:
        """Where there is room for one more worker: the node that has the fewest."""
        if len(self._places) + len(self._joining) >= self._most:
            return None
        here = [node.id for node in (*self.nodes, *(one.actor.node for one in self._joining))]
        usable = [node for node in self._nodes.values() if node.id not in self._refused and not node.draining]
        with_room = [node for node in usable if here.count(node.id) < node.room]
        return min(with_room, key=lambda node: here.count(node.id), default=None)

    def _spawn(self, node: Node) -> None:
        handle = self._cluster.spawn(node, self._setup.device, Host, self._cluster.session)
        actor = Actor(node=node, cluster=self._cluster, handle=handle)
        self._joining.append(_Joining(actor=actor, answer=self._ask(actor)))

    def _ask(self, actor: Actor) -> Any:
        elsewhere = not self._cluster.is_here(actor.node)
        sent = [] if self._reference is None else [self._reference]
        return actor.handle.join.remote(self._facts, self._setup, sent, elsewhere=elsewhere)

    def _hear_of(self, one: _Joining) -> None:
        node = one.actor.node
        if not self._cluster.is_done(one.answer):
            if node.id not in self._nodes or self._nodes[node.id].draining:
                self._joining.remove(one)
                self._cluster.end(one.actor.handle)
            return
        self._joining.remove(one)
        try:
            joined: Joined = self._cluster.answer(one.answer, 10.0)
        except self._cluster.faults as error:
            self._cluster.end(one.actor.handle)
            if node.id in self._nodes:
                self._faults[node.id] = self._faults.get(node.id, 0) + 1
                if self._faults[node.id] == _FAULTS:
                    self._refuse(node, f"a worker cannot start there ({self._cluster.words(error)[0]})")
            return
        if joined.refusal == "" and not one.sent:
            if self._reference is None:
                dataset = self._setup.data.load()
                self._reference = self._cluster.put(Sent.of(dataset, test=self._setup.images == "all"))
            self._joining.append(_Joining(actor=one.actor, answer=self._ask(one.actor), sent=True))
        elif joined.refusal is not None:
            self._cluster.end(one.actor.handle)
            self._refuse(node, joined.refusal or "it did not receive the data set")
        else:
            self._join(one.actor, joined)

    def _join(self, actor: Actor, joined: Joined) -> None:
        node = actor.node
        if joined.processor != self._processor:
            self._tell(
                f"{node.name} has another processor ({joined.processor}, here {self._processor}): the same network may "
                "differ there in its last bits"
            )
        self._faults.pop(node.id, None)
        cpus, per_gpu = self._cluster.settings.cpus, self._cluster.settings.per_gpu
        on_gpu = self._setup.device == "cuda"
        slot = _RemoteSlot(
            device=f"{self._setup.device} of {node.name}",
            kind=self._setup.device,
            threads=None if on_gpu else max(1, int(cpus)),
            memory_fraction=round(_SHARED_MEMORY / per_gpu, 4) if on_gpu and per_gpu > 1 else None,
        )
        setup = dataclasses.replace(
            self._setup, device=slot.seen_as, threads=slot.threads, memory_fraction=slot.memory_fraction
        )
        place = RemotePlace(slot=slot, setup=setup, actor=actor)
        self._places.append(place)
        self._hand_out()

    def _refuse(self, node: Node, reason: str) -> None:
        if node.id in self._refused:
            return
        self._refused[node.id] = f"{node.name} is refused: {reason}"
        for one in [one for one in self._joining if one.actor.node.id == node.id]:
            self._joining.remove(one)
            self._cluster.end(one.actor.handle)
        others = [one for one in self._nodes.values() if one.id not in self._refused and one.room]
        if not others and not self._places:
            raise IgcnasError(f"{'; '.join(self._refused.values())}; no other node is there to train")
        self._tell(self._refused[node.id])

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self.note(text)

    def _nobody(self) -> IgcnasError:
        nodes = ", ".join(f"{node.name} with room for {node.room}" for node in self._nodes.values()) or "no node"
        refused = "".join(f"; {reason}" for reason in self._refused.values())
        return IgcnasError(
            f"no worker of the Ray cluster was there for {self._wait_seconds:.0f} s ({nodes}{refused}); nothing is "
            "lost: free its cores or add nodes, then the same command goes on"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _RemoteSlot(Slot):
    """device: with the node. kind: without. Of several GPUs of a node Ray chooses, so all of them count as one."""

    kind: str

    @property
    def seen_as(self) -> str:
        """The one that Ray shows to the actor."""
        return "cpu" if self.kind == "cpu" else "cuda:0"
