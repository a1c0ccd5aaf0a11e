"""A fault of the machine stops a search in one line and is never a network's; what cannot be read is not there."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from test_search import SMALL, Quiet, Trainings, settings_of
from test_worker import network, setup

from benchmarks.full_disk import filled_search, left_behind, remount, run, small_disk
from benchmarks.kill_anywhere import differences, fingerprint, whole_search
from igcnas.errors import IgcnasError, MachineError, TrainingError
from igcnas.evaluation import InTurn, Outcome
from igcnas.records import records
from igcnas.search import Search
from igcnas.storage import lock_study
from igcnas.study import open_study
from igcnas.training import Engine
from igcnas.training.checkpoint import read_checkpoint, write_checkpoint
from igcnas.worker import Job, messages, read_result
from igcnas.worker.process import _farewell
from igcnas.worker.trainer import Trainer

SEARCH = [
    *["--budget-mflops", "0.05", "--networks", "2", "--epochs", "1", "--no-baselines", "--space", "igcv3"],
    *["--sampler", "random", "--workers", "1", "--seeds", "1"],
]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    try:
        with small_disk(place, 40):
            yield place
    except OSError as error:
        pytest.skip(f"this process may not mount a file system ({error})")


# The search


@pytest.mark.timeout(1200)  # three searches, in processes of their own
def test_a_search_that_met_a_full_disk_ends_as_an_undisturbed_one(disk: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    whole_search(alone, "study", SEARCH)
    stops = filled_search(disk, "study", SEARCH, kilobytes=40, step=4000)
    assert len(stops) == 1
    assert "No space left on device; make room and run the same command again; nothing is lost" in stops[0].line
    assert stops[0].left_behind == left_behind(disk) == ()
    assert differences(fingerprint(alone / "study"), fingerprint(disk / "studies" / "study")) == []


def test_a_disk_that_cannot_be_written_any_more_is_one_line(disk: Path) -> None:
    remount(disk, "size=4000k,ro")
    status, words = run(disk / "studies", "study", SEARCH)
    assert status == 2
    assert words.strip().splitlines()[-1].startswith("error: cannot make ")
    assert "Read-only file system" in words
    assert "Traceback" not in words


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
    trainer.run(Job(architecture=network(), folder=str(folder)), lambda _report: False)
    return notes


def truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: truncate(folder / "result.json"), "result.json is damaged"),
        (lambda folder: (folder / "result.json").write_text("[1]"), "result.json is damaged"),
        (lambda folder: (folder / "result.json").write_text('{"curve": 3}'), "result.json is damaged"),
        (lambda folder: truncate(folder / "weights.safetensors"), "weights.safetensors is damaged"),
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
    from igcnas.plan import plan
    from igcnas.recipes import short_recipe

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
