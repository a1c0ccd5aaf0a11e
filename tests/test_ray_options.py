"""What --ray and its options refuse, and what needs no cluster of what lies between a controller and its workers."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path

import pytest

from igcnas.cli import main, parser
from igcnas.cli.ray_options import asked_ray, ray_words
from igcnas.search.cluster import RaySettings, scratch
from igcnas.search.cluster.joining import facts
from igcnas.search.cluster.parcel import Watched, packed, unpack

SEARCH = ["search", "--budget-mflops", "0.1", "--data", "digits"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--ray", "somewhere"], "--ray 'somewhere' must be local, auto or HOST:PORT"),
        (["--ray", "ray://head:10001"], "must be local, auto or HOST:PORT"),
        (["--ray", "local", "--per-gpu", "0"], "--per-gpu 0 must be 1 or more"),
        (["--ray", "local", "--cpus-per-worker", "0"], "--cpus-per-worker 0 must be 0.01 or more"),
        (["--per-gpu", "2"], "--per-gpu 2 is for the workers of a Ray cluster; add --ray WHERE"),
        (["--cpus-per-worker", "2"], "--cpus-per-worker 2 is for the workers of a Ray cluster"),
        (["--ray", "local", "--objective", "accuracy,latency"], "times, which differ from machine to machine"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SEARCH, *options]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_without_ray_one_line_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main([*SEARCH, "--ray", "auto", "--studies-dir", str(tmp_path)]) == 2
    assert '--ray needs ray: pip install "igcnas[ray]"' in capsys.readouterr().err


def test_the_options_mean_these_settings_and_are_handed_on_as_they_were_given() -> None:
    words = ["--ray", "head:6379", "--per-gpu", "4", "--cpus-per-worker", "0.5"]
    for command in (SEARCH, ["finish", "NAME"], ["retrain", "NAME"], ["audit", "NAME"]):
        arguments = parser().parse_args([*command, *words])
        assert asked_ray(arguments) == RaySettings(where="head:6379", per_gpu=4, cpus=0.5)
        assert ray_words(arguments) == words
    assert asked_ray(parser().parse_args(SEARCH)) is None


def test_a_machine_differs_by_what_a_training_depends_on_and_by_nothing_else() -> None:
    mine = facts()
    assert mine.differences(dataclasses.replace(mine, processor="another")) == []
    assert mine.differences(dataclasses.replace(mine, packages={**mine.packages, "more": "1"})) == []
    other = dataclasses.replace(mine, igcnas="0", python="3.1", packages={**mine.packages, "torch": "1.0"})
    lacking = dataclasses.replace(mine, packages={})
    assert mine.differences(other) == [
        f"igcnas 0, here {mine.igcnas}",
        f"Python 3.1, here {mine.python}",
        f"torch 1.0, here {mine.packages['torch']}",
    ]
    assert f"torch not installed, here {mine.packages['torch']}" in mine.differences(lacking)


def test_what_a_training_leaves_comes_back_once_and_whole(tmp_path: Path) -> None:
    study, node = tmp_path / "study", tmp_path / "node"
    study.mkdir()
    (study / "checkpoint.pt").write_bytes(b"half")
    (study / "another.json").write_bytes(b"of no concern")
    sent = packed(study, ("checkpoint.pt", "result.json"))
    assert sent == {"checkpoint.pt": b"half"}
    unpack(node, sent)
    watched = Watched(node)
    assert watched.changed() == {}
    (node / "checkpoint.pt").unlink()
    (node / "deep").mkdir()
    (node / "deep" / "result.json").write_bytes(b"{}")
    (node / ".being-written").write_bytes(b"")
    came = watched.changed()
    assert came == {"deep/result.json": b"{}", "checkpoint.pt": None}
    assert watched.changed() == {}
    unpack(study, came)
    assert sorted(path.name for path in study.rglob("*") if path.is_file()) == ["another.json", "result.json"]


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no owners of folders")
def test_a_folder_that_others_can_write_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch.tempfile, "gettempdir", lambda: str(tmp_path))
    folder = scratch.node_folder("mine")
    assert folder.stat().st_mode & 0o077 == 0
    folder.chmod(0o777)
    with pytest.raises(scratch.IgcnasError, match="not a folder of this user's alone"):
        scratch.node_folder("mine")


def test_the_folder_of_a_node_goes_with_the_last_actor_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch.tempfile, "gettempdir", lambda: str(tmp_path))
    folder = scratch.node_folder("mine")
    (folder / str(os.getpid())).mkdir()
    (folder / str(os.getppid())).mkdir()
    scratch.leave(folder, own=str(os.getppid()))
    assert [path.name for path in folder.iterdir()] == [str(os.getpid())]
    scratch.leave(folder, own=str(os.getpid()))
    assert not folder.exists()
