"""MPS with a control program that is not NVIDIA's: it says what it was told, and its daemon is a sleeping process."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.mps import UUIDS, slots

from igcnas.search.evaluation import Slot, gpus
from igcnas.search.evaluation.gpus import Gpu
from igcnas.search.evaluation.mps import PROGRAM, Mps

# Its daemon is there as long as the file of its process id is.
CONTROL = """#!/bin/bash
pipes=${CUDA_MPS_PIPE_DIRECTORY:-FOLDER/usual}
if [ "$1" = -d ]; then
    echo "start for $CUDA_VISIBLE_DEVICES" >> FOLDER/told
    [ -e FOLDER/refuses ] && { echo "The server refused"; exit 1; }
    stat -c %a "$(dirname "$pipes")" > FOLDER/mode
    sleep 1000 &
    echo $! > "$pipes/control"
    exit 0
fi
read -r line
echo "$line" >> FOLDER/told
[ -e "$pipes/control" ] || { echo "Cannot find MPS control daemon process"; exit 1; }
if [ "$line" = quit ]; then
    [ -e FOLDER/stubborn ] && exit 0
    kill "$(cat "$pipes/control")"
    rm "$pipes/control"
fi
"""
# A torch that has as many GPUs as are visible, and none under a daemon that has no server.
TORCH = """
import os
class _About:
    name = "NVIDIA of this test"
    def __init__(self, uuid): self.uuid = uuid
class cuda:
    @staticmethod
    def get_device_properties(index):
        if os.path.exists("FOLDER/serverless") and "CUDA_MPS_PIPE_DIRECTORY" in os.environ:
            raise RuntimeError("CUDA error: MPS client failed to connect")
        if index == 7:
            raise RuntimeError("CUDA-capable device(s) is/are busy or unavailable")
        if index == 5:
            about = _About("12345678-1111-2222-3333-444444444444")
            about.name = "NVIDIA A100-SXM4-40GB MIG 1g.5gb"
            return about
        return _About(f"0000000{index}-1111-2222-3333-444444444444")
    @staticmethod
    def mem_get_info(index):
        print("a library says something")
        return 6_000_000_000, 8_000_000_000
"""


class Machine:
    """A folder with the control program, and what it was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        (folder / "usual").mkdir()
        control = folder / "bin" / PROGRAM
        control.write_text(CONTROL.replace("FOLDER", str(folder)))
        control.chmod(0o755)
        (folder / "modules").mkdir()
        (folder / "modules" / "torch.py").write_text(TORCH.replace("FOLDER", str(folder)))

    def but(self, fault: str) -> None:
        """From now on it refuses, is stubborn, or has no server."""
        (self.folder / fault).touch()

    @property
    def told(self) -> list[str]:
        file = self.folder / "told"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def left(self) -> list[Path]:
        """Folders of daemons of searches."""
        return sorted(self.folder.glob("igcnas-*/*mps-*"))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    folder = Path(tempfile.mkdtemp(prefix="m", dir="/tmp"))  # names of sockets must be short
    found = Machine(folder)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.syspath_prepend(str(folder / "modules"))
    for name in ("CUDA_MPS_PIPE_DIRECTORY", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    yield found
    for control in folder.rglob("control"):
        if control.read_text().strip():
            os.kill(int(control.read_text()), signal.SIGKILL)
    shutil.rmtree(folder)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_workers_that_share_a_gpu_have_a_daemon_for_as_long_as_they_need_it(machine: Machine) -> None:
    notes: list[str] = []
    with Mps(notes.append) as mps:
        first, second, alone = mps.share(slots(2, 1))
        assert first == second
        assert first.mps is not None
        assert first.environment == {"CUDA_VISIBLE_DEVICES": UUIDS[0], "CUDA_MPS_PIPE_DIRECTORY": first.mps}
        assert (first.seen_as, first.device) == ("cuda:0", "cuda:0")
        assert (alone.environment, alone.seen_as) == ({"CUDA_VISIBLE_DEVICES": "1"}, "cuda:0")
        pid = int(Path(first.mps, "control").read_text())
        assert runs(pid)
        assert (machine.folder / "mode").read_text() == "700\n"
        assert stat.S_IMODE(Path(first.mps).stat().st_mode) == 0o700
    assert not runs(pid)
    assert machine.told[-3:] == ["get_server_list", "quit", "get_server_list"]
    assert f"start for {UUIDS[0]}" in machine.told  # and for no other GPU
    assert machine.left == []
    assert notes == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_the_daemon_ends_however_the_search_does(machine: Machine, error: type[BaseException]) -> None:
    def search() -> None:
        with Mps(print) as mps:
            mps.share(slots(2))
            raise error

    with pytest.raises(error):
        search()
    assert machine.told.count("quit") == 1
    assert machine.left == []


@pytest.mark.parametrize("named", [True, False])
def test_a_daemon_that_is_not_ours_is_used_and_left_alone(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    own = machine.folder / ("own" if named else "usual")
    own.mkdir(exist_ok=True)
    (own / "control").touch()
    if named:
        monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(own))
    with Mps(print) as mps:
        assert mps.share(slots(2)) == slots(2)
    assert set(machine.told) <= {"get_server_list"}
    assert (own / "control").exists()


def test_a_folder_of_pipes_that_nobody_serves_is_not_waited_for(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(machine.folder / "own"))
    with Mps(print) as mps:
        assert mps.share(slots(2))[0].mps not in (None, str(machine.folder / "own"))


def test_where_nobody_shares_a_gpu_nothing_is_started(machine: Machine) -> None:
    with Mps(print) as mps:
        for each in (slots(1, 1), [Slot(device="cpu", threads=1)] * 4):
            assert mps.share(each) == each
    assert machine.told == []


def test_without_the_program_the_search_goes_on_with_one_note(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with Mps(notes.append) as mps:
        assert mps.share(slots(2, 2)) == slots(2, 2)
    assert notes == [
        "several workers share a GPU without MPS, so their kernels take turns: nvidia-cuda-mps-control is not here"
    ]


@pytest.mark.parametrize(
    ("fault", "why"),
    [("refuses", "The server refused"), ("serverless", "a process under it saw 0 of 1 GPUs")],
)
def test_a_daemon_that_does_not_serve_is_done_without(machine: Machine, fault: str, why: str) -> None:
    notes: list[str] = []
    machine.but(fault)
    with Mps(notes.append) as mps:
        assert mps.share(slots(2)) == slots(2)
        assert machine.left == []  # at once, not at the end
    assert [note.rpartition(": ")[2] for note in notes] == [why]
    assert "quit" in machine.told or fault == "refuses"


def test_parts_of_a_gpu_are_shared_without_it(machine: Machine) -> None:
    notes: list[str] = []
    with Mps(notes.append) as mps:
        assert mps.share(slots(2, uuid=False)) == slots(2, uuid=False)
    assert len(notes) == 1
    assert "(MIG)" in notes[0]


def test_a_daemon_that_does_not_end_is_named_with_the_way_to_end_it(machine: Machine) -> None:
    notes: list[str] = []
    with Mps(notes.append) as mps:
        mps.share(slots(2))
        machine.but("stubborn")
    assert len(notes) == 1
    assert f"echo quit | CUDA_MPS_PIPE_DIRECTORY={machine.left[0] / 'pipes'} {PROGRAM}" in notes[0]


SEARCH = """
import sys, time
sys.path[:0] = sys.argv[1:]
from igcnas.search.evaluation.mps import Mps
from support.mps import slots
with Mps(print) as mps:
    print(mps.share(slots(2))[0].mps, flush=True)
    time.sleep(1000)
"""


def test_the_daemon_of_a_killed_search_is_ended_by_the_next_and_that_of_a_living_one_is_not(machine: Machine) -> None:
    words = [sys.executable, "-c", SEARCH, str(machine.folder / "modules"), str(Path(__file__).parent)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        pipes = Path(other.stdout.readline().strip())
        pid = int((pipes / "control").read_text())
        with Mps(print) as mps:
            mps.share(slots(1))
        assert runs(pid)
        assert machine.left == [pipes.parent]
        other.kill()
    assert runs(pid)  # nobody could end it
    with Mps(print) as mps:
        mps.share(slots(1))  # a search of one worker does, too
    end = time.monotonic() + 30
    while runs(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not runs(pid)
    assert machine.left == []


# What is known of the GPUs


def test_gpus_are_asked_in_a_process_of_its_own_and_those_that_do_not_answer_are_left_out(machine: Machine) -> None:
    found = gpus.ask([1, 5, 7])
    assert found[1] == Gpu(name="NVIDIA of this test", uuid=UUIDS[1], free_mb=6000.0, total_mb=8000.0)
    assert found[5].uuid is None  # of a part, torch may tell the UUID of the whole
    assert set(found) == {1, 5}


def test_of_gpus_of_which_nobody_tells_nothing_is_known(machine: Machine) -> None:
    (machine.folder / "modules" / "torch.py").write_text("raise ImportError('libcudart.so')")
    assert gpus.ask([0]) == {}


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        (None, ["0", "1"]),
        ("3, 5", ["3", "5"]),
        ("GPU-8932f937,GPU-3f8b", ["GPU-8932f937", "GPU-3f8b"]),
        ("MIG-GPU-8932f937/1/2", ["MIG-GPU-8932f937/1/2"]),
    ],
)
def test_a_worker_sees_one_of_the_gpus_that_the_user_has_left_visible(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, names: list[str]
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [gpus.name_for(index) for index in range(len(names))] == names
