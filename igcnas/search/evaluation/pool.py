"""Training in worker processes that persist from network to network: one a slot, replaced when it dies or hangs.

Convention: a training that ends with its process, whatever the cause, is begun once more, from its checkpoint, in
another process; a second time is its outcome, with the reason. What a training can do again in the same way (diverge)
is its outcome at once. A start is no training: a process that dies while it starts is started again, and a slot where
that fails twice, or where the start has a reason to fail, is given up. Without any slot left the reason is raised.
A fault of the machine is no outcome of a training: it is raised as a MachineError, and all of them can be taken up.

A training that runs out of memory is begun once more with its device for itself, and if that is not enough, either, it
is its outcome. Where the system killed a process for want of memory, or one died on a GPU, its training has the device
for itself, too: who took the memory, or whose fault it was that ended the processes of all who share a GPU, nobody can
tell. A training whose step cannot be captured is begun again by eager steps; that counts as no death.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from types import TracebackType

from igcnas.errors import IgcnasError, MachineError
from igcnas.network.architecture import Architecture
from igcnas.search.evaluation.child import Child, listen, server_for
from igcnas.search.evaluation.forkserver import ForkServer
from igcnas.search.evaluation.place import Place, Task
from igcnas.search.evaluation.seam import Interrupted, OnEpoch, Outcome, Told
from igcnas.search.evaluation.slots import Slot
from igcnas.search.evaluation.spare import Spares
from igcnas.search.evaluation.waiting import Waiting
from igcnas.search.worker import Job, Probe, Probed, Work, WorkerSetup, joined, messages
from igcnas.search.worker.memory import processes_ended_for_memory
from igcnas.system.files import naming_faults

_POLL_SECONDS = 0.2
# Loading data and importing torch on a slow disk; not training, which has its own deadline.
_START_SECONDS = 1800.0
_ATTEMPTS = 2
# Networks in a row that cannot be captured: then it is hardly the networks.
_SUSPICIOUS = 3


class ProcessEvaluator:
    """An Evaluator in worker processes. Use as a context manager. It is a plain `Evaluate`, too.

    slots: where the workers run; None for one as the setup says. stop() is asked several times a second; once it is
    true, Interrupted is raised and the workers ended; before that they have stop_seconds to save what they train, if it
    can be stopped. epoch_deadline is in seconds: a worker that is silent for longer is hung. note is told what a user
    should know.
    """

    def __init__(
        self,
        setup: WorkerSetup,
        *,
        slots: Sequence[Slot] | None = None,
        stop: Callable[[], bool] = lambda: False,
        stop_seconds: float = 0.0,
        epoch_deadline: float = 3600.0,
        note: Callable[[str], None] = lambda _text: None,
    ) -> None:
        one = Slot(device=setup.device, threads=setup.threads, memory_fraction=setup.memory_fraction)
        self._setup = setup
        self._places = [Place.of(slot, setup) for slot in ([one] if slots is None else slots)]
        self._stop, self._stop_seconds = stop, stop_seconds
        self._epoch_deadline, self.note = epoch_deadline, note
        self._prunes = setup.prunes
        self._server: ForkServer | None = None  # of its own
        self._waiting = Waiting()
        self._ended: deque[tuple[int, Outcome]] = deque()
        self.device_name = ""
        self._uncaptured_in_a_row, self._suspected = 0, False
        self._killed_so_far = processes_ended_for_memory()

    def __enter__(self) -> ProcessEvaluator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def slots(self) -> int:
        """How many trainings can go on at once."""
        return len(self._places)

    @property
    def devices(self) -> set[str]:
        """Where the workers run."""
        return {place.slot.device for place in self._places}

    @property
    def places(self) -> list[Slot]:
        """The slots themselves."""
        return [place.slot for place in self._places]

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers that run, slot by slot."""
        return tuple(place.child.process.pid for place in self._places if place.child is not None)

    @property
    def pid(self) -> int | None:
        """Process id of the first of them."""
        return next(iter(self.pids), None)

    def keep(self, slots: Sequence[Slot]) -> None:
        """Go on with these slots; for use before anything is handed in, or after all has ended."""
        left, kept = list(self._places), []
        for slot in slots:
            place = next((one for one in left if one.slot == slot), None)
            if place is not None:
                left.remove(place)
            kept.append(place or dataclasses.replace(Place.of(slot, self._setup), server=self._places[0].server))
        for place in left:
            place.end()
        self._places = kept

    def start(self, spares: Spares | None = None) -> None:
        """Start the processes of all slots now, not when there is work for each; spares: some that were, before."""
        with naming_faults("start", "a training process"):
            if spares is not None and spares.server is not None:
                self._fork_from(spares.server)
            self._have_server()
            for place in self._places:
                spare = None if spares is None else spares.take(place.slot)
                if place.child is None and spare is not None:
                    place.adopt(spare)
                place.start()

    def _have_server(self) -> None:
        """Start one, where that pays and no process was started yet."""
        if all(place.server is None and place.child is None for place in self._places):
            self._server = server_for(self.places)
            self._fork_from(self._server)

    def _fork_from(self, server: ForkServer | None) -> None:
        for place in self._places:
            place.server = server

    def probe(self, architectures: tuple[Architecture, ...]) -> Probed | None:
        """What the training of each of these networks will take; None if it could not be measured.

        The workers share the networks. Nothing else may be in training.
        """
        shares = min(len(self._places), len(architectures))
        for share in range(shares):
            # Once is enough: a second death would tell nothing more.
            self._add(Task(number=share, job=Probe(architectures=architectures[share::shares]), deaths=_ATTEMPTS - 1))
        parts: dict[int, Probed] = {}
        for _ in range(shares):
            share, outcome = self.wait(lambda _number, _report: None)
            if outcome.results is not None:
                parts[share] = outcome.results["probed"]
        return joined([parts[share] for share in range(shares)]) if parts and len(parts) == shares else None

    def __call__(self, architecture: Architecture, folder: Path, on_epoch: OnEpoch, repeat: int = 0) -> Outcome:
        """Train one network. on_epoch can end it where the worker was set up to wait (`prunes`)."""
        self.submit(0, architecture, folder, repeat)
        return self.wait(lambda _number, report: on_epoch(report))[1]

    def submit(self, number: int, architecture: Architecture, folder: Path, repeat: int = 0) -> None:
        """Hand in a training of a search; it begins where a slot is free."""
        job = Job(architecture=architecture, folder=str(folder.absolute()), repeat=repeat)
        self.hand_in(number, job, name=f"network {number}")

    def hand_in(self, number: int, work: Work, *, name: str) -> None:
        """Hand in any work, as `submit`. name: of it in what the user is told."""
        self._add(Task(number=number, job=work, name=name))

    def wait(self, told: Told) -> tuple[int, Outcome]:
        """The next training that ends. `told` can end one where the workers were set up to wait (`prunes`)."""
        while not self._ended:
            if self._stop():
                self._let_save()
                self.close()
                raise Interrupted
            self._listen(told)
        return self._ended.popleft()

    def close(self) -> None:
        """End the workers and forget what they were to do."""
        for place in self._places:  # all at once, then wait for each
            if place.child is not None:
                place.child.kill()
        for place in self._places:
            place.end()
            place.task = None
        if self._server is not None:
            self._server.close()
            self._server = None
        self._fork_from(None)
        self._waiting.clear()
        self._ended.clear()

    def _let_save(self) -> None:
        """Give what is in training the time to save how far it is."""
        if not self._stop_seconds:
            return
        end = monotonic() + self._stop_seconds
        children = [place.child for place in self._places if place.child is not None and place.task is not None]
        training = [child for child in children if child.ready]
        for child in training:
            child.ask_to_stop()
        for child in training:
            child.has_ended(end - monotonic())

    def _add(self, task: Task) -> None:
        self._have_server()
        self._waiting.add(task)
        self._hand_out()

    def _hand_out(self) -> None:
        with naming_faults("start", "a training process"):
            self._waiting.hand_out(self._places)

    def _listen(self, told: Told) -> None:
        """Hear every worker that has something to say; end those that were silent for too long."""
        places = {place.child.pipe: place for place in self._places if place.child is not None}
        if not any(place.task for place in places.values()):
            raise RuntimeError("nothing is in training: there is nothing to wait for")
        begin = monotonic()
        spoke = listen(places, _POLL_SECONDS)
        # What this process slept through (Ctrl-Z) is no silence of a worker.
        silence = min(monotonic() - begin, 2 * _POLL_SECONDS)
        for pipe in spoke:
            child = places[pipe].child
            if child is not None and child.pipe is pipe:  # else it was ended meanwhile
                self._hear(places[pipe], told)
        for place in places.values():
            if place.child is not None and place.task is not None:
                place.child.silence += silence
                deadline = self._epoch_deadline if place.child.ready else _START_SECONDS
                if place.child.silence > deadline:
                    self._lost(place, f"the training process was silent for {deadline:.0f} s and was ended")
        self._hand_out()

    def _hear(self, place: Place, told: Told) -> None:
        child, task = place.child, place.task
        assert child is not None
        message = child.receive()
        if message is None:
            reason = child.reason()
            self._lost(place, reason, starved=self._starved(child))
            return
        word, content = message
        if word == messages.READY:
            child.ready, place.failed_starts, place.hardware = True, 0, content
            self.device_name = self.device_name or content
        elif word == messages.HALTED:
            place.end()
            raise MachineError(content)
        elif word == messages.NOTE:
            self.note(content)
        elif word == messages.BROKEN:  # it ends, and its successor knows nothing of what broke it
            self._lost(place, content, told_so=True)
        elif word == messages.NO_MEMORY:
            self._out_of_memory(place, content)
        elif word == messages.UNCAPTURED:
            self._uncaptured(place, content)
        elif task is None:
            pass
        elif word == messages.EPOCH:
            ends = told(task.number, content)
            if self._prunes:
                child.send(messages.END if ends else messages.GO)  # if it is gone, the pipe says so
        else:
            place.task = None
            if task.alone_on is not None:  # it had no share of the memory to keep to; others have again
                place.end()
            if word == messages.FAILED:
                outcome = Outcome(reason=content)
            else:
                outcome = Outcome(results=content, pruned=word == messages.PRUNED)
                if content.get("steps") == "graph":
                    self._uncaptured_in_a_row = 0
            self._ended.append((task.number, outcome))

    def _out_of_memory(self, place: Place, reason: str) -> None:
        """A training that takes too much memory beside others has one further try without them."""
        task, _ = place.lose()
        if task is None:
            return
        if task.alone_on is not None:
            hardware = "CPU" if place.on_cpu else "GPU"
            self._ended.append((task.number, Outcome(reason=f"out of memory, also alone on the {hardware}: {reason}")))
            return
        task.alone_on = place.slot.device
        self._waiting.add(task)
        if task.name:
            self.note(
                f"{task.name} ran out of memory ({reason}); it is trained once more, alone on {place.slot.device}"
            )

    def _uncaptured(self, place: Place, reason: str) -> None:
        """A training whose step cannot be captured is begun again, from its checkpoint, by eager steps."""
        task, _ = place.lose()
        if task is None:
            return
        if task.job.capture is False:
            self._ended.append((task.number, Outcome(reason=reason)))
            return
        task.job = dataclasses.replace(task.job, capture=False)
        self._waiting.again(task)
        if not task.name:
            return
        self.note(f"{task.name}, {task.job.label}, is trained by eager steps: {reason}")
        self._uncaptured_in_a_row += 1
        if self._uncaptured_in_a_row == _SUSPICIOUS and not self._suspected:
            self._suspected = True
            self.note(
                f"{_SUSPICIOUS} networks in a row could not be captured; igcnas doctor --check-gpu repeats the check "
                "of captured steps on this GPU"
            )

    def _lost(self, place: Place, reason: str, *, told_so: bool = False, starved: bool = False) -> None:
        """A process is gone, or is to go: with its training, or before it could begin. starved: for want of memory."""
        task, started = place.lose()
        if not started and (told_so or place.failed_starts == _ATTEMPTS):
            self._give_up(place, reason)
        if task is None:
            return
        task.deaths += started
        if task.deaths == _ATTEMPTS:
            self._ended.append((task.number, Outcome(reason=reason)))
        elif started and task.alone_on is None and (starved or not place.on_cpu):
            task.alone_on = place.slot.device
            self._waiting.add(task)
        else:
            self._waiting.again(task)

    def _starved(self, child: Child) -> bool:
        """Whether a process that has ended was killed for want of memory."""
        return child.was_killed and self._ended_for_memory()

    def _ended_for_memory(self) -> bool:
        """Whether the system has killed any process for want of memory since this was asked last."""
        before, self._killed_so_far = self._killed_so_far, processes_ended_for_memory()
        return before is not None and self._killed_so_far is not None and self._killed_so_far > before

    def _give_up(self, place: Place, reason: str) -> None:
        """Go on without this slot, if there is another."""
        self._places.remove(place)
        if not self._places:
            raise IgcnasError(reason)
        self.note(f"a worker cannot start ({reason}); going on with {len(self._places)}")
