"""Every command in the tables of docs/seeds.md runs as it stands, and prints the numbers behind it in brackets."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from igcnas.cli import main

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "seeds.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ")]
COMMANDS = sorted({found for row in ROWS for found in re.findall(r"`igcnas ([^`]+)`", row)} - {"export NAME"})
# What a row says of the first command that it names.
STATED = {
    command: numbers
    for row in ROWS
    for command, said in re.findall(r"`igcnas (count [^`]+)` \(([^)]*)\)", row)
    if not said.startswith("and ")
    if (numbers := re.findall(r"\d[\d,]{6,}", said))
}


def test_the_page_names_commands_for_each_repository() -> None:
    assert len(COMMANDS) > 50
    assert set(STATED) == {"count igc L=100 M=2 doubles=L dataset=imagenet"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_page_runs(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(command)) == 0
    out = capsys.readouterr().out
    assert out
    for number in STATED.get(command, ()):
        assert number in out


def test_the_pictures_of_the_page_are_there() -> None:
    folder = Path(__file__).resolve().parent.parent / "docs"
    named = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", PAGE)
    assert named
    assert all((folder / name).is_file() for name in named)
