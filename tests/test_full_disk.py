"""A fault of the machine stops a search in one line and is never a network's; what cannot be read is not there."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
from support.searches import SMALL, Quiet, Trainings, settings_of
from support.workers import network, setup

from benchmarks.disk.disks import Fault, Full, LongFiles, NoInodes, NoLeave, ReadOnly, remount, removed, small_disk
from benchmarks.disk.trying import disturbed, undisturbed
from benchmarks.disk.works import TRAIN, search
from igcnas.errors import IgcnasError, MachineError, StudyError, TrainingError
from igcnas.search.controller import Search
from igcnas.search.evaluation import InTurn, Outcome, ProcessEvaluator
from igcnas.search.folder import open_study
from igcnas.search.records import records
from igcnas.search.storage import lock_study
from igcnas.search.worker import Job, check_weights, messages, read_result
from igcnas.search.worker.process import _farewell
from igcnas.search.worker.trainer import Trainer
from igcnas.training.checkpoint import read_checkpoint, write_checkpoint
from igcnas.training.engine import Engine

SEARCH = search(workers=2, networks=2, epochs=1)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a file system may be mounted."""
    place = tmp_path_factory.mktemp("disk") / "disk"
    place.mkdir()
    try:
        with small_disk(place, 100):
            return place
    except OSError as error:
        pytest.skip(f"this process may not mount a file system ({error})")


@pytest.fixture(scope="module")
def begun() -> Iterator[Executor]:
    """A fresh process that imports what commands do, once; they run in copies of it."""
    with ProcessPoolExecutor(1, get_context("spawn")) as executor:
        yield executor


@pytest.fixture(scope="module")
def alone(begun: Executor, disk: Path) -> dict[str, object]:
    """A training that met no fault."""
    return begun.submit(undisturbed, TRAIN, disk, forks=True).result()


# A disk, for real


@pytest.mark.timeout(1200)  # three searches, in processes of their own
def test_a_search_of_two_workers_that_met_a_full_disk_ends_as_an_undisturbed_one(begun: Executor, disk: Path) -> None:
    wanted = begun.submit(undisturbed, SEARCH, disk, forks=True).result()
    course = begun.submit(disturbed, SEARCH, Full(room=40, step=4000), disk, wanted, forks=True).result()
    assert len(course.stops) == 1
    assert "; make room and run the same command again; nothing is lost" in course.stops[0].line
    assert [stop.wrong for stop in course.stops] == [""]
    assert course.different == ()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "fault",
    [Full(room=60, step=4000), NoInodes(room=5, step=100), LongFiles(longest=64), ReadOnly(), NoLeave(), removed()],
    ids=lambda fault: fault.name,
)
def test_a_training_whose_disk_failed_it_ends_as_an_undisturbed_one(
    begun: Executor, disk: Path, alone: dict[str, object], fault: Fault
) -> None:
    try:
        course = begun.submit(disturbed, TRAIN, fault, disk, alone, forks=True).result()
    except OSError as error:
        pytest.skip(f"this machine has no such file system ({error})")
    assert course.stops
    assert {stop.wrong for stop in course.stops} == {""}
    assert course.different == ()


def test_a_disk_that_cannot_be_written_from_the_start_is_one_line(disk: Path) -> None:
    with small_disk(disk, 4000):
        remount(disk, "ro")
        done = subprocess.run(SEARCH.command(disk), capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 2
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"error: cannot make {disk}/study: Read-only file system; ")


# The worker


@pytest.mark.parametrize(
    ("error", "word", "text"),
    [
        (MachineError("cannot write a: full"), messages.HALTED, "cannot write a: full"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/x/kernel.nbi"),
            messages.HALTED,
            "cannot use /x/kernel.nbi: No space left on device; make room and run the same command again",
        ),
        (
            OSError(errno.EMFILE, "Too many open files"),
            messages.HALTED,
            "this machine has a fault: Too many open files; "
            "raise the number of files that a process may open (ulimit -n)",
        ),
        (RuntimeError("PytorchStreamWriter: Disk quota exceeded"), messages.HALTED, "this machine has a fault: Disk"),
        (IgcnasError("no such data"), messages.BROKEN, "no such data"),
        (ValueError("channels"), messages.BROKEN, "error in training: "),
        (RuntimeError("can't allocate memory (Cannot allocate memory)"), messages.BROKEN, "error in training: "),
    ],
)
def test_a_worker_says_whose_fault_it_was(error: Exception, word: str, text: str) -> None:
    found, said = _farewell(error, "error in training")
    assert found == word
    assert said.startswith(text)


@pytest.fixture(scope="module")
def trainer() -> Iterator[Trainer]:
    threads = torch.get_num_threads()
    yield Trainer(setup(1))
    torch.set_num_threads(threads)


def trained(trainer: Trainer, folder: Path) -> list[str]:
    """Train; the notes."""
    notes: list[str] = []
    trainer.note = notes.append
    Job(architecture=network(), folder=str(folder)).run(trainer, lambda _report: False)
    return notes


def truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def flip_last(path: Path) -> None:
    """One bit of the last number of a tensor."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: truncate(folder / "result.json"), "result.json is damaged"),
        (lambda folder: (folder / "result.json").write_text("[1]"), "result.json is damaged"),
        (lambda folder: (folder / "result.json").write_text('{"curve": 3}'), "result.json is damaged"),
        (lambda folder: truncate(folder / "weights.safetensors"), "weights.safetensors is damaged"),
        (lambda folder: flip_last(folder / "weights.safetensors"), "weights.safetensors is damaged (its bytes are not"),
        (lambda folder: (folder / "weights.safetensors").unlink(), "weights.safetensors is gone"),
    ],
)
def test_a_result_that_cannot_be_read_is_trained_again_with_a_note(
    trainer: Trainer, tmp_path: Path, damage: Callable[[Path], object], said: str
) -> None:
    assert trained(trainer, tmp_path / "0") == []
    weights = (tmp_path / "0" / "weights.safetensors").read_bytes()
    assert trained(trainer, tmp_path / "0") == []
    damage(tmp_path / "0")
    notes = trained(trainer, tmp_path / "0")
    assert len(notes) == 1
    assert said in notes[0]
    assert "the network is trained again" in notes[0]
    assert read_result(tmp_path / "0", network()) is not None
    assert (tmp_path / "0" / "weights.safetensors").read_bytes() == weights


@pytest.mark.parametrize(
    "damage", [truncate, flip, lambda path: path.write_bytes(b""), lambda path: path.write_text("x")]
)
def test_a_training_whose_checkpoint_cannot_be_read_begins_again_with_a_note(
    trainer: Trainer, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    trained(trainer, tmp_path / "0")
    (tmp_path / "1").mkdir()
    write_checkpoint(tmp_path / "1" / "checkpoint.pt", {"format": 3, "network": {"a": torch.zeros(1000)}})
    damage(tmp_path / "1" / "checkpoint.pt")
    notes = trained(trainer, tmp_path / "1")
    assert len(notes) == 1
    assert "checkpoint.pt is damaged" in notes[0]
    assert "this training begins again" in notes[0]
    files = (tmp_path / name / "weights.safetensors" for name in "01")
    assert len({file.read_bytes() for file in files}) == 1


def test_a_study_that_was_moved_away_is_not_begun_anew_in_its_place(trainer: Trainer, tmp_path: Path) -> None:
    study = tmp_path / "study"
    study.mkdir()
    trained(trainer, study / "trials" / "00000")
    study.rename(tmp_path / "away")
    with pytest.raises(MachineError, match=r"^cannot make .*00001: No such file or directory; .* bring it back"):
        trained(trainer, study / "trials" / "00001")
    assert not study.exists()


def test_a_checkpoint_that_a_finished_training_could_not_remove_goes_with_the_next_run(
    trainer: Trainer, tmp_path: Path
) -> None:
    trained(trainer, tmp_path / "0")
    (tmp_path / "0" / "checkpoint.pt").write_bytes(b"left")
    assert trained(trainer, tmp_path / "0") == []
    assert sorted(path.name for path in (tmp_path / "0").iterdir()) == ["result.json", "weights.safetensors"]


def test_a_checkpoint_with_one_flipped_bit_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    write_checkpoint(path, {"a": torch.zeros(1000)})
    assert read_checkpoint(path, torch.device("cpu")) is not None
    assert read_checkpoint(tmp_path / "none", torch.device("cpu")) is None
    flip(path)
    with pytest.raises(TrainingError, match=r"c.pt is damaged .*delete it to train from the first epoch again$"):
        read_checkpoint(path, torch.device("cpu"))


@pytest.mark.parametrize("part", ["network", "optimizer", "curve", "losses"])
def test_a_checkpoint_that_fits_in_part_is_not_taken_in_part(trainer: Trainer, tmp_path: Path, part: str) -> None:
    from igcnas.network.plan import plan
    from igcnas.training.recipes import short_recipe

    def engine() -> Engine:
        return Engine(
            plan(network()), trainer.data, short_recipe(trainer.setup.training), seed=5, checkpoint=tmp_path / "c.pt"
        )

    other = engine()
    for parameter in other.network.parameters():
        parameter.data.add_(1.0)
    other.save()
    state = read_checkpoint(tmp_path / "c.pt", torch.device("cpu"))
    assert state is not None
    if part == "network":
        state["network"].popitem()
    else:
        state[part] = {"optimizer": {}, "curve": [[1]], "losses": 3}[part]
    write_checkpoint(tmp_path / "c.pt", state)
    notes: list[str] = []
    fresh, wanted = engine(), engine()
    assert not fresh.load(notes.append)
    assert len(notes) == 1
    assert "does not fit this network" in notes[0]
    for name, tensor in wanted.network.state_dict().items():
        assert torch.equal(fresh.network.state_dict()[name], tensor)


@pytest.mark.parametrize("name", ["SIGBUS", "SIGXCPU"])
def test_a_worker_that_the_machine_ends_stops_the_search_and_marks_no_network(tmp_path: Path, name: str) -> None:
    number = getattr(signal, name)

    def end(_report: object) -> None:
        assert evaluator.pid is not None
        os.kill(evaluator.pid, number)

    with ProcessEvaluator(setup(2)) as evaluator, pytest.raises(MachineError) as caught:
        evaluator(network(), tmp_path / "0", end)
    assert str(caught.value).startswith(f"a training process was ended by the system with {name}: ")
    assert "; " in str(caught.value)  # and what to do


def test_an_export_of_weights_with_a_flipped_bit_is_refused(trainer: Trainer, tmp_path: Path) -> None:
    trained(trainer, tmp_path / "0")
    check_weights(tmp_path / "0", network())
    flip_last(tmp_path / "0" / "weights.safetensors")
    with pytest.raises(StudyError, match=r"is damaged \(its bytes are not those that were written\); restore it from"):
        check_weights(tmp_path / "0", network())


# The controller


def test_a_network_is_not_closed_however_often_the_machine_fails(tmp_path: Path) -> None:
    settings = settings_of(SMALL)
    for _ in range(7):
        study = open_study(tmp_path, create_for=settings)
        search = Search(study, tmp_path, SMALL, settings, InTurn(_full), Quiet())
        with pytest.raises(MachineError, match="No space left on device"):
            search.run(3)
    assert [record.state for record in records(open_study(tmp_path))] == ["running"]
    Search(study, tmp_path, SMALL, settings, InTurn(Trainings()), Quiet()).run(3)
    assert [record.state for record in records(open_study(tmp_path))] == ["complete"] * 3


def _full(*_: object) -> Outcome:
    raise MachineError("cannot write checkpoint.pt: No space left on device")


def test_a_holder_that_cannot_write_its_name_holds_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with lock_study(tmp_path), pytest.raises(IgcnasError, match="is in use by process unknown"), lock_study(tmp_path):
        pass
