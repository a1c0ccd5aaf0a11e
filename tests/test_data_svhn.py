"""SVHN in its distributed .mat files, fabricated with a few images, and every way such a file can be wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import io

from igcnas.cli import main
from igcnas.data.loading import load_dataset
from igcnas.errors import DataError

LABELS = {"train": [10, 1, 9, 2], "test": [3, 10], "extra": [5, 6, 10]}


def images(part: str) -> np.ndarray:
    return np.random.default_rng(len(part)).integers(0, 256, (32, 32, 3, len(LABELS[part])), dtype=np.uint8)


def fabricate(folder: Path, **changed: Any) -> Path:
    for part, labels in LABELS.items():
        held = {"X": images(part), "y": np.array(labels, dtype=np.uint8)[:, None]}
        io.savemat(folder / f"{part}_32x32.mat", held | changed.get(part, {}), do_compression=True)
    return folder


def test_images_have_channels_first_and_ten_is_the_digit_zero(tmp_path: Path) -> None:
    data = load_dataset("svhn", data_dir=fabricate(tmp_path))
    assert data.input_shape == (3, 32, 32)
    assert data.classes == tuple("0123456789")
    assert data.train.labels.tolist() == [0, 1, 9, 2]
    assert np.array_equal(data.train.images[2], images("train")[:, :, :, 2].transpose(2, 0, 1))
    assert data.load_test().labels.tolist() == [3, 0]
    assert not data.flip  # a mirrored 2 is none


def test_with_the_extra_images_there_are_those_of_both_files_in_order(tmp_path: Path) -> None:
    data = load_dataset("svhn-extra", data_dir=fabricate(tmp_path))
    assert data.train.labels.tolist() == [0, 1, 9, 2, 5, 6, 0]
    assert data.fingerprint() != load_dataset("svhn", data_dir=tmp_path).fingerprint()
    assert len(data.load_test().labels) == 2


def test_labels_may_be_floating_point_as_matlab_writes_them(tmp_path: Path) -> None:
    fabricate(tmp_path, train={"y": np.array([[10.0], [1.0], [9.0], [2.0]])})
    assert load_dataset("svhn", data_dir=tmp_path).train.labels.tolist() == [0, 1, 9, 2]


@pytest.mark.parametrize(
    ("train", "part"),
    [
        ({"X": np.zeros((32, 32, 3, 3), np.uint8)}, "X of shape (32, 32, 3, 3) and y of (4, 1)"),
        ({"X": np.zeros((3, 32, 32, 4), np.uint8)}, "not (32, 32, 3, n)"),
        ({"X": np.zeros((32, 32, 3, 4))}, "double images"),
        ({"y": np.array([[11], [1], [2], [3]], np.uint8)}, "label 11 of image 0"),
        ({"y": np.array([[1.5], [1], [2], [3]])}, "not those of SVHN"),
        ({"y": np.array([[object()]] * 4, dtype=object)}, "train_32x32.mat"),
    ],
)
def test_what_is_not_svhn_is_refused_in_one_line(tmp_path: Path, train: dict[str, Any], part: str) -> None:
    if "y" in train and train["y"].dtype == object:
        train = {"y": np.array([["a"], ["b"], ["c"], ["d"]], dtype=object)}  # a cell array
    with pytest.raises(DataError) as error:
        load_dataset("svhn", data_dir=fabricate(tmp_path, train=train))
    assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_without_x_and_y_is_refused(tmp_path: Path) -> None:
    io.savemat(fabricate(tmp_path) / "train_32x32.mat", {"digitStruct": np.zeros(3)})
    with pytest.raises(DataError, match="not X and y"):
        load_dataset("svhn", data_dir=tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (fabricate(tmp_path) / "test_32x32.mat").unlink()
    with pytest.raises(DataError, match=r"lacks test_32x32\.mat of svhn"):
        load_dataset("svhn", data_dir=tmp_path)


def test_a_file_that_says_it_is_huge_is_refused_before_it_is_read(tmp_path: Path, monkeypatch) -> None:
    fabricate(tmp_path)
    told = [("X", (32, 32, 3, 10**9), "uint8"), ("y", (10**9, 1), "uint8")]
    monkeypatch.setattr(io, "whosmat", lambda *_, **__: told)
    monkeypatch.setattr(io, "loadmat", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(DataError, match="1,000,000,000 images; at most 1,000,000"):
        load_dataset("svhn", data_dir=tmp_path)


def test_a_small_file_that_says_it_is_large_is_refused_before_it_is_read(tmp_path: Path, monkeypatch) -> None:
    fabricate(tmp_path)
    told = [("X", (32, 32, 3, 10**6), "uint8"), ("y", (10**6, 1), "uint8")]
    monkeypatch.setattr(io, "whosmat", lambda *_, **__: told)
    monkeypatch.setattr(io, "loadmat", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(DataError, match=r"would unpack to 3\.1 GB.*which no pictures do"):
        load_dataset("svhn", data_dir=tmp_path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_a_data_error_or_read_as_images(tmp_path: Path, data: st.DataObject) -> None:
    file = fabricate(tmp_path) / "train_32x32.mat"
    whole = bytearray(file.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=4)):
        whole[place] = data.draw(st.integers(0, 255))
    file.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    message, shape = "", (3, 32, 32)
    try:
        shape = load_dataset("svhn", data_dir=tmp_path).input_shape
    except DataError as error:
        message = str(error)
    assert "\n" not in message
    assert shape == (3, 32, 32)


def test_the_folder_must_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "igc", "depth=8", "--data", "svhn", "--out", "run"]) == 2
    assert "pass --data-dir with its .mat files" in capsys.readouterr().err
