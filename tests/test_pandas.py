"""A study as pandas tables, and the page of the documentation that shows what to do with them."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pandas
import pytest
from support.real_studies import NAMES, unpack

from igcnas.errors import StudyError
from igcnas.search import records
from igcnas.search.folder import open_study
from igcnas.search.settings import StudySettings

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "pandas.md"


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("work")
    for name in NAMES:
        unpack(root / "studies", name)
    return root


def blocks() -> list[tuple[str, str]]:
    """Each block of code of the page, and the output that the page gives right behind it."""
    found = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(found) == PAGE.read_text().count("```python") == 10
    return found


def test_every_block_of_the_page_prints_what_the_page_says(studies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(studies)
    names: dict[str, Any] = {}
    for number, (code, expected) in enumerate(blocks(), start=1):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, f"block {number}", "exec"), names)
        assert printed.getvalue().split() == expected.split(), f"block {number}"


def test_a_row_is_a_training_with_typed_columns(studies: Path) -> None:
    folder = studies / "studies" / "gp-4"
    frame = records.frame(folder)
    every = records.records(open_study(folder))
    assert list(frame["number"]) == [record.number for record in every]
    assert list(frame["val_accuracy"]) == [record.val_accuracy for record in every]
    for column in ("number", "macs", "params", "seed", "repeat", "repeat_of", "pruned_at", "param_depth1"):
        assert str(frame[column].dtype) == "Int64", column
    for column in ("val_accuracy", "seconds", "latency_ms"):
        assert str(frame[column].dtype) == "float64", column
    for column in ("state", "family", "baseline", "param_block"):
        assert str(frame[column].dtype) == "category", column
    assert str(frame["param_igcv3.learned"].dtype) == "boolean"
    assert frame["began"].dtype.kind == "M"
    assert (frame["ended"] >= frame["began"]).all()
    assert frame["repeat_of"].isna().sum() == 30


def test_trials_csv_has_the_same_columns_first(studies: Path) -> None:
    folder = studies / "studies" / "gp-4"
    study = open_study(folder)
    parameters = {trial.number: trial.params for trial in study.trials}
    table = records.to_frame(records.records(study), parameters)
    assert list(records.frame(folder).columns) == [*table.columns, "began", "ended"]


def test_curves_are_one_row_an_epoch(studies: Path) -> None:
    folder = studies / "studies" / "gp-4"
    curves = records.curves(folder)
    assert len(curves) == 40 * 10
    record = records.records(open_study(folder))[7]
    mine = curves[curves["number"] == 7]
    assert list(mine["val_accuracy"]) == [accuracy for _, _, accuracy in record.curve]
    assert list(mine["epoch"]) == list(range(1, 11))
    assert set(map(str, curves.dtypes)) == {"Int64", "float64"}


def test_networks_are_those_of_the_front_with_their_seeds(studies: Path) -> None:
    folder = studies / "studies" / "gp-4"
    frame = records.networks_frame(folder)
    every, settings = records.records(open_study(folder)), StudySettings.read(folder)
    known = {network.record.number: network for network in records.networks(every)}
    assert list(frame["number"]) == list(known)
    assert list(frame["mean"]) == [network.mean for network in known.values()]
    assert list(frame["n"]) == [network.n for network in known.values()]
    assert frame["sd"].isna().sum() == sum(network.n == 1 for network in known.values())
    front = {network.record.number for network in records.champions(every, settings.budget)}
    assert set(frame.loc[frame["on_front"], "number"]) == front
    assert frame["seconds"].sum() == pytest.approx(sum(record.seconds or 0 for record in every))


def test_a_study_without_a_training_gives_empty_tables(tmp_path: Path, studies: Path) -> None:
    settings = StudySettings.read(studies / "studies" / "gp-4")
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "settings.json").write_text((studies / "studies" / "gp-4" / "settings.json").read_text())
    open_study(folder, create_for=settings)
    for table in (records.frame(folder), records.curves(folder), records.networks_frame(folder)):
        assert isinstance(table, pandas.DataFrame)
        assert len(table) == 0


def test_a_name_is_looked_up_in_studies_and_an_unknown_one_is_told(
    studies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(studies)
    assert len(records.frame("random-4")) == 40
    with pytest.raises(StudyError, match=r"unknown study 'random-5'; did you mean 'random-4'\? known: gp-4, random-4"):
        records.frame("random-5")
