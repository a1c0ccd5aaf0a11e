"""A study on disk: its settings guard a resume, its records become tables and figures."""

from __future__ import annotations

import dataclasses
import json
import math
import warnings
from pathlib import Path
from typing import Any

import pytest
from support.real_studies import unpack
from support.studies import network

from igcnas.cli import main
from igcnas.data.dataset import Dataset
from igcnas.data.loading import load_dataset
from igcnas.errors import StudyError
from igcnas.network.budget import macs_budget
from igcnas.network.grouping import Interleaved
from igcnas.results.figures import compute_front, save_front
from igcnas.search.folder import find_study, guard_settings, open_study, trial_folder
from igcnas.search.records import TrialRecord, best, front, standard_error, to_frame, trained
from igcnas.search.settings import DataSettings, StudySettings, study_names
from igcnas.search.space import load_space
from igcnas.search.study import Study
from igcnas.training.settings import TrainingSettings

PNG = b"\x89PNG\r\n\x1a\n"
TRAINING = TrainingSettings(epochs=15)
DIGITS = load_dataset("digits")
DATA = DataSettings.of(DIGITS, TRAINING, spec="digits", data_dir=None, image_size=None)
SETTINGS = StudySettings(
    space=load_space("all").to_dict(),
    space_path="all",
    budget_macs=200_000,
    objective="front",
    sampler="tpe",
    baselines=True,
    seed=0,
    data=DATA,
    training=TRAINING,
)


FIXED = network(Interleaved(L=2, M=2))
LEARNED = network(Interleaved(L=2, M=2, learned=True))


def record(number: int, macs: int, accuracy: float | None, **other: Any) -> TrialRecord:
    values: dict[str, Any] = {"architecture": FIXED, "state": "failed" if accuracy is None else "complete"}
    values |= {"params": 9, "target": macs, "baseline": None, "seed": 1, "epochs": 2}
    return TrialRecord(number=number, macs=macs, val_accuracy=accuracy, **(values | other))


RECORDS = [
    record(0, 100, 80.0, baseline="ResNet-20"),
    record(1, 50, 60.0, architecture=LEARNED, curve=((1, 2.0, 30.0), (2, 1.0, 60.0))),
    record(2, 60, 55.0),
    record(3, 70, None, reason="diverged"),
    record(4, 90, 99.0, measured_macs=201),  # came out over the budget of 200
    record(5, 200, 90.0, measured_macs=150),
]


# Settings


def test_the_environment_names_the_folder_of_all_studies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    unpack(tmp_path / "mine", "gp-4")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IGCNAS_STUDIES", "")
    assert main(["status"]) == 0
    assert capsys.readouterr().out == "no study in studies\n"
    monkeypatch.setenv("IGCNAS_STUDIES", "mine")
    assert main(["status"]) == 0
    assert capsys.readouterr().out == "gp-4\n"
    found = Study.named("gp-4")
    assert (found.folder, found.reference) == (Path("mine/gp-4"), "gp-4")  # commands find it by its name
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("IGCNAS_STUDIES", "~/mine")
    assert find_study("gp-4") == tmp_path / "mine" / "gp-4"
    with pytest.raises(SystemExit):
        main(["search", "--help"])
    assert "IGCNAS_STUDIES" in capsys.readouterr().out
    monkeypatch.setenv("IGCNAS_STUDIES", "other")  # an option is stronger
    assert main(["status", "--studies-dir", "mine"]) == 0
    assert capsys.readouterr().out == "gp-4\n"


def test_settings_come_back_from_disk_as_they_were(tmp_path: Path) -> None:
    guard_settings(tmp_path, SETTINGS)
    found = StudySettings.read(tmp_path)
    assert found == SETTINGS
    assert found.differences(SETTINGS) == []


def test_every_difference_is_named_with_the_old_and_the_new_value() -> None:
    other = dataclasses.replace(
        SETTINGS, budget_macs=300_000, baselines=False, training=dataclasses.replace(TRAINING, epochs=8)
    )
    assert SETTINGS.differences(other) == [
        "baselines: True -> False",
        "budget_macs: 200000 -> 300000",
        "training.epochs: 15 -> 8",
    ]


def test_a_changed_choice_of_a_search_space_is_a_difference_that_names_its_family() -> None:
    space = json.loads(json.dumps(SETTINGS.space))
    space["families"][1]["M"] = [2, 1]
    found = SETTINGS.differences(dataclasses.replace(SETTINGS, space=space))
    assert found == ["space.families.igcv1.M: [1, 2, 3, 4, 8] -> [2, 1]"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"budget_macs": 100_000}, "budget_macs: 200000 -> 100000"),
        ({"space": load_space("igcv3").to_dict()}, "space.name: all -> igcv3"),
        ({"training": dataclasses.replace(TRAINING, epochs=3)}, "training.epochs: 15 -> 3"),
        ({"seed": 1}, "seed: 0 -> 1"),
        ({"objective": "accuracy"}, "objective: front -> accuracy"),
        ({"data": dataclasses.replace(DATA, fingerprint="other")}, "-> other"),
    ],
)
def test_a_study_is_not_resumed_with_other_settings(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    guard_settings(tmp_path, SETTINGS)
    with pytest.raises(StudyError) as caught:
        guard_settings(tmp_path, dataclasses.replace(SETTINGS, **change))
    message = str(caught.value)
    assert "\n" not in message
    assert "start another with --study NAME" in message
    if "space" not in change:  # that one differs in more than fits a line
        assert named in message
    assert any(named in difference for difference in SETTINGS.differences(dataclasses.replace(SETTINGS, **change)))
    assert StudySettings.read(tmp_path) == SETTINGS


def test_data_that_has_moved_is_resumed_and_found_at_its_new_place(tmp_path: Path) -> None:
    old = dataclasses.replace(SETTINGS, data=dataclasses.replace(DATA, spec="npz:/old.npz", data_dir="/old"))
    new = dataclasses.replace(old, data=dataclasses.replace(DATA, spec="npz:/new.npz", data_dir="/new"))
    guard_settings(tmp_path, old)
    guard_settings(tmp_path, new)
    assert StudySettings.read(tmp_path).data.spec == "npz:/new.npz"


def test_paths_of_data_are_stored_absolute_and_the_data_can_be_loaded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stored = DataSettings.of(DIGITS, TRAINING, spec="imagefolder:photos", data_dir=Path("here"), image_size=8)
    assert stored.spec == f"imagefolder:{tmp_path}/photos"
    assert stored.data_dir == str(tmp_path / "here")
    assert DATA.load().fingerprint() == DATA.fingerprint
    assert DATA.validation_images == pytest.approx(0.25 * len(DIGITS.train.labels), abs=10)


def test_other_pixels_are_other_data() -> None:
    changed = dataclasses.replace(DIGITS.train, images=255 - DIGITS.train.images)
    other: Dataset = dataclasses.replace(DIGITS, train=changed)
    stored = DataSettings.of(other, TRAINING, spec="digits", data_dir=None, image_size=None)
    assert [d.partition(":")[0] for d in SETTINGS.differences(dataclasses.replace(SETTINGS, data=stored))] == [
        "data.fingerprint"
    ]


@pytest.mark.parametrize(
    "content", ["{", '"text"', '{"format": 2}', '{"format": 2, "data": {}, "training": {}}', "\xff"]
)
def test_damaged_settings_are_told_in_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "settings.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(StudyError, match=r"settings\.json is damaged") as caught:
        StudySettings.read(tmp_path)
    assert "\n" not in str(caught.value)


def test_settings_of_another_version_are_refused(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps(SETTINGS.to_dict() | {"format": 99}))
    with pytest.raises(StudyError, match="another version of igcnas"):
        StudySettings.read(tmp_path)


def test_an_unknown_study_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        guard_settings(tmp_path / name, SETTINGS)
    assert study_names(tmp_path) == ["a", "b"]
    with pytest.raises(StudyError, match=r"no study in .*/c; studies there: a, b$"):
        StudySettings.read(tmp_path / "c")


def test_a_study_without_a_journal_or_with_an_empty_one_says_to_run_the_search(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no journal yet; run the search first"):
        open_study(tmp_path)
    (tmp_path / "journal.log").touch()
    with pytest.raises(StudyError, match="holds no study; run the search again"):
        open_study(tmp_path)


def test_a_study_opened_twice_is_one_study(tmp_path: Path) -> None:
    open_study(tmp_path, create_for=SETTINGS)
    size = (tmp_path / "journal.log").stat().st_size
    again = open_study(tmp_path, create_for=SETTINGS)
    assert len(again.directions) == 2
    assert again.user_attrs == {"budget_macs": 200_000, "data": "digits"}
    lines = (tmp_path / "journal.log").read_text().splitlines()
    assert sum("metric_names" in line for line in lines) == 1
    assert size > 0
    single = tmp_path / "single"
    single.mkdir()
    assert len(open_study(single, create_for=dataclasses.replace(SETTINGS, objective="accuracy")).directions) == 1


def test_folders_of_networks_sort_by_number(tmp_path: Path) -> None:
    assert trial_folder(tmp_path, 12) == tmp_path / "trials" / "00012"


# Records


def test_a_front_leaves_out_what_is_beaten_failed_or_over_the_budget() -> None:
    assert [r.number for r in front(RECORDS, macs_budget(200))] == [1, 0, 5]
    assert [r.number for r in front(RECORDS, macs_budget(201))] == [1, 0, 5, 4]
    champion = best(RECORDS, macs_budget(200))
    assert champion is not None
    assert champion.number == 5
    assert best(RECORDS, macs_budget(40)) is None
    assert [r.number for r in trained(RECORDS)] == [0, 1, 2, 4, 5]


def test_of_equally_accurate_networks_the_cheapest_is_the_best() -> None:
    champion = best([record(0, 30, 70.0), record(1, 20, 70.0), record(2, 20, 70.0)], macs_budget(100))
    assert champion is not None
    assert champion.number == 1


def test_measured_macs_stand_for_the_expected_ones_once_there_are_any() -> None:
    assert RECORDS[5].final_macs == 150
    assert RECORDS[0].final_macs == 100
    assert RECORDS[5].within(macs_budget(150))
    assert not RECORDS[4].within(macs_budget(200))


def test_the_standard_error_is_the_binomial_one() -> None:
    assert standard_error(50.0, 100) == pytest.approx(5.0)
    assert standard_error(90.0, 400) == pytest.approx(1.5)
    assert standard_error(100.0, 10) > 0.0


def test_the_table_has_a_row_for_each_network_and_a_column_for_each_parameter() -> None:
    frame = to_frame(RECORDS, {1: {"depth1": 2, "igcv1.M": 4}, 2: {"depth1": 3}})
    assert list(frame["number"]) == [0, 1, 2, 3, 4, 5]
    assert list(frame["state"]) == ["complete"] * 3 + ["failed"] + ["complete"] * 2
    assert frame.loc[1, "curve"] == "30.00 60.00"
    assert frame.loc[1, "param_depth1"] == 2
    assert frame.loc[1, "param_igcv1.M"] == 4
    assert math.isnan(frame.loc[2, "param_igcv1.M"])
    assert frame.loc[3, "reason"] == "diverged"
    assert frame.loc[1, "architecture_id"] == LEARNED.id
    assert "architecture" not in frame
    assert len(to_frame([], {})) == 0


# Figures


def test_the_figure_shows_known_networks_families_the_front_and_its_errors() -> None:
    figure = compute_front(RECORDS, budget=macs_budget(200), validation_images=400)
    assert figure.baselines == [("ResNet-20", 1e-4, 80.0)]
    assert figure.searched == {
        "igcv1": [(60e-6, 55.0), (201e-6, 99.0), (150e-6, 90.0)],
        "igcv1 (learned)": [(50e-6, 60.0)],
    }
    assert figure.front == [(50e-6, 60.0), (100e-6, 80.0), (150e-6, 90.0)]
    assert figure.front_errors == pytest.approx([standard_error(a, 400) for a in (60.0, 80.0, 90.0)])
    assert (figure.budget, figure.validation_images) == (200e-6, 400)


@pytest.mark.parametrize("every", [RECORDS, RECORDS[3:4], RECORDS[:1]], ids=["some", "none trained", "known only"])
def test_a_picture_is_a_png_without_a_warning(tmp_path: Path, every: list[TrialRecord]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_front(tmp_path / "pareto.png", every, dataclasses.replace(SETTINGS, budget_macs=200), title="digits")
    content = (tmp_path / "pareto.png").read_bytes()
    assert content.startswith(PNG)
    assert len(content) > 5_000
