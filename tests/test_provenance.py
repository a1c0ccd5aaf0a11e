"""Who made a study is kept beside it, whatever happens to the run."""

from __future__ import annotations

import json
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import igcnas
from igcnas.errors import MachineError
from igcnas.search.provenance import Run, package_versions, recorded, runs, source_commit
from igcnas.system.processor import processor

WORDS = {"command": "igcnas search --budget-mflops 1", "devices": ("cpu",), "workers": 2, "engine": "fast"}


def test_a_run_is_there_while_it_runs_and_has_its_seconds_at_the_end(tmp_path: Path) -> None:
    with recorded(tmp_path, **WORDS):
        (running,) = runs(tmp_path)
        assert running.seconds is None
    (run,) = runs(tmp_path)
    assert run.seconds is not None
    assert run.seconds >= 0
    assert (run.command, run.devices, run.workers, run.engine) == tuple(WORDS.values())
    assert (run.igcnas, run.python) == (igcnas.__version__, platform.python_version())
    assert run.packages["torch"]
    assert run.began.endswith("+00:00")


def test_a_run_that_fails_has_its_seconds_too_and_the_error_goes_on(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), recorded(tmp_path, **WORDS):
        1 / 0  # noqa: B018
    assert runs(tmp_path)[0].seconds is not None


def test_a_killed_run_stays_without_seconds_and_the_next_one_is_another(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from igcnas.search.provenance import recorded\n"
        "with recorded(Path(sys.argv[1]), command='killed', devices=['cpu'], workers=1, engine='fast'):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    with recorded(tmp_path, **WORDS):
        pass
    first, second = runs(tmp_path)
    assert (first.command, first.seconds) == ("killed", None)
    assert (second.command, second.seconds is None) == (WORDS["command"], False)


@pytest.mark.parametrize("torn", ['{"command": "x", "beg', "\x00\x00", "3", '{"seconds": 3}'])
def test_a_torn_line_costs_no_other_run(tmp_path: Path, torn: str) -> None:
    file = tmp_path / "runs.jsonl"
    file.write_text(torn)
    with recorded(tmp_path, **WORDS):
        pass
    assert [run.command for run in runs(tmp_path)] == [WORDS["command"]]


def test_a_study_of_before_has_no_runs(tmp_path: Path) -> None:
    assert runs(tmp_path) == []
    assert runs(tmp_path / "nowhere") == []


def test_what_a_later_version_adds_is_left_out(tmp_path: Path) -> None:
    with recorded(tmp_path, **WORDS):
        pass
    file = tmp_path / "runs.jsonl"
    first, *rest = file.read_text().splitlines()
    file.write_text("\n".join([json.dumps(json.loads(first) | {"colour": "red"}), *rest]) + "\n")
    assert isinstance(runs(tmp_path)[0], Run)


def test_packages_that_are_not_there_are_left_out() -> None:
    assert set(package_versions(["numpy", "no-such-package"])) == {"numpy"}
    assert processor()


def test_the_commit_is_that_of_the_checkout() -> None:
    root = Path(igcnas.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        assert source_commit() == ""
        return
    found = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert found.stdout.startswith(source_commit().removesuffix("+"))
    assert len(source_commit()) >= 12


def test_a_run_that_a_fault_of_the_disk_ended_says_so_in_one_line_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    study = tmp_path / "study"
    study.mkdir()

    def fail() -> None:
        study.rename(tmp_path / "away")
        raise MachineError("cannot write checkpoint.pt: full")

    with pytest.raises(MachineError, match="full"), recorded(study, **WORDS):
        fail()
    assert caplog.records == []


def test_a_run_that_ended_well_and_cannot_be_recorded_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    study = tmp_path / "study"
    study.mkdir()
    with recorded(study, **WORDS):
        study.rename(tmp_path / "away")
    assert [record.getMessage().partition(": ")[0] for record in caplog.records] == [
        f"cannot write {study / 'runs.jsonl'}"
    ]
