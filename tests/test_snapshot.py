"""A long study is read from a snapshot and what came after it; it says the same as Optuna's replay of the journal."""

from __future__ import annotations

import copy
import json
import pickle
import shutil
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support.real_studies import unpack

from benchmarks.fuzz.corpus import make
from igcnas.errors import StudyError
from igcnas.network.architecture import Architecture
from igcnas.search import snapshot
from igcnas.search.folder import open_study
from igcnas.search.playback import Playback, UnknownRecordError
from igcnas.search.records import records
from igcnas.search.snapshot import FILE, Reading
from igcnas.search.study import Study


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies") / "small"
    folder.mkdir()
    make(folder)
    return folder


@pytest.fixture
def study(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(snapshot, "_FEW", 1)
    return Path(shutil.copytree(made, tmp_path / "study"))


def plain(trials: Sequence[Any]) -> list[tuple[Any, ...]]:
    return [(t.number, t.state, t.params, t.user_attrs, t.datetime_start, t.datetime_complete) for t in trials]


def by_optuna(folder: Path) -> list[tuple[Any, ...]]:
    return plain(open_study(folder).get_trials(deepcopy=False))


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many records each reading had from a snapshot."""
    found: list[int] = []
    original = snapshot.JournalBackend.begin_at

    def begin_at(self: Any, count: int, size: int) -> None:
        found.append(count)
        original(self, count, size)

    monkeypatch.setattr(snapshot.JournalBackend, "begin_at", begin_at)
    return found


@pytest.mark.parametrize("name", ["gp-4", "made"])
def test_trials_are_those_of_optuna_without_and_with_a_snapshot(
    name: str, study: Path, tmp_path: Path, begun: list[int]
) -> None:
    folder = study if name == "made" else unpack(tmp_path, name)
    assert plain(Study.read(folder).trials) == by_optuna(folder)
    assert not begun
    assert (folder / FILE).is_file()
    again = Study.read(folder)
    assert len(begun) == 1
    assert plain(again.trials) == by_optuna(folder)
    assert list(again.records) == records(open_study(folder))


def test_what_was_written_after_a_snapshot_is_read_behind_it(study: Path, begun: list[int]) -> None:
    journal = study / "journal.log"
    lines = journal.read_bytes().splitlines(keepends=True)
    for count in (len(lines) // 3, len(lines) // 2, len(lines)):
        journal.write_bytes(b"".join(lines[:count]) + b'{"op_co')  # and the beginning of the next
        assert plain(Study.read(study).trials) == by_optuna(study)
    assert begun == [len(lines) // 3, len(lines) // 2]


@pytest.mark.parametrize("damage", [b"", b"\x00", b"no snapshot"])
def test_a_snapshot_that_is_damaged_is_passed_over_and_replaced(damage: bytes, study: Path, begun: list[int]) -> None:
    Study.read(study)
    whole = (study / FILE).read_bytes()
    (study / FILE).write_bytes(damage)
    assert plain(Study.read(study).trials) == by_optuna(study)
    assert not begun
    assert (study / FILE).read_bytes() == whole


def test_a_snapshot_of_another_journal_is_passed_over(study: Path, begun: list[int]) -> None:
    journal = study / "journal.log"
    Study.read(study)
    content = journal.read_bytes()
    journal.write_bytes(content.replace(b'"IGC"', b'"ABC"'))
    assert "ABC" in {record.baseline for record in Study.read(study).records}
    journal.write_bytes(content[: len(content) // 2])
    assert plain(Study.read(study).trials) == by_optuna(study)
    assert not begun


def test_a_folder_that_cannot_be_written_is_read_all_the_same(
    study: Path, monkeypatch: pytest.MonkeyPatch, begun: list[int]
) -> None:
    def refuse(_path: Path, _content: bytes) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(snapshot, "write_whole", refuse)
    assert plain(Study.read(study).trials) == by_optuna(study)
    assert not (study / FILE).exists()


def said(read: Any) -> Any:
    """The records, or the one line that is told in their place."""
    try:
        return list(read())
    except StudyError as error:
        return str(error)


def test_a_byte_changed_anywhere_is_told_as_optuna_tells_it(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "_FEW", 10**9)
    random, journal = Random(0), study / "journal.log"
    content = journal.read_bytes()
    refused = 0
    for place in random.sample(range(len(content)), 150):
        journal.write_bytes(content[:place] + bytes([random.choice(b'x0]"7')]) + content[place + 1 :])
        found = said(lambda: Study.read(study).records)
        wanted = said(lambda: records(open_study(study)))
        if isinstance(wanted, str):  # of the journal there, of the folder here
            assert isinstance(found, str)
            assert found.partition(": ")[2] == wanted.partition(": ")[2] or found == wanted
            refused += 1
        else:
            assert found == wanted
    assert 0 < refused < 150


@pytest.mark.parametrize(
    ("operation", "other"),
    [
        (0, {}),  # a second study
        (0, {"op_code": 1, "study_id": 0}),
        (4, {"study_id": 1}),
        (4, {"params": {"block": 0}}),
        (8, {"trial_id": 99}),
        (8, {"trial_id": -1}),
        (8, {"user_attr": {}}),
        (8, {"more": 1}),
        (5, {"distribution": "{}"}),
        (6, {"values": ["1"]}),
        (6, {"state": 7}),
        (6, {"op_code": 10}),
    ],
)
def test_what_a_search_does_not_write_is_left_to_optuna(operation: int, other: dict[str, Any], tmp_path: Path) -> None:
    lines = [json.loads(line) for line in (unpack(tmp_path) / "journal.log").read_bytes().splitlines()]
    first = {line["op_code"]: line for line in reversed(lines)}
    playback = Playback()
    for line in (*lines, first[4]):
        playback.apply(line)
    last = playback.trials[-1].number
    record = first[operation] | ({"trial_id": last} if "trial_id" in first[operation] else {})
    if operation != 0:
        playback.apply(record)
    if operation == 6:
        playback.apply(first[4])
        record["trial_id"] += 1
    with pytest.raises(UnknownRecordError):
        playback.apply(record | other)


def test_an_empty_journal_is_left_to_optuna(tmp_path: Path) -> None:
    (tmp_path / "journal.log").touch()
    with pytest.raises(UnknownRecordError):
        Reading(tmp_path / "journal.log")


@pytest.mark.parametrize(
    "look",
    [
        lambda unread, read: unread == read,
        lambda unread, read: read == unread,
        lambda unread, read: hash(unread) == hash(read),
        lambda unread, read: repr(unread) == repr(read),
        lambda unread, read: copy.copy(unread) == read,
        lambda unread, read: copy.deepcopy(unread) == read,
        lambda unread, read: pickle.loads(pickle.dumps(unread)) == read,
        lambda unread, read: unread.activation == read.activation,
        lambda unread, read: unread.label() == read.label(),
        lambda unread, read: unread.to_json() == read.to_json(),
        lambda unread, read: {read: 1}[unread] == 1,
    ],
)
def test_an_architecture_that_was_not_decoded_is_like_any_other(look: Any, made: Path) -> None:
    read = Study.read(made).records[-1].architecture
    unread = Architecture.unread(read.to_json(), read.id)
    assert look(unread, read)
    assert type(unread) is Architecture


def test_an_architecture_is_not_decoded_for_its_id() -> None:
    assert Architecture.unread("no architecture", "0123456789ab").id == "0123456789ab"
