"""Data that nothing can be learned from, that lies about its size, or is of another kind: one line, a way out."""

import io
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from igcnas.data import bounds
from igcnas.data.archive import file_contents
from igcnas.data.dataset import Dataset, Split
from igcnas.data.examination import examine, is_unbalanced, largest_class
from igcnas.data.loading import load_dataset
from igcnas.errors import DataError, TrainingError
from igcnas.network.architecture import Architecture
from igcnas.network.literature import family
from igcnas.network.plan import plan
from igcnas.system import resources
from igcnas.training.engine import Engine
from igcnas.training.recipes import short_recipe
from igcnas.training.settings import TrainingSettings
from igcnas.training.tensors import TrainingData

PIXELS = (np.arange(8 * 64, dtype=np.uint32) * 7).astype(np.uint8).reshape(8, 8, 8)
LABELS = np.array([0, 1] * 4)


def saved(file: Path, **arrays: np.ndarray) -> str:
    usual = {"x_train": PIXELS, "y_train": LABELS, "x_test": PIXELS[:4] + np.uint8(1), "y_test": LABELS[:4]}
    np.savez(file, **(usual | arrays))
    return f"npz:{file}"


def message(spec: str) -> str:
    with pytest.raises(DataError) as caught:
        examine(load_dataset(spec), fraction=0.25, seed=0)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"y_train": LABELS * 0}, "has one class, '0': every answer would be right"),
        ({"x_train": PIXELS * 0}, "all pixels of all 8 training images of 'a' are 0"),
        (
            {"x_train": PIXELS[:2], "y_train": LABELS[:2]},
            "no class of 'a' has two images to train and to validate on (2 in 2",
        ),
        ({"y_test": LABELS[:5]}, "has 4 images and 'y_test' 5 labels"),
        ({"y_test": LABELS[:4] + 1}, "label 2 of image 1 in 'a.npz (test)' is outside 0..1"),
        ({"x_test": PIXELS[:4, 1:]}, "test images of 'a.npz' are (1, 7, 8), the training images (1, 8, 8)"),
        ({"x_test": PIXELS[:4, ..., None].repeat(3, 3)}, "are (3, 8, 8), the training images (1, 8, 8)"),
        ({"x_test": PIXELS[:4].astype(np.int16)}, "'x_test' of 'a.npz' is int16"),
        ({"y_train": np.full(8, 2**64 - 1, np.uint64)}, "has a label 18446744073709551615; number the classes"),
        ({"y_train": LABELS - 1}, "has a label -1, which is negative"),
        ({"y_train": LABELS * 1.0}, "these are whole: y.astype('int64')"),
        ({"y_train": np.full(8, np.nan)}, "8 of them are NaN or infinite"),
        ({"y_train": LABELS * 0.5}, "these are fractions, no classes"),
        ({"y_train": np.eye(2)[LABELS]}, "these are one-hot: y.argmax(1)"),
        ({"y_train": np.array(["cat", "dog"] * 4)}, "of texts: np.unique(y, return_inverse=True)[1]"),
        ({"y_train": LABELS > 0}, "of truth values: y.astype('int64')"),
        (
            {"x_train": PIXELS.astype(np.int64)},
            "is int64 of shape (8, 8, 8); store pixels as uint8 or float (x.as",
        ),
        ({"x_train": PIXELS > 3}, "(x.astype('uint8') * 255)"),
        ({"x_train": np.where(PIXELS > 3, np.nan, PIXELS)}, "holds NaN, in"),
        ({"x_train": PIXELS + np.inf}, "without infinities"),
        ({"x_train": PIXELS[..., None].repeat(4, 3)}, "four channels with alpha: leave it out, x[..., :3]"),
        ({"x_train": PIXELS[..., None].repeat(2, 3)}, "two channels, grey with alpha"),
        ({"x_train": np.array([{}] * 8)}, "holds Python objects"),
        ({"x_train": np.zeros(8, dtype=[(f"field{i}", "u1") for i in range(200)])}, "... of shape (8,); store pixels"),
    ],
)
def test_arrays_that_cannot_be_meant_are_one_line_before_anything_is_trained(arrays, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said in message(saved(Path("a.npz"), **arrays))


@pytest.mark.parametrize("content", [b"hello", b"<html>not found</html>", b"\x80\x04]."])
def test_nobody_is_told_to_run_what_is_in_a_file_that_is_no_npz(content, tmp_path):
    (tmp_path / "a.npz").write_bytes(content)  # numpy itself speaks of allow_pickle=True here
    text = message(f"npz:{tmp_path / 'a.npz'}")
    assert "pickle" not in text
    assert "it begins neither as a .npz nor as an array" in text


def test_fortran_order_big_endian_and_reversed_arrays_are_read_as_what_they_say(tmp_path):
    expected = load_dataset(saved(tmp_path / "a.npz")).fingerprint()
    for images in (np.asfortranarray(PIXELS), PIXELS.astype(">f4"), PIXELS[::-1][::-1]):
        found = load_dataset(saved(tmp_path / "a.npz", x_train=images, y_train=LABELS.astype(">i2")))
        assert found.fingerprint() == expected
        assert found.train.images.flags.c_contiguous


def member(archive: zipfile.ZipFile, name: str, shape: str, content: bytes, descr: str = "|u1") -> None:
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content)


@pytest.mark.parametrize(
    ("shape", "content", "said"),
    [
        ("(1000000, 1000, 1000)", b"x" * 64, "declares shape (1000000, 1000, 1000), 1.0 TB, and has"),
        ("(2, 10000, 10000)", b"\0" * 200_000_000, "times as much, which no pictures do"),
        ("(-1, 8, 8)", b"x" * 64, "declares shape (-1, 8, 8)"),
        (f"({'9' * 4000}, 8, 8)", b"x" * 64, "declares shape (a number of many digits, 8, 8), more than 1,000,000 TB"),
    ],
)
def test_a_file_that_declares_more_than_it_can_hold_takes_no_memory(shape, content, said, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        member(archive, "x_train", shape, content)
        member(archive, "y_train", "(2,)", b"\0\1")
    text = message(f"npz:{tmp_path / 'a.npz'}")
    assert said in text
    assert len(text) < 500 + len(str(tmp_path))


def test_images_beyond_the_free_memory_are_refused_before_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "_SMALL", 100)
    monkeypatch.setattr(resources, "memory", lambda: resources.Memory(available=1000, limit=None, by=None))
    text = message(saved(tmp_path / "a.npz"))
    assert "take 1.1 kB, and 1.0 kB of memory are free" in text


def test_an_archive_that_unpacks_to_more_than_cifar_is_refused(tmp_path, monkeypatch):
    from igcnas.data import archive as module

    monkeypatch.setattr(module, "_MOST_BYTES", 1000)
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("cifar/train")
        info.size = 2000
        archive.addfile(info, io.BytesIO(bytes(2000)))
    with pytest.raises(DataError, match=r"is no archive of CIFAR .*train has 2.0 kB, more than any file of CIFAR"):
        file_contents(tmp_path / "a.tar.gz", {"train"})
    (tmp_path / "train").write_bytes(bytes(2000))
    with pytest.raises(DataError, match="more than any file of CIFAR"):
        file_contents(tmp_path, {"train"})
    monkeypatch.setattr(module, "_MOST_BYTES", 10**9)
    monkeypatch.setattr(module, "_MOST_UNPACKED", 1000)
    with pytest.raises(DataError, match=r"it unpacks to more than 1.0 kB"):
        file_contents(tmp_path / "a.tar.gz", {"other"})


def test_the_share_of_the_largest_class_is_that_of_always_answering_it():
    assert largest_class(np.array([0, 1, 1, 1])) == (1, 0.75)
    assert is_unbalanced(0.75, 2)
    assert not is_unbalanced(0.55, 2)
    assert is_unbalanced(0.15, 10)


@pytest.mark.parametrize(
    ("spec", "said"),
    [("cifar-10", "did you mean 'cifar10'"), ("digit", "did you mean 'digits'"), ("a.npz", "write npz:a.npz")],
)
def test_an_unknown_data_set_has_a_nearest_name(spec, said):
    with pytest.raises(DataError, match=said):
        load_dataset(spec)


def test_a_folder_without_its_kind_is_recognised(tmp_path):
    with pytest.raises(DataError, match="is a folder: write imagefolder:"):
        load_dataset(str(tmp_path))


@pytest.mark.parametrize("engine", ["fast", "eager"])
@pytest.mark.parametrize(("images", "batch"), [(1, 64), (8, 1)])
def test_both_engines_refuse_batches_of_one_image_in_the_same_words(engine, images, batch):
    split = Split(images=PIXELS[:images, None].copy(), labels=LABELS[:images])
    dataset = Dataset(name="pets", classes=("a", "b"), train=split, load_test=lambda: split, flip=False, pad=0)
    source = TrainingData.split(dataset, torch.device("cpu"), fraction=None, seed=0, augmentation=short().augmentation)
    with pytest.raises(TrainingError, match="batches of 1 image: batch norm needs two to have a spread"):
        Engine(plan(small()), source, short(batch), seed=0, engine=engine)


def short(batch: int = 64):
    return short_recipe(TrainingSettings(epochs=1, batch_size=batch))


def small() -> Architecture:
    return family("igc").from_text(["L=2", "M=2", "depth=8", "classes=2", "size=8", "channels=1"])
