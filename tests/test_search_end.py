"""The end of a search: what was found is said whatever becomes of the files, and a signal then is not swallowed."""

from __future__ import annotations

import errno
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from igcnas.cli import export, main, plot

pytestmark = pytest.mark.usefixtures("forked_workers")

ROOT = Path(__file__).resolve().parent.parent
SMALL = [
    "--workers",
    "1",
    "--networks",
    "1",
    "--epochs",
    "1",
    "--seeds",
    "1",
    "--no-baselines",
    "--budget-mflops",
    "0.1",
]
EAGER = ["--engine", "eager", "--space", "igcv1"]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that was searched by a real process whose reader left at once, in ASCII."""
    studies = tmp_path_factory.mktemp("studies")
    words = [
        sys.executable,
        "run_search.py",
        *SMALL,
        *EAGER,
        "--no-export",
        "--studies-dir",
        str(studies),
        "--study",
        "a",
    ]
    process = subprocess.Popen(
        words,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), said.count("\n")) == (0, 1), said
    assert "nobody reads the output any more; the search goes on" in said
    return studies / "a"


@pytest.fixture
def study(searched: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(searched, tmp_path / "a"))


def again(study: Path, *words: str) -> int:
    return main(["search", *SMALL, *EAGER, "--studies-dir", str(study.parent), "--study", study.name, *words])


def test_commands_that_are_printed_can_be_pasted_whatever_the_folder_is_called(
    searched: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = Path(shutil.copytree(searched, tmp_path / "mein Ördner"))
    assert again(study, "--no-export") == 0
    printed = re.findall(r"igcnas (?:report|finish) .*(?= puts| trains)", capsys.readouterr().out)
    assert [shlex.split(command)[2] for command in printed] == [str(study)] * 2


def test_a_search_without_a_reader_goes_on_to_its_end(searched: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(searched), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["trained"] == 1
    assert (searched / "pareto.png").exists()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_one_signal_after_the_last_training_stops_and_says_what_is_left(
    number: signal.Signals,
    status: int,
    study: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def drawing(_folder: Path) -> list[Path]:
        os.kill(os.getpid(), number)
        raise AssertionError("it goes on")

    monkeypatch.setattr(plot, "write", drawing)
    monkeypatch.setattr(export, "write", drawing)
    assert again(study) == status
    out, _ = capsys.readouterr()
    assert "best  " in out
    assert out.splitlines()[-1] == (
        f"stopped; every network is trained. What is left: igcnas plot {study}; igcnas export {study}"
    )


def test_a_signal_in_the_export_leaves_the_export_alone(
    study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(export, "write", lambda _folder, _trial: os.kill(os.getpid(), signal.SIGTERM))
    assert again(study) == 143
    assert capsys.readouterr().out.splitlines()[-1].endswith(f"What is left: igcnas export {study}")


@pytest.mark.parametrize(
    ("error", "status"), [(PermissionError(errno.EACCES, "Permission denied", "pareto.png"), 2), (KeyError("odd"), 1)]
)
def test_the_result_is_said_though_the_figure_cannot_be_written(
    error: Exception,
    status: int,
    study: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def failing(_folder: Path) -> Any:
        raise error

    monkeypatch.setattr(plot, "write", failing)
    assert again(study, "--json", "--no-export") == status
    out, err = capsys.readouterr()
    assert "best  " in out
    assert json.loads(out.splitlines()[-1])["trained"] == 1
    assert err.startswith("error: plot: ")
    assert err.endswith(f"the networks are safe, again with: igcnas plot {study}\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 100, b"\x08\0\0\0\0\0\0\0{}      "], ids=["empty", "noise", "no tensors"]
)
def test_damaged_weights_are_named_in_one_line(content: bytes, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (weights,) = study.glob("trials/*/weights.safetensors")
    weights.write_bytes(content)
    assert main(["export", str(study)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert str(weights) in err or "weights" in err


def test_a_folder_that_may_not_be_written_is_one_line(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (study / "pareto.png").unlink()
    (study / "pareto.png").mkdir()  # no file can take its place, not even root's
    assert main(["plot", str(study)]) == 2
    err = capsys.readouterr().err
    assert "pareto.png" in err
    assert err.count("\n") == 1
    for command, options in (("report", ["--no-importance"]), ("compare", [str(study)])):
        out = study / "trials.csv" / "below"
        assert main([command, str(study), *options, "--out", str(out)]) == 2
        assert capsys.readouterr().err.count("\n") == 1
