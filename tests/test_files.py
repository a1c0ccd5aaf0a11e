"""Files are there whole or not at all, and what a machine refuses is said in one line."""

from __future__ import annotations

import ast
import builtins
import errno
import fcntl
import os
import random
import re
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from igcnas.errors import MachineError
from igcnas.system.files import (
    append,
    going_on,
    machine_fault,
    naming_faults,
    read_back,
    replacing,
    replacing_folder,
    restore_folder,
    write_text,
    write_whole,
)
from igcnas.system.files import disk as disk_module

ROOT = Path(__file__).resolve().parent.parent
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kills processes, uses flock")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def failing(code: int, *, when: Callable[..., bool] = lambda *_: True, of: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        if when(*arguments):
            raise OSError(code, os.strerror(code))
        return of(*arguments, **options)

    return call


class _Full:
    """A file that takes half of what is written and then finds the disk full."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def __enter__(self) -> _Full:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def write(self, content: bytes) -> int:
        self.file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# Whole or not at all


@pytest.mark.parametrize("step", ["create", "write", "flush", "rename"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS])
def test_a_write_that_fails_at_any_step_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, code: int
) -> None:
    path = tmp_path / "result.json"
    write_text(path, "old")
    if step == "create":
        monkeypatch.setattr(os, "open", failing(code, when=lambda _p, flags, *_: flags & os.O_CREAT, of=os.open))
    elif step == "write":
        code, plain = errno.ENOSPC, builtins.open
        monkeypatch.setattr(builtins, "open", lambda *args, **options: _Full(plain(*args, **options)))
    else:
        name = "fsync" if step == "flush" else "replace"
        monkeypatch.setattr(os, name, failing(code, of=getattr(os, name)))
    with pytest.raises(MachineError) as caught:
        write_text(path, "new content")
    monkeypatch.undo()
    assert str(caught.value).startswith(f"cannot write {path}: {os.strerror(code)}; ")
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == ["result.json"]
    assert path.read_text() == "old"


def test_a_block_that_ends_in_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "curve.png"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:  # noqa: PT012 - the block is what is tested
        assert temporary.suffix == ".png"  # libraries choose the format by it
        temporary.write_text("half")
        raise ZeroDivisionError
    assert (names(tmp_path), path.read_text()) == (["curve.png"], "old")


WRITER = """
import sys
from pathlib import Path
from igcnas.system.files import write_whole
path, size, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
print("ready", flush=True)
for number in range(rounds):
    write_whole(path, bytes([number % 251]) * size)
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@LINUX
def test_a_writer_that_is_killed_leaves_a_whole_file_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    path, size, draws, left = tmp_path / "c.pt", 3_000_000, random.Random(0), 0
    write_whole(path, b"\xff" * size)
    for _ in range(6):
        with start(WRITER, path, size, 10**6) as process:
            time.sleep(draws.uniform(0.0, 0.1))
            process.kill()
        left = max(left, len(names(tmp_path)) - 1)
        content = path.read_bytes()
        assert (len(content), len(set(content))) == (size, 1)
    while not left:  # until a kill has fallen into a write
        with start(WRITER, path, size, 10**6) as process:
            time.sleep(draws.uniform(0.0, 0.1))
            process.kill()
        left = len(names(tmp_path)) - 1
    write_whole(path, b"after")
    assert (names(tmp_path), path.read_bytes()) == (["c.pt"], b"after")


@LINUX
def test_processes_that_write_the_same_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "cache.npz"
    writers = [start(WRITER, path, size, 60) for size in (50_000, 70_000, 90_000)]
    assert [process.wait() for process in writers] == [0, 0, 0]
    content = path.read_bytes()
    assert (len(content) in (50_000, 70_000, 90_000), len(set(content))) == (True, 1)
    assert names(tmp_path) == ["cache.npz"]
    for process in writers:
        assert process.stdout is not None
        process.stdout.close()


@LINUX
def test_a_file_that_somebody_is_writing_is_not_taken_for_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with replacing(path) as temporary:
        temporary.write_text("first")
        os.utime(temporary, (0, 0))  # slow, and alive
        write_text(path, "second")
        assert temporary.exists()
    assert (names(tmp_path), path.read_text()) == (["a.json"], "first")


def test_where_locks_do_not_tell_only_old_files_are_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, fresh = tmp_path / ".a.1234abcd.tmp.json", tmp_path / ".a.5678abcd.tmp.json"
    for path in (old, fresh):
        path.touch()
    os.utime(old, (0, 0))
    monkeypatch.setattr(fcntl, "flock", failing(errno.ENOLCK, of=fcntl.flock))
    write_text(tmp_path / "a.json", "text")
    assert names(tmp_path) == [fresh.name, "a.json"]


def test_a_new_file_has_the_mode_of_a_plain_open_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "new", "")
        (tmp_path / "plain").touch()
    finally:
        os.umask(before)
    (tmp_path / "old").touch(0o600)
    write_text(tmp_path / "old", "text")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("new", "plain", "old")]
    assert modes == [0o640, 0o640, 0o600]


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_a_link_and_what_it_points_to_is_written(tmp_path: Path, there: bool) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "page.html", tmp_path / "report.html"
    if there:
        target.write_text("old")
    link.symlink_to(target)
    write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert names(tmp_path / "elsewhere") == ["page.html"]


def test_what_is_no_file_is_written_into_and_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text(pipe, "text")
        assert os.read(reader, 100) == b"text"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    with pytest.raises(MachineError, match=r": Is a directory; move that folder away, or give another name$"):
        write_text(tmp_path, "text")


@pytest.mark.parametrize("name", ["x" * 255, "x" * 251 + ".png", "ä" * 127, "a." + "b" * 253, ".hidden", "two.dots.gz"])
def test_any_name_that_the_system_allows_can_be_written(tmp_path: Path, name: str) -> None:
    write_text(tmp_path / name, "old")
    write_text(tmp_path / name, "new")
    assert names(tmp_path) == [name]
    assert (tmp_path / name).read_text() == "new"


def test_a_name_that_is_too_long_is_said(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"File name too long; give a shorter name$"):
        write_text(tmp_path / ("x" * 256), "text")
    assert names(tmp_path) == []


@pytest.mark.parametrize(("times", "goes_well"), [(3, True), (10**6, False)])
def test_a_file_that_windows_keeps_open_for_a_moment_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int, goes_well: bool
) -> None:
    left, rename = iter(range(times)), os.replace

    def sharing(source: Path, target: Path) -> None:
        if next(left, None) is not None:
            error = PermissionError(errno.EACCES, "used by another process")
            error.winerror = 32  # type: ignore[attr-defined,unused-ignore]
            raise error
        rename(source, target)

    monkeypatch.setattr(os, "replace", sharing)
    monkeypatch.setattr(disk_module, "_PAUSE", 0.0)
    if goes_well:
        write_text(tmp_path / "a", "text")
        assert (tmp_path / "a").read_text() == "text"
    else:
        with pytest.raises(MachineError, match="used by another process"):
            write_text(tmp_path / "a", "text")
        assert names(tmp_path) == []


def test_a_file_system_that_cannot_flush_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", failing(errno.EINVAL, of=os.fsync))
    write_text(tmp_path / "a", "text")
    assert (tmp_path / "a").read_text() == "text"


def test_file_and_folder_are_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda fd: flushed.append(stat.S_ISDIR(os.fstat(fd).st_mode)))
    write_text(tmp_path / "a", "text")
    assert flushed == [False, True]


# Folders

SWAPPER = """
import sys
from pathlib import Path
from igcnas.system.files import replacing_folder
print("ready", flush=True)
for number in range(10**6):
    with replacing_folder(Path(sys.argv[1])) as folder:
        for name in "abc":
            (folder / name).write_text(str(number))
"""


@LINUX
def test_a_folder_is_whole_after_any_kill_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    folder, draws = tmp_path / "best", random.Random(1)
    with replacing_folder(folder) as new:
        for name in "abc":
            (new / name).write_text("first")
    for _ in range(8):
        with start(SWAPPER, folder) as process:
            time.sleep(draws.uniform(0.0, 0.05))
            process.kill()
        restore_folder(folder)
        assert names(tmp_path) == ["best"]
        assert len({(folder / name).read_text() for name in "abc"}) == 1


def test_a_folder_that_a_killed_process_had_moved_away_comes_back(tmp_path: Path) -> None:
    (tmp_path / ".best.1234abcd.old").mkdir()
    (tmp_path / ".best.1234abcd.old" / "card.md").touch()
    (tmp_path / ".best.4321.new").mkdir()  # as earlier versions left it
    restore_folder(tmp_path / "best")
    assert names(tmp_path) == ["best"]
    assert names(tmp_path / "best") == ["card.md"]


@pytest.mark.parametrize(
    ("found", "after"),
    [
        (("best", ".best.12.old"), {"best": "best"}),  # killed before it took the old one away
        (("best", ".best.12.new"), {"best": "best"}),  # killed while it wrote
        (("best", ".best.12.old", ".best.12.new"), {"best": "best"}),
        ((".best.12.old",), {"best": ".best.12.old"}),  # killed between the two renames
        ((".best.12.old", ".best.12.new"), {"best": ".best.12.old"}),
        ((".best.12.new", ".best.12.old"), {"best": ".best.12.old"}),
        ((".best.12.new",), {}),  # the first one, half written: it is never taken for a whole one
        ((".best.12.old", ".best.34.old"), {"best": ".best.34.old"}),  # the last one that was moved away
        ((".best.12.new", ".best.34.new"), {}),
        (("best",), {"best": "best"}),
        ((), {}),
    ],
)
def test_whatever_a_kill_left_the_last_whole_folder_is_there_and_nothing_else(
    tmp_path: Path, found: tuple[str, ...], after: dict[str, str]
) -> None:
    for place, name in enumerate(found):
        (tmp_path / name).mkdir()
        (tmp_path / name / "card.md").write_text(name)
        os.utime(tmp_path / name, (place, place))
    restore_folder(tmp_path / "best")
    assert {path.name: (path / "card.md").read_text() for path in tmp_path.iterdir()} == after


def test_a_folder_that_somebody_writes_and_those_of_other_names_are_left_alone(tmp_path: Path) -> None:
    others = [".best.new", ".best.mine.old", ".bestial.12.old", "best.12.old", ".best.12.tmp", ".best.12.oldest"]
    for name in others:
        (tmp_path / name).mkdir()
    with replacing_folder(tmp_path / "best") as new:
        (new / "card.md").write_text("whole")
        os.utime(new, (0, 0))  # slow, and alive
        restore_folder(tmp_path / "best")
        assert names(tmp_path) == sorted([new.name, *others])
    restore_folder(tmp_path / "best")
    assert names(tmp_path) == sorted(["best", *others])


@pytest.mark.parametrize("at", [1, 2])
def test_a_folder_that_cannot_be_renamed_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    folder, calls, rename = tmp_path / "best", [0], os.replace
    folder.mkdir()
    (folder / "old").touch()

    def full(source: Path, target: Path) -> None:
        calls[0] += 1
        if calls[0] == at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rename(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(MachineError, match=r"^cannot write .*best: No space"), replacing_folder(folder) as new:
        (new / "new").touch()
    assert (names(tmp_path), names(folder)) == (["best"], ["old"])


def test_a_folder_with_the_longest_name_is_replaced(tmp_path: Path) -> None:
    for _ in range(2):
        with replacing_folder(tmp_path / ("x" * 255)) as new:
            (new / "a").touch()
    assert names(tmp_path) == ["x" * 255]


# Adding to a file


def test_a_line_after_half_a_line_begins_on_its_own(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    append(path, b"one\n", lines=True)
    append(path, b"half", lines=True)
    append(path, b"two\n", lines=True)
    assert path.read_bytes() == b"one\nhalf\ntwo\n"


FILLER = """
import resource, signal, sys
from pathlib import Path
from igcnas.errors import MachineError
from igcnas.system.files import append, write_whole
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
print("ready", flush=True)
for act in (append, write_whole):
    try:
        act(Path(sys.argv[1]), b"x" * 2000)
    except MachineError as error:
        print(error, flush=True)
"""


@LINUX
def test_what_does_not_fit_is_not_there_at_all(tmp_path: Path) -> None:
    path = tmp_path / "events"
    path.write_bytes(b"before")
    with start(FILLER, path) as process:
        assert process.stdout is not None
        said = process.stdout.read().splitlines()
    assert said[0].startswith(f"cannot write {path}: ")
    assert said[1] == f"cannot write {path}: File too large; raise the limit of the size of files (ulimit -f)"
    assert (names(tmp_path), path.read_bytes()) == (["events"], b"before")


# Reading back


def test_what_the_disk_cannot_give_back_reads_as_nothing_and_what_is_out_of_reach_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    assert read_back(path) is None
    path.write_bytes(b"text")
    assert read_back(path) == b"text"
    monkeypatch.setattr(Path, "read_bytes", failing(errno.EIO, of=Path.read_bytes))
    assert read_back(path) == b""
    monkeypatch.setattr(Path, "read_bytes", failing(errno.EMFILE, of=Path.read_bytes))
    with pytest.raises(MachineError, match=r"^cannot read .*a: Too many open files; raise .*ulimit -n"):
        read_back(path)


# Whose fault it is


def cause(error: Exception, of: Exception) -> Exception:
    error.__cause__ = of
    return error


def _safetensors_error() -> Exception:
    from safetensors.numpy import save_file

    try:
        save_file({}, "/dev/null/x")
    except Exception as error:  # whatever class it has
        return error
    raise AssertionError


def _torch_error() -> Exception:
    import torch

    class Full:
        def write(self, _content: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def flush(self) -> None:
            pass

    try:
        torch.save({"a": torch.zeros(9)}, Full())  # type: ignore[arg-type]
    except Exception as error:  # whatever class it has
        return error
    raise AssertionError


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: OSError(errno.EDQUOT, "over quota"), errno.EDQUOT),
        (lambda: BlockingIOError(errno.EAGAIN, "no process"), errno.EAGAIN),
        (lambda: cause(RuntimeError("wrapped"), PermissionError(errno.EACCES, "no")), errno.EACCES),
        (_torch_error, errno.ENOSPC),
        (_safetensors_error, errno.ENOTDIR),
        (lambda: RuntimeError("unable to write: No space left on device (28)"), errno.ENOSPC),
        (lambda: ImportError("x.so: cannot open shared object file: Too many open files"), errno.EMFILE),
    ],
)
def test_a_fault_of_the_machine_is_known_also_in_the_errors_of_libraries(
    make: Callable[[], Exception], code: int
) -> None:
    found = machine_fault(make())
    assert found is not None
    assert found.errno == code
    with (
        pytest.raises(MachineError, match=f"^cannot use it: {re.escape(str(found.strerror))}"),
        naming_faults("use", "it"),
    ):
        raise make()


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: operation not permitted when stream is capturing"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: Error code 12 (Cannot allocate memory)"),
        OSError("could not get source code"),
        BrokenPipeError(errno.EPIPE, "Broken pipe"),
        ValueError("shapes do not fit"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_fault_of_a_network_is_not_the_machines(error: Exception) -> None:
    assert machine_fault(error) is None
    with pytest.raises(type(error)), naming_faults("use", "it"):
        raise error


def test_a_command_that_goes_on_says_so_once() -> None:
    with pytest.raises(MachineError, match=r"^read-only; nothing is lost: the same command then goes on$"):  # noqa: SIM117
        with going_on(), going_on():
            raise MachineError("read-only")


# Who writes

# What is no file of a user's, or is written in a way of its own; everything else goes through igcnas.system.files.
_EXCEPTIONS = {
    "igcnas/search/storage.py": "the journal is appended under its own lock; the lock file holds a process id",
    "igcnas/search/worker/memory.py": "/proc",
    "igcnas/system/folders.py": "a file without a name, to see whether a folder can be written",
    "igcnas/search/cluster/scratch.py": "a temporary folder of this user alone, gone with the last actor of a node",
    "igcnas/search/evaluation/mps.py": "sockets in a temporary folder of this user alone, gone at the end",
    "igcnas/export/parity.py": "a temporary folder of the system, gone at the end",
    "igcnas/export/latency/timing.py": "a temporary folder of the system, gone at the end",
    "igcnas/results/times/sampling.py": "a temporary folder of the system, gone at the end",
    "igcnas/export/c/compiling.py": "a temporary folder of the system, gone at the end",
    "igcnas/execution/cpu/compiled.py": "the compiled kernels of numba",
}
_WRITES = re.compile(
    r"\.write_text\(|\.write_bytes\(|\bos\.(replace|rename|open|truncate)\(|\.rename\((?!columns)|tempfile\.|shutil\.(?!which|disk_usage)"
    r"|\.touch\(|to_csv\(\w*(path|table|folder)|\bnp\.savez?(_compressed)?\((path|folder)|savefig\((path|out|folder)"
)


def _writes(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        text = ast.unparse(node)
        if _WRITES.match(text) or _WRITES.search(text.partition("(")[0] + "(" + text.partition("(")[2][:30]):
            yield f"{path.relative_to(ROOT)}:{node.lineno} {text[:60]}"
        if re.search(r"(^|\.)open$", ast.unparse(node.func)):
            modes: list[Any] = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            modes += [k.value.value for k in node.keywords if k.arg == "mode" and isinstance(k.value, ast.Constant)]
            if any(
                isinstance(mode, str) and re.fullmatch(r"[rwaxbt+]+", mode) and set(mode) & set("wax+")
                for mode in modes
            ):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {text[:60]}"


def test_nobody_but_igcnas_files_writes_renames_or_opens_for_writing() -> None:
    found = []
    for folder in ("igcnas", "analysis"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if name not in _EXCEPTIONS and not name.startswith("igcnas/system/files/"):
                found += list(_writes(path))
    allowed = re.compile(r"analysis/width/tables\.py:\d+ open\(temporary, 'w'|open\((os\.devnull|path, os\.O_RDONLY)")
    assert [line for line in found if not allowed.search(line)] == []


def test_files_are_written_without_torch() -> None:
    code = "import sys, igcnas.system.files; print(*sorted({'torch', 'numpy', 'optuna'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
