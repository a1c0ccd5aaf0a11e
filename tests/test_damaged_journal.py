"""A journal with a byte changed anywhere is opened, or is one line that names it; never a traceback."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from random import Random

import pytest

from benchmarks.fuzz.corpus import make
from igcnas.cli import main
from igcnas.errors import StudyError
from igcnas.search.folder import open_study
from igcnas.search.records import champions, records
from igcnas.search.repeating import standing
from igcnas.search.settings import StudySettings


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("studies") / "small"
    folder.mkdir()
    make(folder)
    return folder


@pytest.fixture(scope="module")
def content(study) -> bytes:
    return (study / "journal.log").read_bytes()


def opened(folder: Path) -> str:
    """What becomes of the study: '' where it opens, else the one line."""
    settings = StudySettings.read(folder)
    try:
        every = records(open_study(folder))
        champions(every, settings.budget, settings.compares)
        standing(every, budget=settings.budget, images=settings.data.validation_images)
    except StudyError as error:
        said = str(error)
    else:
        return ""
    assert "\n" not in said
    return said


def test_the_whole_journal_opens(study, content):
    (study / "journal.log").write_bytes(content)
    assert opened(study) == ""
    assert [record.state for record in records(open_study(study))].count("running") == 1


def test_a_byte_changed_anywhere_is_one_line_or_nothing(study, content):
    random, path = Random(0), study / "journal.log"
    # Every kind of place: each line is tried at forty of its bytes, the operation and the numbers among them.
    places = [place for place in range(len(content)) if random.random() < 0.02 or content[place : place + 3] == b'":0']
    for place in places:
        for value in (content[place] ^ 1, 0xFF):
            path.write_bytes(content[:place] + bytes([value]) + content[place + 1 :])
            said = opened(study)
            assert said == "" or "journal.log" in said or "holds no study" in said, (place, value, said)


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        (
            {"op_code": 8, "worker_id": "w", "trial_id": 3, "user_attr": {"macs": "many"}},
            "network 3 of the study is dam",
        ),
        ({"op_code": 8, "worker_id": "w"}, "remove that line to go on"),
        ({"op_code": 6, "worker_id": "w", "trial_id": 3, "state": 77, "values": None}, "remove that line to go on"),
        ({"op_code": 6, "worker_id": "w", "trial_id": 3, "state": 1, "datetime_complete": "x"}, "remove that line"),
        ({"op_code": 5, "worker_id": "w", "trial_id": 3, "param_name": "a", "distribution": "{"}, "remove that line"),
        ({"op_code": 4, "worker_id": "w", "study_id": 0}, "restore it from a copy, or keep the"),
        ({"op_code": 99, "worker_id": "w"}, "unknown op_code '99'"),
        ({"op_code": 2, "worker_id": "w", "study_id": 0, "user_attr": {str(n): n for n in range(20_000)}}, "entries"),
    ],
)
def test_a_record_of_the_right_form_and_the_wrong_meaning_names_the_line_and_a_way_out(study, content, line, advice):
    more = json.dumps(line).encode() + b"\n"
    path, lines = study / "journal.log", content.count(b"\n")
    path.write_bytes(content + more + content.splitlines(keepends=True)[1])
    said = opened(study)
    assert advice in said
    if "network" not in said:
        assert f"{path} is damaged at line {lines + 1}" in said
        path.write_bytes(content)  # what the advice says: without that line, or with those before it alone
        assert opened(study) == ""


def test_lines_swapped_doubled_and_lost_are_one_line_or_nothing(study, content):
    random, path = Random(1), study / "journal.log"
    for _ in range(60):
        lines = content.splitlines(keepends=True)
        first, second = random.randrange(len(lines)), random.randrange(len(lines))
        lines[first], lines[second] = lines[second], lines[first] * random.choice((0, 1, 2))
        path.write_bytes(b"".join(lines))
        opened(study)


@pytest.mark.parametrize("made", [b"", b"\x7fELF\0\0\n\n", b"{}\n" * 5, b"[" * 100_000 + b"\n", b"\xff" * 100])
def test_what_is_no_journal_is_said_to_be_none(study, made):
    (study / "journal.log").write_bytes(made)
    assert opened(study)


def test_a_folder_in_place_of_the_journal_is_one_line(study, content):
    path = study / "journal.log"
    path.unlink()
    path.mkdir()
    try:
        assert "cannot read journal" in opened(study)
    finally:
        path.rmdir()
        path.write_bytes(content)


@pytest.mark.parametrize("command", ["status", "plot", "report", "export", "importance"])
def test_every_command_that_reads_a_damaged_study_ends_with_one_line(study, content, command):
    lines = content.splitlines(keepends=True)
    for damage in (b'{"op_code":8,"worker_id":3}\n', b"\xfe\xfe\n", b'{"op_code":6,"worker_id":"w","trial_id":0}\n'):
        (study / "journal.log").write_bytes(b"".join([*lines[:6], damage, *lines[6:]]))
        told = io.StringIO()
        with contextlib.redirect_stderr(told):
            status = main([command, str(study)])
        assert status == 2
        assert told.getvalue().startswith("error: ")
        assert "damaged at line 7" in told.getvalue()
        assert told.getvalue().count("\n") == 1
