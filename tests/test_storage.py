"""The journal against real processes and real SIGKILLs; `stock` is Optuna's own backend, which must read our file."""

from __future__ import annotations

import errno
import multiprocessing
import os
import pickle
import random
import resource
import signal
import subprocess
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

import igcnas.search.storage
from igcnas.errors import MachineError, StudyError
from igcnas.search.storage import JournalBackend, is_locked, lock_study, open_storage, place_of

fcntl = pytest.importorskip("fcntl")
optuna.logging.set_verbosity(optuna.logging.WARNING)

# A fork server: children start in milliseconds and inherit no threads or locks of the test process.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["optuna", "pytest"])

NAME = "tiny-40"
MEGABYTE = 1_000_000


def new_study(path: Path, trials: int) -> optuna.Study:
    study = optuna.create_study(storage=open_storage(path), study_name=NAME)
    for _ in range(trials):
        run_trial(study)
    return study


def run_trial(study: optuna.Study, value: float = 1.0) -> int:
    trial = study.ask()
    trial.suggest_int("num_blocks", 1, 4)
    trial.set_user_attr("arch", "x" * 40)
    study.tell(trial, value)
    return trial.number


def load(path: Path) -> optuna.Study:
    return optuna.load_study(storage=open_storage(path), study_name=NAME)


def load_stock(path: Path) -> optuna.Study:
    return optuna.load_study(storage=JournalStorage(JournalFileBackend(str(path))), study_name=NAME)


def states(study: optuna.Study) -> str:
    """One letter a trial: C(omplete), R(unning)."""
    return "".join(trial.state.name[0] for trial in study.get_trials(deepcopy=False))


def start(target, *args) -> tuple[multiprocessing.Process, Connection]:
    here, there = processes.Pipe()
    process = processes.Process(target=target, args=(there, *args), daemon=True)
    process.start()
    there.close()
    return process, here


def hear(connection: Connection) -> object:
    assert connection.poll(60), "the child process never reported"
    return connection.recv()


def kill(process: multiprocessing.Process) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL


# --- torn tails ---------------------------------------------------------------------------------------------------


def test_a_last_record_torn_at_any_byte_costs_only_itself(tmp_path):
    study = new_study(tmp_path / "whole.log", 2)
    study.ask().set_user_attr("arch", "y" * 40)
    whole = (tmp_path / "whole.log").read_bytes()
    first_trials = study.trials[:2]
    last = whole.splitlines(keepends=True)[-1]
    for lost in range(1, len(last) + 1):
        path = tmp_path / f"{lost}.log"
        path.write_bytes(whole[:-lost])
        study = load(path)
        assert states(study) == "CCR"
        study.tell(study.ask(), 7.0)
        stock = load_stock(path)
        assert states(stock) == "CCRC"
        assert stock.trials[:2] == first_trials
        assert stock.trials[2].user_attrs == {}
        assert stock.trials[3].value == 7.0


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param(b"\0", id="nul"),
        pytest.param(b"\0" * 5000, id="nul page"),
        pytest.param(b"\0" * 300 + b"\n", id="nul line"),
        pytest.param(b'{"op_code":8,"wor' + b"\0" * 200, id="half a record, then nul"),
        pytest.param(b'{"op_code":8,"worker\n', id="half a record, then newline"),
        pytest.param(b"\xff\xfe\x00\n", id="not utf-8"),
        pytest.param(b"\n", id="empty line"),
        pytest.param(b"17\n", id="json, but no object"),
        pytest.param(b'{"macs":3375424}\n', id="json, but no record"),
        pytest.param(b"\0\0\n\xff\n{", id="three lines"),
    ],
)
def test_garbage_behind_the_last_record_is_passed_over_and_cut_off(tmp_path, tail):
    path = tmp_path / "journal.log"
    new_study(path, 2)
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    study = load(path)
    assert states(study) == "CC"
    assert path.read_bytes() == whole + tail  # to read is not to repair
    run_trial(study)
    assert path.read_bytes().startswith(whole + b'{"op_code"')
    assert states(load_stock(path)) == "CCC"


@pytest.mark.parametrize("torn", [b"", b"{", b'{"op_code":0,"worker', b"\0" * 40, b'{"op_\0\0\0\0\0\0'])
def test_a_study_killed_in_its_very_first_record_starts_anew(tmp_path, torn):
    path = tmp_path / "journal.log"
    path.write_bytes(torn)
    new_study(path, 1)
    assert states(load_stock(path)) == "C"


def test_a_record_that_is_being_written_is_not_there_until_its_newline_is(tmp_path):
    path = tmp_path / "journal.log"
    study = new_study(path, 1)
    reader = load(path)
    study.ask()
    whole = path.read_bytes()
    half = len(whole) - 20
    path.write_bytes(whole[:half])
    assert states(reader) == states(load(path)) == "C"
    with path.open("ab") as file:
        file.write(whole[half:])
    assert states(reader) == states(load(path)) == "CR"


def test_nobody_repairs_the_journal_while_a_reader_looks_for_its_end(tmp_path, monkeypatch):
    # Else the head of a torn line, read before a repair, and the tail of its successor could make up a record.
    path = tmp_path / "journal.log"
    new_study(path, 1)
    path.write_bytes(path.read_bytes() + b'{"op_code":8,')
    refusals = []
    find_end = JournalBackend._find_end

    def find_end_with_a_rival(backend, file):
        side_file = os.open(f"{path}.flock", os.O_RDWR)
        with pytest.raises(BlockingIOError) as refusal:
            fcntl.flock(side_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(side_file)
        refusals.append(refusal)
        return find_end(backend, file)

    monkeypatch.setattr(JournalBackend, "_find_end", find_end_with_a_rival)
    assert states(load(path)) == "C"
    assert refusals


def test_a_file_that_is_no_journal_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "trials.csv"
    path.write_bytes(b"number,macs\n1,3375424")
    with pytest.raises(StudyError, match=r"trials\.csv is not a journal of Optuna"):
        open_storage(path)
    with pytest.raises(StudyError, match=r"trials\.csv is not a journal of Optuna"):
        JournalBackend(path).append_logs([{"op_code": 0}])
    assert path.read_bytes() == b"number,macs\n1,3375424"


def test_damage_in_the_middle_names_the_line(tmp_path):
    path = tmp_path / "journal.log"
    new_study(path, 2)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], b'{"op_code":8,{"op_code":4}\n', *lines[3:]]))
    with pytest.raises(StudyError, match=r"journal\.log is damaged at line 4; remove that line to go on"):
        load(path)
    path.write_bytes(b"".join(lines))
    assert states(load(path)) == "CC"


def test_damage_in_the_line_that_makes_the_study_leaves_nothing_to_keep(tmp_path):
    path = tmp_path / "journal.log"
    new_study(path, 1)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([b'{"op_code":0,}\n', *lines[1:]]))
    with pytest.raises(StudyError) as caught:
        load(path)
    assert str(caught.value) == (f"journal {path} is damaged at line 1; restore it from a copy, or start another study")
    path.write_bytes(b"".join([*lines[:1], b'{"op_code":4,}\n', *lines[1:]]))
    with pytest.raises(StudyError, match="at line 2; restore it from a copy, or keep the 1 lines before it alone"):
        load(path)


def test_an_operation_that_optuna_does_not_know_is_named(tmp_path):
    path = tmp_path / "journal.log"
    new_study(path, 1)
    whole = path.read_bytes()
    for number in (11, -1):
        path.write_bytes(whole + b'{"op_code":%d,"worker_id":"w"}\n' % number)
        with pytest.raises(StudyError, match=f"unknown op_code '{number}'"):
            load(path)
    path.write_bytes(whole + b'{"op_code":10,"worker_id":"w"}\n')  # the last one that it knows: a note, passed over
    assert states(load(path)) == "C"


def test_a_journal_gives_its_records_again_from_any_number(tmp_path):
    path = tmp_path / "journal.log"
    new_study(path, 3)
    backend = JournalBackend(path)
    every = list(backend.read_logs(0))
    assert len(every) > 10
    for start in (5, 0, len(every) - 1, 1, len(every)):
        assert list(backend.read_logs(start)) == every[start:]


def test_records_are_named_by_their_journal_or_else_by_their_study(tmp_path):
    path = tmp_path / "journal.log"
    assert place_of(new_study(path, 0)) == f"journal {path}"
    assert place_of(optuna.create_study(study_name="here")) == "study 'here'"


# --- killed writers -----------------------------------------------------------------------------------------------


def write_big_trials(parent: Connection, path: Path) -> None:
    study = load(path)
    while True:
        trial = study.ask()
        trial.set_user_attr("curve", f"{trial.number:07d}" * (MEGABYTE // 7))
        study.tell(trial, float(trial.number))
        parent.send(trial.number)


def test_no_acknowledged_trial_is_lost_when_writers_of_big_records_are_killed(tmp_path):
    path = tmp_path / "journal.log"
    new_study(path, 0)
    moments = random.Random(0)
    acknowledged: list[int] = []
    for _ in range(6):
        process, child = start(write_big_trials, path)
        acknowledged.append(hear(child))
        time.sleep(moments.uniform(0, 0.02))
        kill(process)
        while child.poll():  # what it said before it died; the pipe then reports the end of the file
            try:
                acknowledged.append(child.recv())
            except EOFError:
                break
        study = load(path)
        run_trial(study, -1.0)
    for study in load(path), load_stock(path):
        trials = study.trials
        assert [trial.number for trial in trials] == list(range(len(trials)))
        for number in acknowledged:
            assert trials[number].value == number
            assert trials[number].user_attrs["curve"] == f"{number:07d}" * (MEGABYTE // 7)
        assert sum(trial.value == -1.0 for trial in trials) == 6


def die_with_half_a_record_written(parent: Connection, path: Path) -> None:
    with JournalBackend(path)._only_writer(), path.open("ab", buffering=0) as file:
        file.write(b'{"op_code":8,"worker_id":"')
        parent.send("half")
        time.sleep(600)


def test_the_lock_of_a_killed_writer_is_free_at_once(tmp_path):
    path = tmp_path / "journal.log"
    study = new_study(path, 1)
    process, child = start(die_with_half_a_record_written, path)
    hear(child)
    side_file = os.open(f"{path}.flock", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(side_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    kill(process)
    fcntl.flock(side_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(side_file)
    run_trial(study)
    assert states(load_stock(path)) == "CC"


def fill_the_disk(parent: Connection, path: Path) -> None:
    study = load(path)
    trial = study.ask()
    room = path.stat().st_size + 1000
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    try:
        trial.set_user_attr("curve", "x" * 5000)
    except MachineError as error:
        parent.send((str(error), path.stat().st_size == room))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    trial.set_user_attr("curve", "z")
    study.tell(trial, 3.0)


def test_a_full_disk_is_told_and_the_same_process_goes_on_once_there_is_room(tmp_path):
    path = tmp_path / "journal.log"
    new_study(path, 1)
    process, child = start(fill_the_disk, path)
    message, part_was_written = hear(child)
    process.join()
    assert message == (
        f"cannot write journal {path}: No space left on device; make room and run the same command again"
    )
    assert part_was_written
    assert states(load_stock(path)) == "CC"
    assert load_stock(path).trials[1].user_attrs == {"curve": "z"}


def test_a_record_that_does_not_fit_is_said_and_the_next_one_takes_its_place(tmp_path):
    path = tmp_path / "journal.log"
    study = new_study(path, 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, before[1]))
    try:
        with pytest.raises(MachineError, match=r"^cannot write journal .*: No space left on device; make room"):
            study.set_user_attr("curve", "x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    study.set_user_attr("curve", "z")
    assert load_stock(path).user_attrs == {"curve": "z"}


def test_a_journal_longer_than_any_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "journal.log"
    new_study(path, 1)
    size = path.stat().st_size
    monkeypatch.setattr(igcnas.search.storage, "_MOST_BYTES", size)
    assert states(load(path)) == "C"
    monkeypatch.setattr(igcnas.search.storage, "_MOST_BYTES", size - 1)
    with pytest.raises(StudyError, match=f"journal.log has more than the {size - 1:,} bytes of any journal; give"):
        load(path)


# --- writers side by side -----------------------------------------------------------------------------------------


def write_trials(parent: Connection, path: Path, count: int, value: float) -> None:
    study = load(path)
    parent.send("ready")
    parent.recv()
    parent.send([run_trial(study, value) for _ in range(count)])


def test_two_processes_lose_nothing_and_share_no_number(tmp_path):
    path = tmp_path / "journal.log"
    new_study(path, 0)
    writers = [start(write_trials, path, 30, value) for value in (1.0, 2.0)]
    for _, child in writers:
        hear(child)
    for _, child in writers:
        child.send("go")
    numbers = [hear(child) for _, child in writers]
    for process, _ in writers:
        process.join()
    assert sorted(numbers[0] + numbers[1]) == list(range(60))
    trials = load_stock(path).trials
    assert [trials[number].value for number in numbers[0] + numbers[1]] == [1.0] * 30 + [2.0] * 30


def test_threads_may_share_one_backend(tmp_path):
    path = tmp_path / "journal.log"
    new_study(path, 0)
    backend = JournalBackend(path)
    studies = [optuna.load_study(storage=JournalStorage(backend), study_name=NAME) for _ in range(4)]
    threads = [threading.Thread(target=lambda s=s: [run_trial(s) for _ in range(10)]) for s in studies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [states(study) for study in [*studies, load_stock(path)]] == ["C" * 40] * 5


# --- an ordinary Optuna journal -----------------------------------------------------------------------------------


def test_optuna_reads_our_journal_and_we_read_one_of_optuna(tmp_path):
    new_study(tmp_path / "ours.log", 3)
    assert load_stock(tmp_path / "ours.log").trials == load(tmp_path / "ours.log").trials
    stock = JournalStorage(JournalFileBackend(str(tmp_path / "theirs.log")))
    run_trial(optuna.create_study(storage=stock, study_name=NAME))
    run_trial(load(tmp_path / "theirs.log"))
    assert states(load_stock(tmp_path / "theirs.log")) == "CC"


def test_a_record_that_optuna_refuses_does_not_stop_the_reading(tmp_path):
    storage = open_storage(tmp_path / "journal.log")
    study = optuna.create_study(storage=storage, study_name=NAME)
    with pytest.raises(optuna.exceptions.DuplicatedStudyError):
        optuna.create_study(storage=storage, study_name=NAME)
    run_trial(study)
    assert states(study) == states(load_stock(tmp_path / "journal.log")) == "C"


def test_what_was_read_once_is_never_read_again(tmp_path, monkeypatch):
    path = tmp_path / "journal.log"
    study = new_study(path, 10)
    with path.open("r+b") as file:
        file.write(b" " * (path.stat().st_size - 1))  # all but the last newline
    parsed: list[bytes] = []
    parse = igcnas.search.storage._parse
    monkeypatch.setattr(igcnas.search.storage, "_parse", lambda line: parsed.append(line) or parse(line))
    study.set_user_attr("seed", 1)
    assert study.user_attrs == {"seed": 1}
    assert len(parsed) == 1


def test_an_append_ends_when_the_disk_has_it(tmp_path, monkeypatch):
    study = new_study(tmp_path / "journal.log", 0)
    synced: list[bytes] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append((tmp_path / "journal.log").read_bytes()))
    study.set_user_attr("seed", 1)
    assert synced == [(tmp_path / "journal.log").read_bytes()]


def test_a_storage_survives_pickling(tmp_path):
    storage = open_storage(tmp_path / "journal.log")
    run_trial(optuna.create_study(storage=storage, study_name=NAME))
    study = optuna.load_study(storage=pickle.loads(pickle.dumps(storage)), study_name=NAME)
    run_trial(study)
    assert states(study) == states(load(tmp_path / "journal.log")) == "CC"


def test_the_journal_stays_where_it_was_opened(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    study = new_study(Path("journal.log"), 0)
    monkeypatch.chdir(tmp_path / "elsewhere")
    run_trial(study)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert states(load(tmp_path / "journal.log")) == "C"


def test_reading_leaves_no_file_behind(tmp_path):
    new_study(tmp_path / "journal.log", 1)
    (tmp_path / "journal.log.flock").unlink()
    assert states(load(tmp_path / "journal.log")) == "C"
    with pytest.raises(KeyError):
        load(tmp_path / "other.log")
    assert [file.name for file in tmp_path.iterdir()] == ["journal.log"]


@pytest.mark.parametrize("lose", [Path.unlink, lambda path: path.write_bytes(b"")], ids=["removed", "emptied"])
def test_a_journal_that_was_lost_while_open_is_not_written_to(tmp_path, lose):
    path = tmp_path / "journal.log"
    study = new_study(path, 2)
    lose(path)
    assert states(study) == "CC"
    with pytest.raises(StudyError, match="was cut or replaced while it was open"):
        study.ask()
    assert path.read_bytes() == b""


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(StudyError, match=r"study folder .*nowhere does not exist"):
        open_storage(tmp_path / "nowhere" / "journal.log")


def test_without_kernel_locks_the_journal_still_works(tmp_path, monkeypatch):
    monkeypatch.setattr(igcnas.search.storage, "fcntl", None)
    path = tmp_path / "journal.log"
    new_study(path, 2)
    path.write_bytes(path.read_bytes() + b"{")
    run_trial(load(path))
    assert states(load_stock(path)) == "CCC"
    assert [file.name for file in tmp_path.iterdir()] == ["journal.log"]  # Optuna's lock file is gone again


# --- one search per folder ----------------------------------------------------------------------------------------


def hold_study(parent: Connection, folder: Path, offspring: str = "none") -> None:
    with lock_study(folder):
        child = 0
        if offspring == "fork":
            if os.fork() == 0:
                parent.send(os.getpid())  # the child says so itself: it has run, so it has let go of the lock
            time.sleep(600)
        elif offspring == "program":
            child = subprocess.Popen(["sleep", "600"], close_fds=False).pid
        parent.send(child)
        time.sleep(600)


def test_a_second_search_in_a_folder_is_refused_until_the_first_is_killed(tmp_path):
    (tmp_path / "lock").write_text("123456789\n")  # of a search long ago
    process, child = start(hold_study, tmp_path)
    hear(child)
    with pytest.raises(StudyError) as refusal, lock_study(tmp_path):
        pass
    assert str(refusal.value) == (
        f"study folder {tmp_path} is in use by process {process.pid}; "
        "wait until it ends, end it, or use another --study name"
    )
    kill(process)
    with lock_study(tmp_path):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
        with pytest.raises(StudyError, match=f"process {os.getpid()};"), lock_study(tmp_path):
            pass
    with lock_study(tmp_path):
        pass


@pytest.mark.parametrize("offspring", ["fork", "program"])
def test_a_child_that_outlives_a_killed_search_does_not_keep_its_lock(tmp_path, offspring):
    process, child = start(hold_study, tmp_path, offspring)
    orphan = hear(child)
    try:
        kill(process)
        os.kill(orphan, 0)  # alive
        with lock_study(tmp_path):
            pass
    finally:
        os.kill(orphan, signal.SIGKILL)


def fork_and_leave(parent: Connection, folder: Path) -> None:
    with lock_study(folder.parent):
        pass
    null = os.open(os.devnull, os.O_WRONLY)  # takes the number that lock had: the fork must not close it
    with lock_study(folder):
        with lock_study(folder.parent):
            child = os.fork()
        if child == 0:
            os._exit(os.write(null, b"left") - 4)  # reached if the copy of the inner block ended quietly
        parent.send(os.waitpid(child, 0)[1])
        parent.recv()
    os.close(null)


def test_a_fork_that_leaves_the_block_keeps_the_lock_of_its_parent(tmp_path):
    folder = tmp_path / NAME
    folder.mkdir()
    process, child = start(fork_and_leave, folder)
    assert hear(child) == 0
    with pytest.raises(StudyError, match=f"in use by process {process.pid};"), lock_study(folder):
        pass
    child.send("go")
    process.join()
    assert process.exitcode == 0


def test_a_lock_is_seen_from_outside_while_it_is_held(tmp_path):
    assert not is_locked(tmp_path)
    with lock_study(tmp_path):
        assert is_locked(tmp_path)
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    assert (tmp_path / "lock").exists()
    assert not is_locked(tmp_path)


def test_a_blocked_body_is_not_taken_for_a_held_lock(tmp_path):
    with pytest.raises(BlockingIOError), lock_study(tmp_path):
        raise BlockingIOError


def test_a_study_folder_that_cannot_be_locked_is_named(tmp_path):
    with (
        pytest.raises(MachineError, match=r"cannot lock .*nowhere/lock: No such file or directory"),
        lock_study(tmp_path / "nowhere"),
    ):
        pass


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP])
def test_a_disk_without_locks_is_told_from_one_that_fails(tmp_path, monkeypatch, code):
    def failing(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", failing)
    with (
        pytest.raises(StudyError, match=r"^cannot lock .*lock: .*; use a folder on a local disk$"),
        lock_study(tmp_path),
    ):
        pass


def test_nobody_is_said_to_hold_a_lock_that_may_not_be_opened(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with lock_study(tmp_path):
        with monkeypatch.context() as patched:
            patched.setattr(os, "open", refuse)
            assert is_locked(tmp_path) is False
        assert is_locked(tmp_path) is True


def test_a_fork_lets_go_of_every_lock_of_its_parent(tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    with lock_study(folders[0]), lock_study(folders[1]):
        igcnas.search.storage._close_held()  # what a forked child does before anything else
        assert [is_locked(folder) for folder in folders] == [False, False]
    with lock_study(folders[0]):
        assert is_locked(folders[0])


def next_descriptor() -> int:
    descriptor = os.open(os.devnull, os.O_RDONLY)
    os.close(descriptor)
    return descriptor


def test_asking_who_holds_a_lock_keeps_no_file_open(tmp_path):
    before = next_descriptor()
    assert is_locked(tmp_path) is False
    with lock_study(tmp_path):
        assert is_locked(tmp_path) is True
    assert is_locked(tmp_path) is False
    assert next_descriptor() == before


@pytest.mark.parametrize(
    ("written", "named"), [(b"", "process unknown"), (b"\xff7", "process .*7"), (b"12\n", "process 12;")]
)
def test_a_lock_whose_holder_has_no_name_or_an_odd_one_is_still_a_lock(tmp_path, written, named):
    with lock_study(tmp_path):
        (tmp_path / "lock").write_bytes(written)
        with pytest.raises(StudyError, match=named), lock_study(tmp_path):
            pass


def test_what_a_killed_process_left_in_a_journal_is_cut_off_and_said(tmp_path, caplog):
    path = tmp_path / "journal.log"
    study = new_study(path, 1)
    with path.open("ab") as file:
        file.write(b'{"op_code"')
    run_trial(study)
    assert "cut off 10 bytes" in caplog.text
