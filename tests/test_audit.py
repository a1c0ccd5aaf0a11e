"""igcnas audit as a user meets it: exact after any kill, refused with other settings, and what it writes."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from support.campaigns import Here, trained_alone

from igcnas.cli import main
from igcnas.cli.progress.campaign import CampaignProgress
from igcnas.data.loading import load_dataset
from igcnas.results.audit.figure import draw_scatter, draw_taus, save_audit
from igcnas.results.audit.folder import LongResult
from igcnas.results.audit.long import FIRST_REPEAT, LongTraining
from igcnas.results.audit.result import ALL, RANKINGS, WITHIN, AuditResult, compute
from igcnas.results.audit.rows import BASELINES, COUNTED, Row, first_trainings, rows
from igcnas.results.audit.scores import COUNTS, SCORES, score_batch
from igcnas.results.audit.table import Title, as_json, networks, page
from igcnas.results.audit.verdict import AS_GOOD, BELOW, REVERSED, UNDECIDED, WORSE
from igcnas.search.evaluation import Interrupted
from igcnas.search.folder import open_study
from igcnas.search.records import records
from igcnas.search.settings import StudySettings
from igcnas.training.reports import EpochReport
from igcnas.training.tensors import TrainingData
from igcnas.training.trainer import train

pytestmark = pytest.mark.usefixtures("forked_workers")

ROOT = Path(__file__).parents[1]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
SMALL = ("--networks", "6", "--bands", "2", "--seeds", "2", "--epochs", "2", "--device", "cpu")
TITLE = Title(
    study="s",
    data="digits",
    short_epochs=1,
    long_epochs=2,
    validation_images=100,
    device="cpu",
    seconds=60,
    command="igcnas audit s",
)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of seven networks of one epoch, on a few of the digits."""
    root = tmp_path_factory.mktemp("studies")
    digits = load_dataset("digits").train
    np.savez(root / "few.npz", x_train=digits.images[:300], y_train=digits.labels[:300])
    words = ["search", "--budget-mflops", "0.01", "--epochs", "1", "--no-baselines", "--no-export", "--networks", "7"]
    words += ["--space", "igcv1", "--data", f"npz:{root / 'few.npz'}"]
    assert main([*words, "--study", "s", "--studies-dir", str(root), "--device", "cpu"]) == 0
    return root / "s"


def results(folder: Path) -> dict[str, Any]:
    """Every long training without what time makes different."""
    found = {}
    for path in sorted((folder / "trainings").glob("*.json")):
        found[path.name] = {key: value for key, value in json.loads(path.read_text()).items() if key != "seconds"}
    return found


# One long training


def test_a_long_training_is_that_of_the_search_with_more_epochs_and_an_unused_seed(study: Path, tmp_path: Path) -> None:
    record, data, settings = first_record(study)
    (tmp_path / "trainings").mkdir()
    training = long(record, settings, tmp_path, number=3, repeat=1)
    found = trained_alone(training, workers(study, settings))
    expected = train(record.architecture, data, settings, repeat=FIRST_REPEAT + 1)
    assert found.val_accuracy == expected.val_accuracy
    assert found.curve == [report.val_accuracy for report in expected.curve]
    assert training.read() == found
    assert long(record, settings, tmp_path, number=3, repeat=0).read() is None
    assert [path.name for path in (tmp_path / "trainings").iterdir()] == ["00003-1.json"]


def test_a_long_training_that_was_stopped_goes_on_to_the_same_bits(study: Path, tmp_path: Path) -> None:
    record, _, settings = first_record(study, epochs=4)
    for name in ("whole", "cut"):
        (tmp_path / name / "trainings").mkdir(parents=True)
    whole = trained_alone(long(record, settings, tmp_path / "whole"), workers(study, settings))
    asked = [0]

    def go(most: int) -> LongResult:
        def stop() -> bool:  # asked at each step
            asked[-1] += 1
            return asked[-1] > most

        asked.append(0)
        return trained_alone(long(record, settings, tmp_path / "cut"), workers(study, settings, stop=stop))

    for steps in (3, 2):
        with pytest.raises(Interrupted):
            go(steps)
    cut = go(1000)
    assert asked[1:3] == [3 + 1, 2 + 1]  # the step that was asked about was not done
    assert asked[3] == 4 * 2 - 3 - 2  # of two steps an epoch
    assert cut.curve == whole.curve
    assert results(tmp_path / "cut") == results(tmp_path / "whole")
    assert not list((tmp_path / "cut" / "trainings").glob("*.pt"))


def test_a_training_that_diverges_is_a_result_and_one_with_a_damaged_checkpoint_begins_again(
    study: Path, tmp_path: Path
) -> None:
    record, data, settings = first_record(study)
    (tmp_path / "trainings").mkdir()
    broken = workers(study, settings)
    broken.trainer._data = dataclasses.replace(data, mean=torch.full_like(data.mean, math.nan))
    found = trained_alone(long(record, settings, tmp_path), broken)
    assert found.val_accuracy is None
    assert found.failed is not None
    assert "diverged" in found.failed
    (tmp_path / "trainings" / "00000-1.pt").write_bytes(b"torn")
    notes: list[str] = []
    training = long(record, settings, tmp_path, repeat=1)
    again = trained_alone(training, workers(study, settings, note=notes.append))
    assert training.read() == again
    assert again.failed is None
    assert len(notes) == 1
    assert "00000-1.pt is damaged" in notes[0]


def long(record: Any, settings: Any, folder: Path, *, number: int = 0, repeat: int = 0) -> LongTraining:
    return LongTraining.of(folder, record, settings, number=number, repeat=repeat)


def workers(study: Path, settings: Any, **how: Any) -> Here:
    return Here(StudySettings.read(study).data.load(), settings, images="split", **how)


def first_record(study: Path, *, epochs: int = 2) -> Any:
    settings = StudySettings.read(study)
    data = TrainingData.of(settings.data.load(), settings.training, torch.device("cpu"))
    record = first_trainings(records(open_study(study)))[0]
    return record, data, dataclasses.replace(settings.training, epochs=epochs)


# The command


def test_an_audit_writes_a_page_a_table_and_a_picture(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(study), *SMALL]) == 0
    out = capsys.readouterr().out
    folder = study / "audit-2"
    assert "sample    6 networks: 3 of " in out
    assert "12/12  network" in out
    assert (folder / "audit.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    text = (folder / "audit.md").read_text()
    assert "## Kendall's tau-b with the mean of the long trainings" in text
    assert "Two seeds give a noisy ceiling" in text
    with (folder / "audit.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 6
    for line in lines:
        mean = (float(line["long_0"]) + float(line["long_1"])) / 2
        assert float(line["long_mean"]) == pytest.approx(mean)
        assert {f"score_{name}" for name in BASELINES} <= line.keys()

    before = {path: path.stat().st_mtime_ns for path in (folder / "trainings").iterdir()}
    assert main(["audit", str(study), *SMALL, "--json"]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert "12 trainings of 2 epochs" in captured.err
    assert "(12 are there)" in captured.err
    assert found["verdict"] in (AS_GOOD, BELOW, REVERSED, UNDECIDED, WORSE)
    assert len(found["rows"]) == 6
    assert set(found["scopes"]) == {ALL, WITHIN, "best third by short training"}
    assert {path: path.stat().st_mtime_ns for path in (folder / "trainings").iterdir()} == before


def test_more_seeds_go_on_and_other_settings_are_refused(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(study), *SMALL]) == 0
    seeds = [word if word != "2" or before != "--seeds" else "3" for before, word in zip(("", *SMALL), SMALL)]  # noqa: B905
    left = next((study / "audit-2").rglob("*-0.json")).with_suffix(".pt")
    left.write_bytes(b"could not be removed")
    assert main(["audit", str(study), *seeds]) == 0
    assert not left.exists()
    assert "(12 are there)" in capsys.readouterr().out
    assert len(results(study / "audit-2")) == 18
    words = ["audit", str(study), "--networks", "7", "--bands", "2", "--epochs", "2"]
    assert main(words) == 2
    assert "holds an audit with other settings (networks: 6 -> 7); go back" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--epochs", "1"], "--epochs 1 is not longer than the 1 epoch of the study"),
        (["--workers", "none"], "--workers none must be a number of 1 or more, or auto"),
        (["--networks", "0"], "--networks 0 must be at least 1"),
        (["--networks", "8", "--epochs", "3"], "the study holds 7 trained networks, but 3 bands need 9"),
        (["--bands", "2", "--networks", "5", "--epochs", "4"], "--networks 5, but 2 bands need 6"),
    ],
)
def test_mistakes_are_one_line(study: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(study), *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_study_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "nothing", "--studies-dir", str(tmp_path)]) == 2
    assert "no study 'nothing'" in capsys.readouterr().err


def test_an_audit_killed_and_then_interrupted_goes_on_to_the_same_trainings(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [
        "audit",
        str(study),
        "--networks",
        "3",
        "--bands",
        "1",
        "--seeds",
        "1",
        "--epochs",
        "120",
        "--workers",
        "1",
        "--device",
        "cpu",
    ]
    cut = ["--out", str(tmp_path / "cut")]
    command = [sys.executable, "-m", "igcnas", *words, *cut]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        end = time.monotonic() + 60
        while not results(tmp_path / "cut") and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    have = len(results(tmp_path / "cut"))
    assert 1 <= have < 3

    def interrupt(_self: CampaignProgress, _training: LongTraining, report: EpochReport) -> None:
        if report.epoch == 7:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(CampaignProgress, "epoch", interrupt)
        assert main([*words, *cut]) == 130
    assert "nothing is lost. To go on:" in capsys.readouterr().out
    assert len(list((tmp_path / "cut" / "trainings").glob("*.pt"))) == 1
    assert len(results(tmp_path / "cut")) == have
    assert main([*words, *cut]) == 0
    assert main([*words, "--workers", "2", "--out", str(tmp_path / "whole")]) == 0
    assert results(tmp_path / "cut") == results(tmp_path / "whole")
    assert (tmp_path / "cut" / "audit.csv").read_bytes() == (tmp_path / "whole" / "audit.csv").read_bytes()


# From numbers


def simulated(*, bands: int = 3, each: int = 4, seeds: int = 2) -> AuditResult:
    generator = np.random.default_rng(0)
    found = []
    for number in range(bands * each):
        truth = 90 + float(generator.normal())
        long = tuple(truth + float(generator.normal()) for _ in range(seeds))
        scores = {name: float(generator.normal()) for name in BASELINES}
        row = Row(number=number, name="n", band=number // each, macs=1, short=truth, long=long, scores=scores)
        found.append(row)
    return compute(found, [(10**6 * band, 10**6 * (band + 1)) for band in range(bands)], seed=0)


def test_the_scatter_shows_each_network_in_the_colour_of_its_band_with_the_range_of_its_seeds() -> None:
    result = simulated()
    axes = Figure().subplots()
    draw_scatter(result, axes, short_epochs=15, long_epochs=150)
    points = [drawn for drawn in axes.collections if isinstance(drawn, PathCollection)]
    assert len(axes.containers) == len(points) == 3
    colours = set()
    for band, (container, some) in enumerate(zip(axes.containers, points, strict=True)):
        rows = [row for row in result.rows if row.band == band]
        assert np.asarray(some.get_offsets()) == pytest.approx(np.array([(row.short, row.mean) for row in rows]))
        _, _, (bars,) = container  # type: ignore[misc]
        for row, segment in zip(rows, bars.get_segments(), strict=True):
            assert segment[:, 0] == pytest.approx([row.short, row.short])
            assert segment[:, 1] == pytest.approx([min(row.long), max(row.long)])
        assert bars.get_edgecolor()[0, :3] == pytest.approx(some.get_facecolor()[0, :3])
        colours.add(tuple(some.get_facecolor()[0]))
    assert len(colours) == 3


def test_the_bars_are_the_taus_and_the_line_is_the_ceiling() -> None:
    scope = simulated().scopes[WITHIN]
    axes = Figure().subplots()
    draw_taus(scope, axes, named=True)
    assert [bar.get_width() for bar in axes.patches[: len(RANKINGS)]] == [scope.taus[key].value for key in RANKINGS]  # type: ignore[attr-defined]
    assert scope.ceiling is not None
    assert scope.ceiling.value in [line.get_xdata()[0] for line in axes.lines]  # type: ignore[index]
    assert [label.get_text() for label in axes.get_yticklabels()][:2] == ["short training", "MACs"]


def test_a_picture_and_a_page_are_made_of_one_seed_and_one_band_too(tmp_path: Path) -> None:
    result = simulated(bands=1, each=6, seeds=1)
    save_audit(tmp_path / "a.png", result, TITLE)
    assert (tmp_path / "a.png").stat().st_size > 10_000
    text = page(result, TITLE, ["network 3, seed 0: diverged"])
    assert "One long seed gives no ceiling." in text
    assert "- network 3, seed 0: diverged" in text
    assert json.dumps(as_json(result, TITLE, [], tmp_path), allow_nan=False)
    assert len(networks(result).rows) == 6


def test_networks_with_a_failed_training_are_left_out_and_named(study: Path) -> None:
    from igcnas.results.audit.folder import AuditSettings, Sample

    every = records(open_study(study))
    settings = StudySettings.read(study)
    wanted = AuditSettings(
        networks=6, bands=2, training=settings.training, data_fingerprint="f", short_epochs=1
    )  # fmt: skip
    sample = Sample.draw(first_trainings(every), wanted)
    trainings = [
        LongResult(number=m.number, seed=seed, architecture_id="", epochs=2, val_accuracy=50.0 + seed)
        for m in sample.members
        for seed in (1, 0)
    ]
    trainings[0] = LongResult(number=trainings[0].number, seed=1, architecture_id="", epochs=2, failed="diverged")
    scores = {m.number: dict.fromkeys(BASELINES, 1.0) for m in sample.members}
    found, left_out = rows(sample, every, trainings, scores)
    assert len(found) == 5
    assert found[0].long == (50.0, 51.0)
    assert left_out == [f"network {trainings[0].number}, seed 1: diverged"]


def test_an_audit_is_beside_every_count_and_score() -> None:
    assert tuple(COUNTS) == COUNTED
    assert (*COUNTS, *SCORES) == BASELINES


def test_the_images_that_scores_see_are_the_same_each_time(study: Path) -> None:
    _, data, _ = first_record(study)
    images, labels = score_batch(data, 0)
    again, _ = score_batch(data, 0)
    other, _ = score_batch(data, 1)
    assert images.shape == (128, 1, 8, 8)
    assert len(labels) == 128
    assert torch.equal(images, again)
    assert not torch.equal(images, other)
