"""Names that become folders: none leads out, and what a user already has opens."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from igcnas.cli import main
from igcnas.cli.common import study_to_search
from igcnas.errors import StudyError
from igcnas.search.folder import find_study
from igcnas.system import names
from igcnas.system.names import joined, new_name, shown, stays_inside

WRONG = [
    "/", "..", ".", "a/b", "../b", "a\nb", "a\x1b[31m", " ", "", "a ", " a", "a.", "-x", "CON", "nul", "aux.txt", "a:b",
    "a\\b", "a*", "\u202ea", "a\0b", "x" * 256, "\u00e9" * 128, "\udcff", "~", "COM1.log", "/etc",
]  # fmt: skip


def name(text: str) -> str:
    return new_name(text, option="--study", elsewhere="see --studies-dir")


@pytest.mark.parametrize("wrong", WRONG, ids=ascii)
def test_a_name_that_cannot_be_one_folder_everywhere_is_refused_in_one_line_that_can_be_shown(wrong: str) -> None:
    with pytest.raises(StudyError) as refused:
        name(wrong)
    text = str(refused.value)
    assert text.isprintable()
    assert text.startswith("--study '")
    assert "--studies-dir" in text
    assert len(text) < 300


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ("", "'' is empty"), (" ", "' ' is empty"), (".", "'.' is a folder that is there already"),
        ("..", "is a folder that is there already"), ("a/b", "holds '/', which is no part of a name"),
        ("a\nb", r"'a\nb' holds a character that cannot be shown"), ("\ud800", r"'\ud800' holds a character that"),
        ("\udfff", r"'\udfff' holds a character that"), ("a ", "begins or ends with a blank, or ends with a dot"),
        ("-x", "begins with '-', which shells and programs read otherwise"), ("~", "begins with '~'"),
        ("com1.log", "is the name of a device on Windows"), ("x" * 256, "is longer than the 255 bytes of a name"),
    ],
    ids=ascii,
)  # fmt: skip
def test_the_rule_that_a_name_breaks_is_said(wrong: str, rule: str) -> None:
    with pytest.raises(StudyError) as refused:
        name(wrong)
    assert rule in str(refused.value)
    assert str(refused.value).endswith("; take letters, digits, '.', '-' and '_', and see --studies-dir")


def test_no_name_of_the_folder_itself_or_of_the_one_above_stays_inside() -> None:
    assert [one for one in ("", ".", "..", "a/b", "a\0b") if stays_inside(one)] == []


def test_a_long_name_is_shown_by_its_ends() -> None:
    long = "begin" + "x" * 251 + "end"
    assert shown(long) == f"'begin{'x' * 44}...{'x' * 16}end'"
    assert shown("x" * 78) == repr("x" * 78)
    assert "..." in shown("x" * 79)


def test_on_windows_devices_and_drives_are_no_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names.os, "name", "nt")
    assert [one for one in ("nul", "COM1.txt", "a:b", "a.", "a ", "a?b", "ends..") if stays_inside(one)] == []
    assert stays_inside("digits-all-0.2M")


@pytest.mark.parametrize(
    "right", ["digits-all-0.2M", "a b", "\u00e9tude", "x" * 255, "v1,2", ".hidden", "console", "com10"]
)
def test_other_names_are_taken(right: str) -> None:
    assert name(right) == right


@given(st.text(st.characters(codec=None), max_size=300))
@example("..")
@example("a/../..")
@example("/tmp")
def test_no_name_that_is_accepted_leads_out_of_the_folder(text: str) -> None:
    try:
        accepted = name(text)
    except StudyError:
        accepted = None
    for taken in {accepted, text if stays_inside(text) else None} - {None}:
        path = os.path.normpath(os.path.join("/studies", taken))
        assert os.path.dirname(path) == "/studies"
        assert os.path.basename(path) == taken
    assert accepted is None or stays_inside(accepted)


@given(st.lists(st.text(st.characters(codec=None), max_size=200), min_size=1, max_size=4))
def test_a_name_that_is_made_from_data_is_always_one_that_is_taken(parts: list[str]) -> None:
    assert name(joined(parts)) == joined(parts)


def test_made_names_are_those_of_earlier_versions_and_long_ones_differ() -> None:
    assert joined(["digits", "all", "0.2M", "accuracy,latency"]) == "digits-all-0.2M-accuracy_latency"
    assert joined(["my/data", "a b"]) == "my_data-a_b"
    assert joined(["x" * 300, "a"]) != joined(["x" * 300, "b"])


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such folders")
@pytest.mark.parametrize("strange", ["nul", "ends.", "a\nb", "-x", "\u202ea", "a\\b"], ids=ascii)
def test_a_study_that_is_there_opens_under_a_strange_name(strange: str, tmp_path: Path) -> None:
    folder = tmp_path / strange
    folder.mkdir()
    (folder / "settings.json").write_text("{}", encoding="utf-8")
    assert study_to_search(strange, "usual", tmp_path) == folder
    assert find_study(strange, tmp_path) == folder
    shutil.rmtree(folder)
    with pytest.raises(StudyError, match="--studies-dir"):
        study_to_search(strange, "usual", tmp_path)


def test_a_name_never_means_a_folder_beside_that_of_the_studies(tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "settings.json").write_text("{}", encoding="utf-8")
    for wrong in ("..", "", ".", "../" + tmp_path.name):
        with pytest.raises(StudyError):
            study_to_search(wrong, "usual", tmp_path / "studies")
        with pytest.raises(StudyError):
            find_study(wrong, tmp_path / "studies")


COMMANDS = {
    "search": ["--budget-mflops", "0.1", "--study", "NAME"],
    "status": ["NAME"], "plot": ["NAME"], "report": ["NAME"], "export": ["NAME"], "importance": ["NAME"],
    "audit": ["NAME"], "retrain": ["NAME"], "dashboard": ["NAME"], "compare": ["NAME", "other"], "draw": ["NAME"],
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("wrong", ["..", "a\nb", "\x1b[2J", "", "x" * 300, "/no/such", "\udcff", "a\0b"], ids=ascii)
def test_every_command_refuses_such_a_name_in_one_line(
    command: str, wrong: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [wrong if word == "NAME" else word for word in COMMANDS[command]]
    studies = tmp_path / "studies"
    studies.mkdir()
    assert main([command, *words, "--studies-dir", str(studies)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.endswith("\n")
    assert err[:-1].isprintable()
    assert list(studies.iterdir()) == []
