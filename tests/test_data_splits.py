"""Which splits a folder or a file has, by any usual name, and that nothing is left out in silence."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from igcnas.data.dataset import Dataset, Split
from igcnas.data.examination import examine
from igcnas.data.listing import list_image_folder
from igcnas.data.loading import load_dataset
from igcnas.data.names import array_of, part_of
from igcnas.errors import DataError
from igcnas.training.runs.data import open_data


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IGCNAS_CACHE", str(tmp_path / "cache"))


def tree(root: Path, *parts: str, classes: tuple[str, ...] = ("cat", "dog"), count: int = 3) -> Path:
    """Pictures that all differ."""
    value = 0
    for part in parts:
        for name in classes:
            (root / part / name).mkdir(parents=True, exist_ok=True)
            for i in range(count):
                Image.new("L", (4, 4), value).save(root / part / name / f"{i}.png")
                value += 1
    return root


def sizes(found: Dataset) -> tuple[int, int, int]:
    train, validation = found.split(fraction=0.3, seed=0)
    return len(train.labels), len(validation.labels), len(found.load_test().labels)


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("train", ["train", "Train", "TRAINING", "training_set", "trainset", "train_images", "Train-Data"]),
        ("val", ["val", "valid", "Validation", "VALID", "dev", "vals", "validation_set", "val_images"]),
        ("test", ["test", "testing", "TEST", "tests", "eval", "test_set", "Testing Images"]),
        (None, ["cats", "unlabeled", "training_shoes", "testbed", "trains_and_cars", "extra", "", "2019"]),
    ],
)
def test_folders_mean_a_split_by_any_usual_name(part, names):
    assert [part_of(name) for name in names] == [part] * len(names)


@pytest.mark.parametrize(
    ("meaning", "names"),
    [
        (("train", "images"), ["x_train", "X_train", "train_images", "trainX", "xtrain", "images_train", "train_data"]),
        (("val", "labels"), ["y_val", "Y_valid", "val_labels", "validation_targets", "yval", "valLabels", "y_dev"]),
        (("test", "images"), ["x_test", "test_x", "test_images", "testing_imgs", "images_test", "x_eval"]),
        (("", "labels"), ["y", "labels", "targets", "Y"]),
        (None, ["weights", "train", "x_train_mean", "ids_test", "", "train_images_labels"]),
    ],
)
def test_arrays_mean_images_or_labels_of_a_split_by_any_usual_name(meaning, names):
    assert [array_of(name) for name in names] == [meaning] * len(names)


@pytest.mark.parametrize("parts", [("Train", "valid", "TESTING"), ("training", "Validation", "tests")])
def test_a_folder_has_the_splits_that_its_names_say(parts, tmp_path):
    found = load_dataset(f"imagefolder:{tree(tmp_path, *parts)}")
    assert sizes(found) == (6, 6, 6)
    assert (found.origin.train, found.origin.validation, found.origin.test) == tuple(f"{part}/" for part in parts)


def test_val_alone_is_the_test_split_and_that_is_said(tmp_path):
    found = load_dataset(f"imagefolder:{tree(tmp_path, 'train', 'validation')}")
    assert sizes(found) == (4, 2, 6)
    assert found.origin.test == "validation/, as there is no test/"


def test_class_folders_without_splits_are_training_data_of_which_a_fifth_is_held_out(tmp_path):
    found = load_dataset(f"imagefolder:{tree(tmp_path / 'flat', '.', count=10)}")
    assert (len(found.train.labels), len(found.load_test().labels)) == (16, 4)
    assert found.origin.test == "20% of each class of all folders, the same for every seed"


def test_two_folders_of_one_meaning_and_a_folder_too_high_are_refused_with_the_way_out(tmp_path):
    tree(tmp_path / "a", "train", "Training")
    with pytest.raises(DataError, match=r"'Training' and 'train' in .* both mean train; join or rename one"):
        list_image_folder(tmp_path / "a")
    tree(tmp_path / "b" / "inner", "train", "test")
    with pytest.raises(DataError, match=r"no folder 'train' in '.*b', but one in '.*inner'; pass that one"):
        list_image_folder(tmp_path / "b")
    tree(tmp_path / "c", "test", "val")
    with pytest.raises(DataError, match=r"no folder 'train' in .*; it has 'test', 'val'"):
        list_image_folder(tmp_path / "c")


def test_everything_in_a_folder_that_plays_no_part_is_counted_with_an_example(tmp_path):
    root = tree(tmp_path / "pets", "train", "test")
    cat = root / "train" / "cat"
    for i in range(3):
        (cat / f"{i}.txt").write_text("a note")
    (cat / ".0.png").write_bytes(b"hidden")
    (cat / ".checkpoints").mkdir()
    shutil.copy(cat / "0.png", cat / ".checkpoints" / "0.png")
    (cat / "Thumbs.db").write_bytes(b"")
    (cat / "elsewhere").symlink_to(root / "test" / "cat")
    os.mkfifo(cat / "pipe.png")
    shutil.copy(cat / "0.png", root / "train" / "stray.png")
    (root / "README").write_text("hello")
    tree(root, "unlabeled", count=2)
    listing = list_image_folder(root)
    assert len(listing.train.paths) == 6
    assert {(one.what, one.count) for one in listing.origin.left_out} == {
        ("with the ending .txt", 3),
        ("hidden", 3),
        ("in folders that are links", 1),
        ("that are no plain files", 1),
        ("in no class folder", 1),
        ("beside the splits", 1),
        ("in folders whose names mean no split", 4),
    }
    assert listing.origin.left_out[0].text() == ("4 in folders whose names mean no split, such as 'unlabeled/'")


def test_pictures_in_folders_below_a_class_and_links_to_files_count(tmp_path):
    root = tree(tmp_path / "pets", "train", "test")
    (root / "train" / "cat" / "deep" / "er").mkdir(parents=True)
    (root / "train" / "cat" / "0.png").rename(root / "train" / "cat" / "deep" / "er" / "0.png")
    (root / "train" / "dog" / "linked.png").symlink_to(root / "train" / "cat" / "1.png")
    assert len(list_image_folder(root).train.paths) == 7


def test_classes_without_test_images_and_empty_class_folders_are_said(tmp_path):
    root = tree(tmp_path / "pets", "train", "test")
    shutil.rmtree(root / "test" / "dog")
    (root / "train" / "cow").mkdir()
    found = load_dataset(f"imagefolder:{root}")
    assert found.classes == ("cat", "dog")
    assert found.origin.notes == (
        "class folders without images are no classes: 'cow' of train/",
        "test/ has no images of 'dog'",
    )


def npz(file: Path, **arrays: np.ndarray) -> Path:
    np.savez(file, **arrays)
    return file


def pixels(count: int, first: int = 0) -> np.ndarray:
    return (np.arange(count * 16, dtype=np.uint32) * 7 + first).astype(np.uint8).reshape(count, 4, 4)


def test_spellings_may_differ_within_a_file_and_other_arrays_are_named(tmp_path):
    labels = np.arange(10) % 2
    file = npz(
        tmp_path / "a.npz",
        x_train=pixels(10),
        y_train=labels,
        val_images=pixels(4, 1),
        valLabels=labels[:4],
        test_images=pixels(6, 2),
        test_labels=labels[:6],
        ids=np.arange(10),
        weights=np.ones(3),
    )
    found = load_dataset(f"npz:{file}")
    assert sizes(found) == (10, 4, 6)
    assert found.origin.validation == "val_images and valLabels"
    (left_out,) = found.origin.left_out
    assert left_out.text() == "2 whose names mean no split, such as 'ids, weights'"


def test_a_file_with_two_arrays_of_one_meaning_is_refused(tmp_path):
    labels = np.arange(10) % 2
    file = npz(tmp_path / "a.npz", x_train=pixels(10), y_train=labels, train_images=pixels(10))
    with pytest.raises(DataError, match=r"'x_train' and 'train_images' .* both mean the images of train; keep one"):
        load_dataset(f"npz:{file}")


def test_x_and_y_alone_are_training_data_and_val_alone_is_the_test_split(tmp_path):
    labels = np.arange(10) % 2
    assert sizes(load_dataset(f"npz:{npz(tmp_path / 'a.npz', x=pixels(10), y=labels)}")) == (6, 2, 2)
    arrays = {"x_train": pixels(10), "y_train": labels, "x_valid": pixels(4, 1), "y_valid": labels[:4]}
    found = load_dataset(f"npz:{npz(tmp_path / 'b.npz', **arrays)}")
    assert sizes(found) == (6, 4, 4)
    assert found.origin.test == "x_valid and y_valid, as there is no test split"
    before = load_dataset(f"npz:{tmp_path / 'b.npz'}", own_validation=False)
    assert len(before.train.labels) + len(before.load_test().labels) == 14


def test_three_equal_channels_are_grey_and_test_images_follow(tmp_path):
    labels = np.arange(10) % 2
    grey = pixels(10)[..., None].repeat(3, axis=3)
    colour = grey[:4].copy()
    colour[..., 0] = 9
    for test, noted in ((grey[:4], False), (colour, True)):
        file = npz(tmp_path / "a.npz", x_train=grey, y_train=labels, x_test=test, y_test=labels[:4])
        found = load_dataset(f"npz:{file}")
        assert (found.input_shape, found.flip) == ((1, 4, 4), False)
        np.testing.assert_array_equal(found.train.images[:, 0], pixels(10))
        split = found.load_test()
        np.testing.assert_array_equal(split.images[0, 0], np.asarray(Image.fromarray(test[0]).convert("L")))
        assert bool(split.notes) == noted


def data(train: np.ndarray, test: np.ndarray, own: int = 0, classes: int = 2) -> Dataset:
    def split(images: np.ndarray) -> Split:
        return Split(images=images[:, None], labels=np.arange(len(images)) % classes)

    return Dataset(
        name="pets",
        classes=tuple("abcdefg"[:classes]),
        train=split(train),
        load_test=lambda: split(test),
        flip=False,
        pad=0,
        own_validation=own,
    )


def test_images_that_two_splits_share_are_counted():
    images = pixels(12)
    apart = examine(data(images[:8], images[8:]), fraction=0.5, seed=0)
    assert apart.notes == ()
    shared = examine(data(images[:8], images[5:]), fraction=0.5, seed=0)
    assert shared.notes[0].startswith("3 test images are among the training or validation images too")
    own = examine(data(np.concatenate([images[:6], images[:2]]), images[8:], own=2), fraction=0.5, seed=0)
    assert own.notes[0].startswith("2 validation images are among the training images too")


def test_files_that_two_splits_of_a_streamed_folder_share_are_counted(tmp_path):
    root = tree(tmp_path / "pets", "train", "test")
    shutil.copy(root / "train" / "cat" / "0.png", root / "test" / "dog" / "copy.png")
    found = open_data(f"imagefolder:{root}", stream=True, image_size=8).examined(fraction=0.3, seed=0)
    assert found.notes == ("1 test images are among the training or validation images too, byte for byte",)


def test_images_of_one_colour_and_classes_without_test_or_validation_images_are_counted():
    images = pixels(9)
    images[0] = 7
    found = examine(data(images, pixels(2, 3)[:1], classes=3), fraction=0.3, seed=0)
    assert "the test split has no images of 'b', 'c'" in found.notes
    assert any(note.startswith("1 image is of one colour all over (1 ") for note in found.notes)
    lonely = examine(data(pixels(4), pixels(3, 3), classes=3), fraction=0.3, seed=0)
    assert "2 classes have one image to train on, and none to validate on" in lonely.notes
