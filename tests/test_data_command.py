"""What is said of data, and that no late step hides a result or finds a fault that was there from the start."""

from __future__ import annotations

import io
import json
import os
import shutil
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from igcnas.cli import export, main
from igcnas.data.loading import load_dataset
from igcnas.errors import ExportError
from igcnas.search.settings import StudySettings
from igcnas.training.runs.weights import Checkpoint

pytestmark = pytest.mark.usefixtures("forked_workers")

SEARCH = ["search", "--budget-mflops", "0.03", "--epochs", "1", "--networks", "1", "--no-baselines", "--seeds", "1"]
SEARCH += ["--workers", "1", "--study", "s", "--space", "igcv3"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IGCNAS_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    train = load_dataset("digits").train
    return train.images[:400, 0], train.labels[:400]


def npz(digits: tuple[np.ndarray, np.ndarray], **more: np.ndarray) -> list[str]:
    """300 digits to train on, 40 to validate on, 60 to test on."""
    images, labels = digits
    arrays = {"x_train": images[:300], "y_train": labels[:300], "x_val": images[300:340], "y_val": labels[300:340]}
    arrays |= {"x_test": images[340:], "y_test": labels[340:]}
    np.savez("few.npz", **(arrays | more))
    return ["--data", "npz:few.npz"]


def said(capsys: pytest.CaptureFixture[str]) -> tuple[list[str], dict[str, Any], str]:
    """Lines of the output, the JSON object of the last, and stderr."""
    out, err = capsys.readouterr()
    lines = out.splitlines()
    return lines, json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}, err


@pytest.fixture(scope="module")
def searched(digits: tuple[np.ndarray, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder with a study and its data, an array of which no split is, and what the search printed."""
    place = tmp_path_factory.mktemp("searched")
    before = Path.cwd()
    os.chdir(place)
    try:
        with redirect_stdout(io.StringIO()) as output:
            assert main([*SEARCH, *npz(digits, ids=np.arange(400)), "--no-export", "--json"]) == 0
    finally:
        os.chdir(before)
    return place, output.getvalue().splitlines()


@pytest.fixture
def study(searched: tuple[Path, list[str]]) -> list[str]:
    """That study and its data, here; the words that name the data."""
    shutil.copytree(searched[0], ".", dirs_exist_ok=True)
    return ["--data", "npz:few.npz"]


def test_a_search_says_where_each_split_comes_from_and_validates_on_the_datas_own(searched, study):
    lines = searched[1]
    found = json.loads(lines[-1])
    assert (
        "splits    300 to train on (x_train and y_train); 40 to validate on (x_val and y_val); "
        "60 to test on at the end (x_test and y_test)"
    ) in lines
    assert "left out  1 array: 1 whose name means no split: 'ids'" in lines
    assert found["data"]["validation"] == {"images": 40, "from": "x_val and y_val"}
    assert found["data"]["left_out"][0]["example"] == "ids"
    settings = StudySettings.read(Path("studies/s"))
    assert (settings.data.validation_images, settings.data.own_validation) == (40, True)
    assert found["val_accuracy"] / 100 * 40 == pytest.approx(round(found["val_accuracy"] / 100 * 40))


def test_a_study_from_before_goes_on_with_the_splits_that_it_has(study, capsys):
    path = Path("studies/s/settings.json")
    stored = json.loads(path.read_text())
    before = load_dataset("npz:few.npz", own_validation=False)
    for name in ("own_validation", "skip_bad", "majority", "majority_class", "reading"):
        del stored["data"][name]
    stored["data"] |= {"fingerprint": before.fingerprint(), "validation_images": 84}
    validation = before.split(fraction=0.25, seed=0)[1]
    stored["data"]["validation_images"] = len(validation.labels)
    path.write_text(json.dumps(stored))
    assert main([*SEARCH, *study, "--no-export", "--networks", "2"]) == 0
    lines, _, _ = said(capsys)
    assert any("x_train and y_train, x_val and y_val" in line for line in lines)
    assert StudySettings.read(path.parent).data.validation_images == len(validation.labels)
    stored["data"]["fingerprint"] = "0" * 16
    path.write_text(json.dumps(stored))
    assert main([*SEARCH, *study, "--no-export", "--networks", "2"]) == 2
    assert "igcnas now reads pictures otherwise" in said(capsys)[2]


@pytest.mark.parametrize(
    "wrong",
    [{"y_test": np.zeros(61, np.int64)}, {"y_test": np.full(60, 10)}, {"x_test": np.zeros((60, 9, 8), np.uint8)}],
)
def test_a_wrong_test_split_is_refused_before_anything_is_trained(wrong, digits, capsys):
    for command in ([*SEARCH], ["train", "igc", "L=2", "M=2", "--recipe", "short", "--epochs", "1", "--out", "run"]):
        assert main([*command, *npz(digits, **wrong)]) == 2
        lines, _, err = said(capsys)
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert not any(line.startswith(("best", "epoch")) for line in lines)
    assert not list(Path("studies").rglob("result.json"))


def test_the_result_is_said_although_the_export_fails(study, capsys, monkeypatch):
    def fails(*_: object) -> Path:
        raise ExportError("onnx differs from the trained network")

    monkeypatch.setattr(export, "write", fails)
    assert main([*SEARCH, *study, "--json"]) == 2
    lines, found, err = said(capsys)
    assert any(line.startswith("best      ") for line in lines)
    assert "wrote     studies/s/trials.csv" in lines
    assert found["best"] == 0
    assert found["faults"] == ["export: onnx differs from the trained network"]
    assert "error: export: onnx differs" in err
    assert "again with: igcnas export studies/s" in err


def test_unbalanced_classes_are_stated_beside_every_accuracy(digits, capsys):
    labels = digits[1]
    rare = (labels == 3).astype(np.int64)
    arrays = {"y_train": rare[:300], "y_val": rare[300:340], "y_test": rare[340:]}
    share = 100 * float((rare[300:340] == 0).mean())
    assert main([*SEARCH, *npz(digits, **arrays), "--json"]) == 0
    lines, found, _ = said(capsys)
    line = f"balance   answering '0' always would score {share:.2f} % of the 40 validation images"
    assert lines.count(line) == 2  # in the plan and beside the result
    assert found["data"]["majority"] == {"class": "0", "percent": share}
    assert "% of the test images" in Path("studies/s/best/card.md").read_text()
    assert main(["status", "s"]) == 0
    assert line in said(capsys)[0]


def photos(digits: tuple[np.ndarray, np.ndarray]) -> list[str]:
    """120 digits to train on, 40 to validate on, 40 to test on, stored as colour; one of each split is damaged."""
    for i, (image, label) in enumerate(zip(*digits, strict=True)):
        part = "train" if i < 120 else "valid" if i < 160 else "test"
        if i >= 200:
            break
        path = Path("photos") / part / str(label) / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).convert("RGB").save(path)
    for part in ("train", "valid", "test"):
        (Path("photos") / part / "1" / "bad.png").write_bytes(b"hello")
    return ["--data", "imagefolder:photos"]


def test_skip_bad_reaches_workers_retraining_and_export_and_is_part_of_the_study(digits, capsys):
    data = photos(digits)
    assert main([*SEARCH, *data]) == 2
    err = said(capsys)[2]
    assert all(f"{part}/1/bad.png" in err for part in ("train", "valid", "test"))
    assert main([*SEARCH, *data, "--skip-bad", "--no-export"]) == 0
    lines, _, _ = said(capsys)
    assert any(line.startswith("left out  3 files: 3 that cannot be decoded, such as ") for line in lines)
    assert any(line.startswith("data      photos: 1x8x8, 10 classes, 40 validation images") for line in lines)
    assert main(["retrain", "s", "--top", "1", "--seeds", "1", "--epochs", "1"]) == 0
    assert main(["export", "s"]) == 0
    assert main(["evaluate", "studies/s/best", "--split", "validation", *data]) == 0
    assert any("(40 images of photos" in line for line in said(capsys)[0])
    stored = json.loads(Path("studies/s/settings.json").read_text())
    assert stored["data"]["skip_bad"] is True


def test_a_training_uses_the_own_validation_split_and_its_checkpoint_says_so(digits, capsys):
    data = photos(digits)
    words = ["train", "igc", "L=2", "M=2", "depth=8", "--recipe", "short", "--epochs", "1", "--out", "run"]
    assert main([*words, *data, "--skip-bad", "--validation", "0.2"]) == 2
    assert "has its own validation split, 40 images; leave it out" in said(capsys)[2]
    assert main([*words, *data, "--skip-bad"]) == 0
    lines, _, _ = said(capsys)
    assert any("120 to train on (train/); 40 to validate on (valid/); 40 to test on" in line for line in lines)
    assert Checkpoint.read(Path("run/best.safetensors")).data["own_validation"] is True
    assert main(["evaluate", "run", *data, "--json"]) == 0
    assert said(capsys)[1]["validation"]["images"] == 40
