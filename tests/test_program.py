"""How programs begin and end: encodings, closed and broken streams, errors in one line, signals, threads."""

from __future__ import annotations

import ast
import errno
import io
import os
import re
import signal
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from igcnas.cli import main
from igcnas.cli.common import Stop
from igcnas.cli.progress.display import sparkline
from igcnas.errors import MachineError, StudyError
from igcnas.system import program, streams

ROOT = Path(__file__).resolve().parent.parent
COUNT = [sys.executable, "-m", "igcnas", "count", "igc"]
posix = pytest.mark.skipif(os.name != "posix", reason="shells and signals of POSIX")


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    variables = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, timeout=240, check=False)


def coded(code: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return run(
        sys.executable, "-c", f"import os, signal, sys, time\nfrom igcnas.system import program\n{code}", **environment
    )


SAYING = (
    "def work():\n"
    "    from igcnas.cli.progress.display import sparkline\n"
    "    print(sparkline([0, 50, 100]), '\\u00e9\\u4e2d\\udcff'); print('\\u4e2d', file=sys.stderr); return 0\n"
    "sys.exit(program.run(work))"
)


@pytest.mark.parametrize(
    ("environment", "bars"),
    [
        ({"PYTHONIOENCODING": "ascii"}, b"_=#"),
        ({"PYTHONIOENCODING": "ascii:strict"}, b"_=#"),
        ({"PYTHONIOENCODING": "cp1252"}, b"_=#"),
        ({"PYTHONIOENCODING": "latin-1"}, b"_=#"),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, b"_=#"),
        ({"PYTHONIOENCODING": "utf-8"}, "▁▅█".encode()),
    ],
    ids=str,
)
def test_everything_can_be_printed_in_every_encoding(environment: dict[str, str], bars: bytes) -> None:
    ended = coded(SAYING, **environment)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith(bars + b" ")
    assert b"\\udcff" in ended.stdout
    assert ended.stderr.strip() in (b"\\u4e2d", "\u4e2d".encode())


def test_a_curve_is_drawn_in_ascii_where_the_output_has_no_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="cp1252"))
    assert sparkline([-3.0, 0.0, 50.0, 100.0, 140.0]) == "__=##"


@posix
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_descriptors_are_no_error(closed: str) -> None:
    words = ["sh", "-c", f'exec "$0" "$@" {closed}', *COUNT]
    ended = run(*words)
    assert ended.returncode == 0
    assert ended.stderr == b""


@posix
def test_a_descriptor_that_was_closed_is_not_given_to_a_file() -> None:
    code = "def work():\n    os.write(2, str(os.open(os.devnull, 0)).encode()); return 0\nprogram.run(work)"
    ended = run(
        "sh",
        "-c",
        'exec "$0" "$@" >&- <&-',
        sys.executable,
        "-c",
        f"import os\nfrom igcnas.system import program\n{code}",
    )
    assert int(ended.stderr) > 2


@posix
def test_a_reader_that_has_enough_ends_nothing_and_hears_nothing() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "igcnas", "networks"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0


@posix
def test_long_work_goes_on_without_a_reader_and_says_so_once(tmp_path: Path) -> None:
    code = (
        "def work():\n    for i in range(9999): print('line', i, flush=True)\n"
        f"    open({str(tmp_path / 'done')!r}, 'w').close(); return 0\n"
        "sys.exit(program.run(work, unread=lambda: 'it goes on'))"
    )
    ended = run(
        "bash",
        "-c",
        '"$0" "$@" | head -2; exit ${PIPESTATUS[0]}',
        sys.executable,
        "-c",
        f"import sys\nfrom igcnas.system import program\n{code}",
    )
    assert ended.returncode == 0
    assert ended.stdout == b"line 0\nline 1\n"
    assert ended.stderr == b"note: nobody reads the output any more; it goes on\n"
    assert (tmp_path / "done").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("words", [["count", "igc"], ["--help"], ["networks"]], ids=" ".join)
def test_output_that_meets_a_full_disk_is_an_error(words: list[str]) -> None:
    ended = run("sh", "-c", 'exec "$0" "$@" > /dev/full', sys.executable, "-m", "igcnas", *words)
    assert ended.returncode in (2, 0) if words == ["--help"] else ended.returncode == 2
    assert ended.stderr == b"error: cannot write the output: No space left on device\n" or words == ["--help"]
    assert b"Traceback" not in ended.stderr
    assert b"Exception ignored" not in ended.stderr


def _import_error() -> ImportError:
    return ImportError("No module named 'x_y'", name="x_y.z")


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (StudyError("a\nb"), 2, "a b"),
        (MachineError("full"), 2, "full"),
        (OSError(errno.ENOSPC, "No space left on device", "/d/f"), 2, "/d/f: No space left on device; make room"),
        (PermissionError(errno.EACCES, "Permission denied", "/d"), 2, "cannot use /d: Permission denied; give leave"),
        (OSError(errno.EMFILE, "Too many open files"), 2, "ulimit -n"),
        (OSError("odd"), 2, "odd"),
        (MemoryError(), 2, "--workers"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), 2, "--workers"),
        (ImportError("libtorch.so: failed to map segment from shared object", name="torch"), 2, "--workers"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), 2, "ulimit -u"),
        (RecursionError("maximum recursion depth exceeded"), 2, "damaged"),
        (EOFError("Ran out of input"), 2, "damaged"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), 2, "--workers"),
        (RuntimeError("can't start new thread"), 2, "ulimit -u"),
        (RuntimeError("Could not determine home directory."), 2, "set HOME"),
        (_import_error(), 2, "x_y cannot be imported"),
        (ImportError("cannot import name 'q'", name="igcnas.q"), 2, "install it again"),
        (zipfile.BadZipFile("File is not a zip file"), 2, "zipfile: File is not a zip file"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), 2, "not UTF-8"),
        (KeyError("x"), 1, "a fault of igcnas, not of yours: KeyError: 'x'"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_every_error_is_one_line_and_has_its_status(error: Exception, status: int, words: str) -> None:
    found, line = program.message(error)
    assert found == status
    assert words in line
    assert "\n" not in line


def test_a_fault_of_igcnas_is_one_line_with_its_traceback_in_a_file(tmp_path: Path) -> None:
    code = "sys.exit(program.run(lambda: {}['x']))"
    ended = coded(code, IGCNAS_CACHE=str(tmp_path))
    assert ended.returncode == 1
    assert ended.stderr.decode().startswith(
        "error: a fault of igcnas, not of yours: KeyError: 'x'; please report it with "
    )
    assert ended.stderr.count(b"\n") == 1
    assert "Traceback" in (tmp_path / "fault.txt").read_text(encoding="utf-8")
    shown = coded(code, IGCNAS_CACHE=str(tmp_path), IGCNAS_TRACEBACK="1")
    assert b"Traceback" in shown.stderr


@pytest.mark.parametrize("library", ["safetensors", "optuna"])
def test_errors_of_libraries_are_of_the_file_that_they_were_given(library: str) -> None:
    kinds = {"safetensors": "safetensors.SafetensorError", "optuna": "optuna.exceptions.StorageInternalError"}
    ended = coded(f"import {library}\ndef work(): raise {kinds[library]}('bad')\nsys.exit(program.run(work))")
    assert (ended.returncode, ended.stderr.count(b"\n")) == (2, 1)
    assert b"bad" in ended.stderr


# Signals


@posix
@pytest.mark.parametrize(("number", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_ends_a_program_in_one_word_and_with_its_own_status(number: str, status: int) -> None:
    code = f"def work():\n    os.kill(os.getpid(), signal.{number}); time.sleep(9); return 0\n"
    ended = coded(code + "sys.exit(program.run(work, ends_process=True))")
    assert (ended.returncode, ended.stderr) == (status, b"stopped\n")


@posix
def test_two_ctrl_c_while_a_library_is_imported_end_without_a_traceback() -> None:
    code = (
        "class Slow:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'slow_library':\n"
        "            try: os.kill(os.getpid(), signal.SIGINT); time.sleep(9)\n"
        "            except KeyboardInterrupt as error: raise ImportError('numpy failed to import') from error\n"
        "sys.meta_path.insert(0, Slow())\n"
        "say = program.Streams.say\n"
        "def again(self, line): os.kill(os.getpid(), signal.SIGINT); say(self, line)\n"
        "program.Streams.say = again\n"
        "def work():\n    import slow_library; return 0\n"
        "status = program.run(work, ends_process=True); os.kill(os.getpid(), signal.SIGINT); sys.exit(status)"
    )
    ended = coded(code)
    assert (ended.returncode, ended.stderr) == (130, b"stopped\n")


def in_a_thread(work: object) -> list[object]:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(work()))  # type: ignore[operator]
    thread.start()
    thread.join()
    return found


def test_a_command_runs_in_a_thread(capsys: pytest.CaptureFixture[str]) -> None:
    assert in_a_thread(lambda: main(["count", "igc"])) == [0]
    assert in_a_thread(lambda: main(["status", "none", "--studies-dir", "/nowhere"])) == [2]
    assert capsys.readouterr().err.count("\n") == 1


def test_a_stop_in_a_thread_holds_no_signal() -> None:
    def work() -> bool:
        with Stop() as stop:
            return stop()

    assert in_a_thread(work) == [False]


@posix
def test_a_stop_says_which_signal_it_was() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
    try:
        for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            with Stop() as stop:
                os.kill(os.getpid(), number)
                assert stop()
                assert stop.status == status
    finally:
        signal.signal(signal.SIGHUP, before)


@posix
def test_a_hangup_that_the_shell_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
    try:
        with Stop() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop()
    finally:
        signal.signal(signal.SIGHUP, before)


@posix
def test_a_stop_that_nobody_asked_for_any_more_is_not_swallowed() -> None:
    def ended_by(number: signal.Signals) -> None:
        with Stop():
            os.kill(os.getpid(), number)

    with pytest.raises(program.Terminated):
        ended_by(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        ended_by(signal.SIGINT)


@posix
def test_where_nothing_is_lost_a_signal_cuts_off_at_once_also_one_that_came_before() -> None:
    reached = []

    def work(stop: Stop, *, interrupted: bool) -> None:
        with stop.at_once():
            reached.append(1)
            if interrupted:
                os.kill(os.getpid(), signal.SIGINT)
            reached.append(2)

    with Stop() as stop:
        with pytest.raises(KeyboardInterrupt):
            work(stop, interrupted=True)
        with pytest.raises(KeyboardInterrupt):
            work(stop, interrupted=False)
        assert reached == [1]
        assert stop.status == 130


def test_streams_are_given_back_as_they_were() -> None:
    before = (sys.stdout, sys.stderr)
    assert program.run(lambda: 0) == 0
    assert (sys.stdout, sys.stderr) == before
    assert streams.mended(None).write("nothing") == 7


def opened_without_encoding(path: Path) -> list[str]:
    """Calls that open text and leave its encoding to the machine."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        named = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        modes = [*map(ast.unparse, node.args), named.get("mode", "")]
        method = isinstance(node.func, ast.Attribute) and name in ("read_text", "write_text")  # ours are functions
        text = method or named.get("text") == "True"
        if name in ("open", "fdopen", "NamedTemporaryFile", "TemporaryFile"):
            owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
            binary = any(re.fullmatch(r"'[rwax+]*b[rwax+]*'", mode) for mode in modes)
            text = (
                owner not in ("Image", "tarfile", "os", "webbrowser", "archive")
                and not binary
                and "Temporary" not in name
            )
        if text and "encoding" not in named and not any("utf-8" in mode for mode in modes):
            found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}")
    return found


@pytest.mark.parametrize("folder", ["igcnas", "analysis", "benchmarks", "search_spaces", "tools"])
def test_whatever_is_opened_as_text_names_its_encoding(folder: str) -> None:
    assert [line for path in (ROOT / folder).rglob("*.py") for line in opened_without_encoding(path)] == []


def test_igcnas_names_the_encoding_of_all_that_it_reads_and_writes(tmp_path: Path) -> None:
    warned = [sys.executable, "-X", "warn_default_encoding", "-W", "always::EncodingWarning", "-m"]
    shown = run(*warned, "igcnas", "draw", "igc", "L=4", "M=2", "--out", str(tmp_path / "a.svg")).stderr.decode()
    shown += run(*warned, "igcnas", "doctor", "--studies-dir", str(tmp_path)).stderr.decode()
    shown += run(*warned, "analysis.width_optimum", "--out", str(tmp_path)).stderr.decode()
    ours = [line for line in shown.splitlines() if "EncodingWarning" in line and "site-packages" not in line]
    assert [line for line in ours if str(ROOT) in line] == []


@posix
def test_a_folder_whose_name_is_no_text_is_named_and_used(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/\xff\xfe"
    os.mkdir(folder)
    ended = run(sys.executable, "-m", "igcnas", "status", "--studies-dir", os.fsdecode(folder))
    assert ended.returncode == 0, ended.stderr
    assert b"no study in" in ended.stdout


@posix
def test_a_working_folder_that_is_gone_is_one_line_or_no_matter(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    ended = run("sh", "-c", f'cd {gone} && rmdir {gone} && exec "$0" -m igcnas count igc', sys.executable)
    assert ended.returncode == 0, ended.stderr
    ended = run("sh", "-c", f'mkdir {gone}; cd {gone} && rmdir {gone} && exec "$0" -m igcnas status', sys.executable)
    assert b"Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "environment", [{"COLUMNS": "1"}, {"COLUMNS": "0"}, {"TERM": "dumb", "NO_COLOR": "1"}], ids=str
)
def test_help_fits_any_terminal(environment: dict[str, str]) -> None:
    assert run(sys.executable, "-m", "igcnas", "--help", **environment).returncode == 0


def test_a_program_leaves_with_its_status_after_all_that_was_arranged_for_its_end_and_all_that_was_said() -> None:
    code = "import atexit; atexit.register(print, 'arranged'); print('said'); program.leave(3)"
    done = coded(code, PYTHONUNBUFFERED="")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"said\narranged\n", b"")


@posix
def test_a_program_whose_reader_has_gone_leaves_with_its_status_too() -> None:
    code = "import time; from igcnas.system import program; time.sleep(0.1); print(1); program.leave(3)"
    line = f"{{ '{sys.executable}' -c '{code}'; echo $? >&2; }} | true"
    done = subprocess.run(
        ["sh", "-c", line], cwd=ROOT, env=os.environ | {"PYTHONUNBUFFERED": ""}, capture_output=True, check=True
    )
    assert done.stderr == b"3\n"
