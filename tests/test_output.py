"""--quiet and --log-file: a quiet command prints its result and errors alone, a log has everything with its time."""

from __future__ import annotations

import argparse
import io
import re
import sys
from pathlib import Path

import pytest
from support.real_studies import unpack

from igcnas.cli import main
from igcnas.cli.output import arranged, begin_result, log_alone, tell
from igcnas.cli.progress.display import Display, Shown
from igcnas.errors import IgcnasError

pytestmark = pytest.mark.usefixtures("forked_workers")

SEARCH = ["search", "--space", "igcv1", "--budget-mflops", "0.03", "--networks", "1", "--epochs", "1", "--seeds", "1"]
SEARCH += ["--no-baselines", "--no-export", "--workers", "1", "--study", "s"]
STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  (.*)")


def said(path: Path) -> list[str]:
    """The lines of a log, each of which has its time."""
    found = [STAMP.fullmatch(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [one[1] for one in found if one is not None] if None not in found else []


def options(*, quiet: bool = False, log_file: Path | None = None) -> argparse.Namespace:
    return argparse.Namespace(quiet=quiet, log_file=log_file)


def test_a_quiet_search_prints_its_result_alone_and_its_log_has_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*SEARCH, "--quiet", "--log-file", "log.txt"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("best      ")
    assert not re.search("^(study|plan|time|workers|   1/1)", out, re.MULTILINE)
    assert err == ""
    log = said(Path("log.txt"))
    assert log[0].startswith("$ ")
    assert [line for line in log if line.startswith("plan      ")]
    assert [line for line in log if line.startswith("   1/1  ")]
    assert log[-len(out.splitlines()) :] == out.splitlines()

    assert main([*SEARCH, "--seed", "1", "--quiet", "--log-file", "log.txt"]) == 2  # another study: an error
    out, err = capsys.readouterr()
    assert (out, err.startswith("error: study 's' was started with other settings")) == ("", True)
    assert said(Path("log.txt"))[len(log) :][-1] == err.rstrip("\n")

    assert main([*SEARCH, "--log-file", "log.txt"]) == 0  # not quiet
    out = capsys.readouterr().out
    assert out.startswith("study     ")
    assert said(Path("log.txt"))[-len(out.splitlines()) :] == out.splitlines()


@pytest.mark.parametrize("words", ["retrain gp-4", "audit gp-4", "train igc", "search --budget-mflops 1"])
def test_every_long_command_refuses_a_log_that_cannot_be_written_before_it_begins(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    unpack(Path("studies"))
    assert main([*words.split(), "--log-file", "missing/log.txt"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: cannot write missing/log.txt: No such file or directory")
    assert err.count("\n") == 1


def test_what_a_command_prints_where_no_option_was_given_goes_where_it_went(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    with arranged(options(), "igcnas"):
        assert sys.stdout is before
        begin_result()
        tell(sys.stderr, "progress")
    assert capsys.readouterr().err == "progress\n"


def test_progress_on_standard_error_is_quiet_too_but_a_fault_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with arranged(options(quiet=True), "igcnas"):
        tell(sys.stderr, "progress")
        sys.stderr.write("error: a fault\n")
        sys.stdout.write("plan\n")
        begin_result()
        tell(sys.stderr, "stopped")
        sys.stdout.write("result\n")
    out, err = capsys.readouterr()
    assert (out, err) == ("result\n", "error: a fault\nstopped\n")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_has_its_bar_and_the_log_has_the_lines_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    with arranged(options(log_file=tmp_path / "log"), "igcnas search"):
        with Display(sys.stdout, lambda: Shown(done=1, total=2, words="half")) as display:
            assert display.watched
            display.note("one \x1b[31mred\n  and more")
        log_alone(sys.stdout, "alone")
        with arranged(options(quiet=True), "igcnas"):
            assert not Display(sys.stdout, lambda: Shown(done=0, total=1, words="")).watched
    assert "\x1b" in terminal.getvalue()
    assert said(tmp_path / "log") == ["$ igcnas search", "one \\x1b[31mred", "  and more", "alone"]


def test_an_error_and_an_interrupt_end_the_log(tmp_path: Path) -> None:
    with pytest.raises(IgcnasError), arranged(options(log_file=tmp_path / "log"), "a"):
        raise IgcnasError("no such thing")
    with pytest.raises(KeyboardInterrupt), arranged(options(log_file=tmp_path / "log"), "b"):
        raise KeyboardInterrupt
    assert said(tmp_path / "log") == ["$ a", "error: no such thing", "$ b", "stopped"]


def test_a_log_whose_folder_goes_ends_and_the_command_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gone").mkdir()
    with arranged(options(log_file=tmp_path / "gone" / "log"), "igcnas"):
        (tmp_path / "gone" / "log").unlink()
        (tmp_path / "gone").rmdir()
        sys.stdout.write("one\n")
        sys.stdout.write("two\n")
    out, err = capsys.readouterr()
    assert out == "one\ntwo\n"
    assert err.startswith("note: the log ends here: cannot write ")
    assert err.count("\n") == 1


def test_under_torchrun_one_process_writes_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    with arranged(options(log_file=tmp_path / "log"), "igcnas train"):
        sys.stdout.write("second\n")
    assert not (tmp_path / "log").exists()
