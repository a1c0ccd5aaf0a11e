"""What becomes of a training that a GPU refuses: no capture, too little memory, a fault that ends all who share it.

The workers are real processes on the CPU that say what a GPU would have said.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from support.odd_worker import LACK, program
from support.searches import SMALL, Quiet, settings_of
from support.workers import network, setup

from igcnas.search.controller import Search
from igcnas.search.evaluation import Outcome, ProcessEvaluator, Slot, child, pool
from igcnas.search.evaluation.place import Place, Task
from igcnas.search.evaluation.waiting import Waiting
from igcnas.search.folder import open_study
from igcnas.search.observing import replay
from igcnas.search.records import records
from igcnas.search.worker import Probe, WorkerSetup, read_result
from igcnas.training.tensors import TrainingData
from igcnas.training.trainer import train

pytestmark = pytest.mark.usefixtures("forked_workers")
NETWORKS = [network(L) for L in (2, 3, 4, 5, 6)]
IDS = [one.id for one in NETWORKS]
OFTEN = dataclasses.replace(setup(2), checkpoint_seconds=0.0)
# Waits after each epoch until it was heard, so that it can be killed in the middle however fast it is.
WAITING = dataclasses.replace(OFTEN, prunes=True)


def shared(count: int, device: str = "cuda:0") -> list[Slot]:
    """Slots of workers that have a share of the memory of one GPU."""
    return [Slot(device=device, threads=1, memory_fraction=0.3, visible=device[-1])] * count


class Told:
    """What the workers told of their trainings, in the order in which it happened."""

    def __init__(self, path: Path) -> None:
        self.lines: list[dict[str, Any]] = [json.loads(line) for line in path.read_text().splitlines()]

    def begins(self, ident: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["at"] == "begin" and line["network"] == ident]

    def alone(self, ident: str) -> bool:
        """Whether nothing else trained from the last begin of this network to its end."""
        first = max(i for i, line in enumerate(self.lines) if line["at"] == "begin" and line["network"] == ident)
        open_before = [line["network"] for line in self.lines[:first] if line["at"] == "begin"]
        for line in self.lines[:first]:
            if line["at"] == "end":
                open_before.remove(line["network"])
        after = self.lines[first + 1 : first + 2]
        return not open_before and [(line["at"], line["network"]) for line in after] == [("end", ident)]


class Workers:
    """An evaluator of odd workers, its notes, and what it trained."""

    def __init__(
        self, folder: Path, patch: pytest.MonkeyPatch, slots: Sequence[Slot], setup: WorkerSetup = OFTEN, **odd: Any
    ) -> None:
        self.folder, self.notes, self.outcomes = folder, list[str](), dict[int, Outcome]()
        self.order: list[int] = []
        folder.mkdir(exist_ok=True)
        patch.setattr(child, "command", program(folder / "told", gpu="a GPU", **odd))
        self.evaluator = ProcessEvaluator(setup, slots=slots, note=self.notes.append)

    def train(self, count: int) -> Workers:
        with self.evaluator as evaluator:
            for number in range(count):
                evaluator.submit(number, NETWORKS[number], self.folder / str(number))
            for _ in range(count):
                number, outcome = evaluator.wait(self.hear)
                self.order.append(number)
                self.outcomes[number] = outcome
        return self

    def hear(self, number: int, report: Any) -> None:
        """Nothing is done."""

    @property
    def told(self) -> Told:
        return Told(self.folder / "told")

    def steps(self) -> list[str]:
        return [(self.outcomes[number].results or {})["steps"] for number in sorted(self.outcomes)]


# Capture


def test_a_training_that_cannot_be_captured_goes_on_by_eager_steps_and_no_other_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = Workers(tmp_path / "w", monkeypatch, shared(2), uncaptured=[IDS[1]]).train(3)
    assert workers.steps() == ["graph", "eager", "graph"]
    assert workers.notes == [
        f"network 1, {NETWORKS[1].label()}, is trained by eager steps: CUDA could not capture the step of this network "
        "(operation not permitted)"
    ]
    first, second = workers.told.begins(IDS[1])
    assert first["pid"] != second["pid"]  # what a failed capture leaves in a process is not trusted
    assert (first["checkpoint"], second["checkpoint"]) == (False, True)
    stored = read_result(tmp_path / "w" / "1", NETWORKS[1])
    assert stored is not None
    assert stored[0]["steps"] == "eager"
    data = TrainingData.of(OFTEN.data.load(), OFTEN.training, torch.device("cpu"))
    calm = train(NETWORKS[1], data, OFTEN.training)  # as if nothing had happened
    state = load_file(tmp_path / "w" / "1" / "weights.safetensors")
    assert all(torch.equal(state[name], tensor) for name, tensor in calm.network.state_dict().items())


def test_a_failed_capture_counts_as_no_death(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killing(Workers):
        def hear(self, number: int, report: Any) -> None:
            if self.notes and not killed:  # of the eager training
                killed.append(self.evaluator.pid or 0)
                os.kill(killed[0], 9)

    killed: list[int] = []
    workers = Killing(tmp_path / "w", monkeypatch, shared(1), WAITING, uncaptured=[IDS[0]]).train(1)
    assert killed
    assert workers.steps() == ["eager"]
    assert len(workers.told.begins(IDS[0])) == 3


def test_where_no_network_can_be_captured_the_check_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = Workers(tmp_path / "w", monkeypatch, shared(2), uncaptured=IDS).train(4)
    assert workers.steps() == ["eager"] * 4
    assert len(workers.notes) == 5
    assert [note for note in workers.notes if "doctor" in note] == [
        "3 networks in a row could not be captured; igcnas doctor --check-gpu repeats the check of captured steps on "
        "this GPU"
    ]


def test_the_look_at_the_time_falls_back_too_and_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workers = Workers(tmp_path / "w", monkeypatch, shared(1), uncaptured=IDS)
    with workers.evaluator as evaluator:
        probed = evaluator.probe(tuple(NETWORKS[:2]))
        pid = evaluator.pid
        evaluator.keep(evaluator.places)
        assert evaluator.pid == pid is not None
        evaluator.keep(
            [dataclasses.replace(shared(1)[0], memory_fraction=0.45)]
        )  # a worker has its share from its start
        assert evaluator.pid is None
    assert probed is not None
    assert len(probed.seconds) == 2
    assert not workers.notes


# Memory


def test_a_training_that_ran_out_of_memory_has_one_further_try_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Watching(Workers):
        def hear(self, number: int, report: Any) -> None:
            if number == 1:  # heard of its second try alone
                processes.append(self.evaluator.pids)

    processes: list[tuple[int, ...]] = []
    workers = Watching(tmp_path / "w", monkeypatch, shared(2), hungry=[IDS[1]]).train(4)
    assert all(outcome.results is not None for outcome in workers.outcomes.values())
    assert workers.told.alone(IDS[1])
    assert {len(pids) for pids in processes} == {1}  # idle workers have given their memory back
    assert workers.notes == [f"network 1 ran out of memory ({LACK}); it is trained once more, alone on cuda:0"]
    assert len({line["pid"] for line in workers.told.begins(IDS[1])}) == 2


def test_what_is_too_large_alone_is_recorded_so_and_the_others_are_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = Workers(tmp_path / "w", monkeypatch, shared(2), too_large=[IDS[0]]).train(4)
    assert workers.outcomes[0] == Outcome(reason=f"out of memory, also alone on the GPU: {LACK}")
    assert len(workers.told.begins(IDS[0])) == 2
    assert all(workers.outcomes[number].results is not None for number in (1, 2, 3))


def test_trainings_that_run_out_of_memory_all_at_once_are_trained_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = Workers(tmp_path / "w", monkeypatch, shared(3), hungry=IDS[:3]).train(4)
    assert all(outcome.results is not None for outcome in workers.outcomes.values())
    assert all(workers.told.alone(ident) for ident in IDS[:3])


def test_a_lack_of_memory_on_one_gpu_does_not_hold_up_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slots = [*shared(2), *shared(1, "cuda:1")]
    workers = Workers(tmp_path / "w", monkeypatch, slots, too_large=IDS[:2]).train(5)
    assert [workers.outcomes[number].results is None for number in range(5)] == [True, True, False, False, False]


def test_on_a_cpu_a_lack_of_memory_has_the_same_second_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slots = [Slot(device="cpu", threads=1)] * 2
    workers = Workers(tmp_path / "w", monkeypatch, slots, too_large=[IDS[1]]).train(3)
    assert workers.outcomes[1] == Outcome(reason=f"out of memory, also alone on the CPU: {LACK}")
    assert workers.told.alone(IDS[1])


def test_whom_the_system_kills_for_want_of_memory_is_tried_again_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killing(Workers):
        def hear(self, number: int, report: Any) -> None:
            if number == 0 and not kills:
                kills.append(number)
                os.kill(self.evaluator.pids[0], 9)

    kills: list[int] = []
    monkeypatch.setattr(pool, "processes_ended_for_memory", lambda: len(kills))
    workers = Killing(tmp_path / "w", monkeypatch, [Slot(device="cpu", threads=1)] * 2, WAITING).train(2)
    assert all(outcome.results is not None for outcome in workers.outcomes.values())
    assert len(workers.told.begins(IDS[0])) == 2
    second = workers.told.lines.index(workers.told.begins(IDS[0])[1])
    assert sum(line["at"] == "end" for line in workers.told.lines[:second]) == 1  # the other had ended before


def test_a_look_at_the_time_that_runs_out_of_memory_has_the_device_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = Workers(tmp_path / "w", monkeypatch, shared(2), too_large=[IDS[0]])
    with workers.evaluator as evaluator:
        assert evaluator.probe((NETWORKS[0],)) is None  # and the search begins without it
        assert evaluator(NETWORKS[1], tmp_path / "1", lambda _report: None).results is not None


# Processes that die on a GPU


def test_who_dies_on_a_shared_gpu_is_tried_again_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under MPS a fault of one process ends all of that GPU: the second try must tell who it was."""
    workers = Workers(tmp_path / "w", monkeypatch, shared(2), faulty=[IDS[0]]).train(3)
    assert workers.outcomes[0] == Outcome(reason="the training process ended with status 7")
    assert len(workers.told.begins(IDS[0])) == 2
    second = workers.told.lines.index(workers.told.begins(IDS[0])[1])
    others = [line for line in workers.told.lines[:second] if line["network"] != IDS[0]]
    assert sum(line["at"] == "begin" for line in others) == sum(line["at"] == "end" for line in others)


# In a search


def test_a_search_loses_no_network_to_its_gpu_and_every_proposal_can_be_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(SMALL)
    workers = Workers(tmp_path / "w", monkeypatch, shared(2), hungry="01234567", uncaptured="89")
    study = open_study(tmp_path / "w", create_for=settings)
    with workers.evaluator as evaluator:
        search = Search(study, tmp_path / "w", SMALL, settings, evaluator, Quiet())
        assert search.run(6).trained == 6
    every = records(study)
    assert [record.number for record in every] == list(range(6))
    for record in every:
        assert record.steps == ("eager" if record.architecture.id[0] in "89" else "graph")
        assert len(workers.told.begins(record.architecture.id)) == 1 + (record.architecture.id[0] in "0123456789")
        assert record.architecture.id[0] not in "01234567" or workers.told.alone(record.architecture.id)
    assert {trial.user_attrs["starts"] for trial in study.trials} == {1}
    for record, proposal in replay(study, search.proposer, settings.compares):
        assert proposal is not None
        assert proposal.candidate.network == record.architecture


# Who is next


class Idle(Place):
    """A place without a process."""

    def give(self, task: Task) -> None:
        assert self.task is None
        self.task = task

    def end(self) -> None:
        assert self.task is None


@given(
    st.lists(st.sampled_from(("a", "b", "c")), min_size=1, max_size=6),
    st.lists(st.sampled_from((None, "a", "b", "c", "gone")), min_size=1, max_size=12),
    st.data(),
)
def test_as_long_as_anything_waits_something_trains_and_what_is_alone_is_alone(
    devices: list[str], wishes: list[str | None], data: st.DataObject
) -> None:
    places = [Idle(slot=Slot(device=one), setup=setup_of_none()) for one in devices]
    waiting, left, ended = Waiting(), len(wishes), list[Task]()
    for number, wish in enumerate(wishes):
        waiting.add(Task(number=number, job=Probe(architectures=()), alone_on=wish))
    while left:
        waiting.hand_out(places)
        busy = [place for place in places if place.task is not None]
        assert busy
        for place in busy:
            beside = [other for other in busy if other.slot.device == place.slot.device]
            assert place.task is not None
            assert place.task.alone_on is None or beside == [place]
        done = data.draw(st.sampled_from(busy))
        assert done.task is not None
        ended.append(done.task)
        done.task = None
        left -= 1
    for device in set(devices):  # in the order in which they asked
        alone = [task.number for task in ended if task.alone_on == device == wishes[task.number]]
        assert alone == sorted(alone)


def setup_of_none() -> Any:
    """No worker is started."""
    return None
