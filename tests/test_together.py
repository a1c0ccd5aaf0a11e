"""Records written at once are those that were written one by one, in their order, with one wait for the disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import optuna
import pytest

from igcnas.errors import MachineError
from igcnas.search.storage import JournalBackend, open_storage, together


def study_at(path: Path) -> optuna.Study:
    return optuna.create_study(storage=open_storage(path), study_name="tiny", sampler=optuna.samplers.RandomSampler(0))


def one_trial(study: optuna.Study, *, at_once: bool) -> optuna.Trial:
    trial = study.ask()
    with together(study) if at_once else nullcontext():
        trial.suggest_int("depth", 1, 4)
        trial.suggest_float("rate", 0.0, 1.0)
        for key in ("curve", "seconds", "device"):
            trial.set_user_attr(key, [1, 2])
    study.tell(trial, 1.0)
    return trial


def lines(path: Path) -> list[dict]:
    """All but who wrote them and when."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return [{key: value for key, value in r.items() if key[:8] not in ("worker_i", "datetime")} for r in records]


@contextmanager
def appends(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many records each append writes."""
    sizes: list[int] = []
    write = JournalBackend.append_logs
    monkeypatch.setattr(
        JournalBackend, "append_logs", lambda self, logs: (sizes.append(len(logs)), write(self, logs))[1]
    )
    yield sizes


def test_the_journal_is_the_same_with_fewer_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with appends(monkeypatch) as sizes:
        one_trial(study_at(tmp_path / "apart"), at_once=False)
        apart, sizes[:] = list(sizes), []
        one_trial(study_at(tmp_path / "together"), at_once=True)
    assert set(apart) == {1}
    assert sorted(sizes)[-2:] == [1, 5]
    assert lines(tmp_path / "together") == lines(tmp_path / "apart")


def test_what_was_set_is_there_after_the_block_here_and_for_others(tmp_path: Path) -> None:
    study = study_at(tmp_path / "journal")
    one_trial(study, at_once=True)
    other = optuna.load_study(storage=open_storage(tmp_path / "journal"), study_name="tiny")
    assert [t.user_attrs for t in other.trials] == [t.user_attrs for t in study.trials]
    assert other.trials[0].params.keys() == {"depth", "rate"}


def test_what_else_is_done_in_the_block_is_written_behind_what_was_set(tmp_path: Path) -> None:
    study = study_at(tmp_path / "journal")
    first = study.ask()
    with together(study):
        first.set_user_attr("before", 1)
        second = study.ask()
        second.set_user_attr("after", 2)
        study.tell(first, 1.0)
    other = optuna.load_study(storage=open_storage(tmp_path / "journal"), study_name="tiny")
    assert [trial.user_attrs for trial in other.trials] == [{"before": 1}, {"after": 2}]
    assert [trial.state.name for trial in other.trials] == ["COMPLETE", "RUNNING"]


def test_an_error_in_the_block_loses_nothing_that_was_set_before_it(tmp_path: Path) -> None:
    study = study_at(tmp_path / "journal")
    trial = study.ask()
    with suppress(ValueError), together(study):
        trial.set_user_attr("before", 1)
        raise ValueError
    trial.set_user_attr("after", 2)
    other = optuna.load_study(storage=open_storage(tmp_path / "journal"), study_name="tiny")
    assert other.trials[0].user_attrs == {"before": 1, "after": 2}


def test_a_block_that_sets_nothing_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = study_at(tmp_path / "journal")
    with appends(monkeypatch) as sizes, together(study):
        pass
    assert sizes == []


@pytest.mark.parametrize("cut", range(1, 400, 37))
def test_a_write_that_is_cut_off_leaves_the_first_records_and_the_study_goes_on(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal"
    study = study_at(path)
    trial = study.ask()
    begin = path.stat().st_size
    with together(study):
        for key in "abcde":
            trial.set_user_attr(key, "x" * 20)
    whole = path.read_bytes()
    path.write_bytes(whole[: begin + cut])
    told = optuna.load_study(storage=open_storage(path), study_name="tiny").trials[0].user_attrs
    assert list(told) == list("abcde")[: whole[begin : begin + cut].count(b"\n")]
    again = optuna.load_study(storage=open_storage(path), study_name="tiny")
    optuna.Trial(again, again.trials[0]._trial_id).set_user_attr("z", 1)
    assert list(optuna.load_study(storage=open_storage(path), study_name="tiny").trials[0].user_attrs)[-1] == "z"


def test_a_write_that_fails_is_told_and_the_next_one_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = study_at(tmp_path / "journal")
    trial = study.ask()

    def full(*_: object) -> None:
        raise MachineError("no space")

    with monkeypatch.context() as once:
        once.setattr(JournalBackend, "append_logs", full)
        with pytest.raises(MachineError, match="no space"), together(study):
            trial.set_user_attr("lost", 1)
    trial.set_user_attr("kept", 2)
    other = optuna.load_study(storage=open_storage(tmp_path / "journal"), study_name="tiny")
    assert other.trials[0].user_attrs == {"kept": 2}


def test_a_study_without_a_journal_writes_as_ever() -> None:
    study = optuna.create_study()
    trial = one_trial(study, at_once=True)
    assert study.trials[trial.number].user_attrs["device"] == [1, 2]
