"""Folders for what may be made again: tried by writing, private where others can write, and none at all in the end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from igcnas.execution.cpu import compiled
from igcnas.system import folders
from igcnas.system.folders import caches, can_write, home, kernel_folders, private_temporary, settle_libraries, writable

ROOT = Path(__file__).resolve().parent.parent
root_alone = pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0 or shutil.which("setpriv") is None,
    reason="acting as a user without a home needs root and setpriv",
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("IGCNAS_CACHE", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "IGCNAS_SAID"):
        monkeypatch.setenv(name, "")  # so that what the code under test sets is taken back
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_counts_as_writable_once_a_file_was_written_in_it(place: Path) -> None:
    assert can_write(place / "new" / "folder")
    assert list((place / "new" / "folder").iterdir()) == []
    (place / "file").write_text("", encoding="utf-8")
    assert not can_write(place / "file")
    assert not can_write(place / "file" / "below")
    assert not can_write(place / "a\0b")
    loop = place / "loop"
    loop.symlink_to(loop)
    assert not can_write(loop)
    assert not can_write(Path("/proc/self"))  # a folder that is there, and takes no file
    assert writable([place / "file", place / "new"]) == place / "new"
    assert writable([place / "file"]) is None


def test_the_folder_that_is_named_comes_first_then_the_users_then_the_temporary_one(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = place / f"igcnas-{os.getuid()}"
    monkeypatch.setattr("sys.platform", "linux")
    assert caches() == [place / "home" / ".cache" / "igcnas", own]
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "xdg"))
    assert caches() == [place / "xdg" / "igcnas", own]
    monkeypatch.setenv("IGCNAS_CACHE", str(place / "named"))
    assert caches() == [place / "named", own]


def test_other_systems_have_their_own_folder_for_caches(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert caches()[0] == place / "home" / "Library" / "Caches" / "igcnas"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(place / "local"))
    assert caches()[0] == place / "local" / "igcnas" / "cache"


def test_a_user_without_a_home_has_the_temporary_folder(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_cls: object = None) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(folders.Path, "home", classmethod(nobody))
    assert home() is None
    assert caches() == [place / f"igcnas-{os.getuid()}"]
    settle_libraries()
    assert os.environ["MPLCONFIGDIR"] == str(place / f"igcnas-{os.getuid()}" / "matplotlib")


def test_nothing_to_write_at_all_is_no_error(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "home").write_text("", encoding="utf-8")
    monkeypatch.setattr("tempfile.tempdir", str(place / "none"))
    assert writable(caches()) is None
    settle_libraries()
    assert "MPLCONFIGDIR" not in os.environ


def test_the_temporary_folder_is_this_users_alone(place: Path) -> None:
    folder = private_temporary()
    assert folder is not None
    assert folder.stat().st_mode & 0o777 == 0o700
    assert private_temporary() == folder
    folder.chmod(0o777)
    assert private_temporary() is None
    folder.rmdir()
    (place / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(place / "elsewhere")
    assert private_temporary() is None


@root_alone
def test_a_temporary_folder_that_another_user_has_put_there_is_not_used(place: Path) -> None:
    folder = place / "igcnas-0"
    folder.mkdir(mode=0o700)
    os.chown(folder, 54321, 54321)
    assert private_temporary() is None


def test_a_user_whom_the_system_does_not_know_gets_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    import getpass
    import pwd

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)

    def unknown(_uid: int) -> object:
        raise KeyError("uid not found")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    settle_libraries()
    assert getpass.getuser() == f"uid{os.getuid()}"


def test_matplotlib_is_left_alone_where_it_can_write_and_helped_where_not(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle_libraries()
    assert "MPLCONFIGDIR" not in os.environ
    (place / "taken").write_text("", encoding="utf-8")
    monkeypatch.setenv("MPLCONFIGDIR", str(place / "taken"))
    settle_libraries()
    assert os.environ["MPLCONFIGDIR"] == str(place / f"igcnas-{os.getuid()}" / "matplotlib")


def test_what_is_said_once_is_not_said_by_the_processes_that_follow(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IGCNAS_SAID", "")
    folders.say_once("a")
    folders.say_once("b")
    folders.say_once("a")
    assert capsys.readouterr().err == "note: a\nnote: b\n"
    code = "from igcnas.system.folders import say_once; say_once('a'); say_once('c')"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert ended.stderr == "note: c\n"


# Compiled kernels


def doubled(x):  # type: ignore[no-untyped-def] # a kernel
    return 2.0 * x[0]


def kept(monkeypatch: pytest.MonkeyPatch, places: list[Path], written: Path | None) -> float:
    """What the kernel answers when it is asked for anew."""
    monkeypatch.setattr(compiled, "FOLDERS", places)
    monkeypatch.setattr(compiled, "WRITTEN", written)
    answer: float = compiled.kernel(doubled)(np.ones(1))
    return answer


def compilations(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    found: list[object] = []
    save = compiled._Kept.save_overload

    def counted(self: compiled._Kept, signature: object, result: object) -> None:
        found.append(signature)
        save(self, signature, result)

    monkeypatch.setattr(compiled._Kept, "save_overload", counted)
    return found


def test_a_kernel_is_compiled_once_and_read_where_it_cannot_be_written(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = compilations(monkeypatch)
    assert kept(monkeypatch, [place / "a"], place / "a") == 2.0
    assert len(made) == 1
    assert kept(monkeypatch, [place / "a"], None) == 2.0
    assert kept(monkeypatch, [place / "b", place / "a"], place / "b") == 2.0
    assert len(made) == 1
    assert not (place / "b").exists()


def test_damaged_kernels_are_compiled_again_and_written_over(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = compilations(monkeypatch)
    for damaged in ("*.nbi", "*.nbc"):
        kept(monkeypatch, [place / "a"], place / "a")
        (file,) = (place / "a").glob(damaged)
        for content in (b"", b"\x80\x05nonsense", file.read_bytes()[:40]):
            file.write_bytes(content)
            made.clear()
            assert kept(monkeypatch, [place / "a"], place / "a") == 2.0
            assert len(made) == 1
            assert kept(monkeypatch, [place / "a"], place / "a") == 2.0
            assert len(made) == 1


def test_where_no_kernel_can_be_kept_it_is_said_once(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IGCNAS_SAID", "")
    (place / "full").write_text("", encoding="utf-8")
    assert [kept(monkeypatch, [], None) for _ in range(2)] == [2.0, 2.0]
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "IGCNAS_CACHE" in shown
    assert kept(monkeypatch, [place / "full" / "k"], place / "full" / "k") == 2.0  # became unwritable since
    assert "Not a directory" in capsys.readouterr().err


def test_kernels_lie_beside_their_sources_or_where_numba_is_told_then_in_the_caches(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = ROOT / "igcnas" / "execution" / "cpu"
    found = kernel_folders(sources)
    assert [folder.parent for folder in found] == [sources / "__pycache__", *caches()]
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(place / "numba"))
    assert kernel_folders(sources)[0].parent == place / "numba"


# As a user who is unknown, has no home, and may not write where the code is


def as_nobody(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Reads everything, because the interpreter may lie in the home of root, and writes nothing that is not its own."""
    rights = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    command = [
        "setpriv",
        "--reuid=54321",
        "--regid=54321",
        "--clear-groups",
        *rights,
        "env",
        "-u",
        "HOME",
        sys.executable,
    ]
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    return subprocess.run(
        [*command, *words], cwd=ROOT, env=variables, capture_output=True, encoding="utf-8", timeout=280, check=False
    )


@pytest.fixture
def everybodys() -> Iterator[Path]:
    """A folder that any user may write in; those of pytest lie in one that is closed to others."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o777)
        yield Path(name)


@root_alone
def test_a_user_without_home_and_name_searches_and_looks_at_it(everybodys: Path) -> None:
    own = everybodys
    small = "--workers 1 --networks 1 --epochs 1 --seeds 1 --no-baselines --no-export --budget-mflops 0.1 --study a"
    search = as_nobody(
        "run_search.py", *small.split(), "--studies-dir", str(own), TMPDIR=str(own), PYTHONIOENCODING="ascii"
    )
    assert (search.returncode, search.stderr) == (0, "")
    assert "   1/1 " in search.stdout
    for words in (["status", "a"], ["plot", "a"]):
        shown = as_nobody("-m", "igcnas", *words, "--studies-dir", str(own), TMPDIR=str(ROOT))
        assert (shown.returncode, shown.stderr) == (0, ""), words
    doctor = as_nobody("-m", "igcnas", "doctor", "--studies-dir", str(ROOT / "igcnas"), TMPDIR=str(ROOT))
    assert doctor.returncode == 1
    assert "cannot be written" in doctor.stdout
    assert doctor.stderr == ""
