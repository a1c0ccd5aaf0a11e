"""Splits, the digits, and data sets by name."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igcnas.data.dataset import Dataset, Split, split_train_validation
from igcnas.data.loading import load_dataset
from igcnas.errors import DataError


def numbered(labels: list[int]) -> Split:
    """A split whose images are all different: image i is the bytes of the number i."""
    images = np.arange(len(labels), dtype=np.uint32).view(np.uint8).reshape(-1, 1, 2, 2)
    return Split(images=images, labels=np.array(labels, dtype=np.int64))


def numbers(split: Split) -> list[int]:
    return [int(n) for n in np.ascontiguousarray(split.images).reshape(-1, 4).view(np.uint32)[:, 0]]


def dataset(split: Split, *, classes: tuple[str, ...] = ("cat", "dog")) -> Dataset:
    return Dataset(name="pets", classes=classes, train=split, load_test=lambda: split, flip=True, pad=0)


labels_with_a_pair = st.lists(st.integers(0, 4), min_size=2, max_size=60).filter(lambda x: len(set(x)) < len(x))


@settings(max_examples=60, deadline=None)
@given(labels=labels_with_a_pair, fraction=st.floats(0.01, 0.99), seed=st.integers(0, 2**32))
def test_a_split_keeps_every_image_once_and_every_class_with_two_images_on_both_sides(labels, fraction, seed):
    train, validation = split_train_validation(numbered(labels), fraction=fraction, seed=seed)
    assert sorted(numbers(train) + numbers(validation)) == list(range(len(labels)))
    for part in (train, validation):
        assert [labels[n] for n in numbers(part)] == part.labels.tolist()
    for label in set(labels):
        count, leaving = labels.count(label), int((validation.labels == label).sum())
        if count == 1:
            assert leaving == 0
        else:
            assert 1 <= leaving < count
            assert abs(leaving - count * fraction) <= 1


def test_a_split_is_the_same_for_a_seed_and_differs_for_another():
    split = numbered([0, 1] * 50)
    first, again, other = (numbers(split_train_validation(split, fraction=0.2, seed=seed)[1]) for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_a_split_takes_the_fraction_of_each_class():
    _, validation = split_train_validation(numbered([0] * 40 + [1] * 10), fraction=0.1, seed=0)
    assert np.bincount(validation.labels).tolist() == [4, 1]


@pytest.mark.parametrize(
    ("labels", "fraction", "seed", "said"),
    [
        ([0, 1, 2], 0.5, 0, "3 images in 3 classes"),
        ([0, 0], 0.0, 0, "fraction 0.0"),
        ([0, 0], float("nan"), 0, "fraction nan"),
        ([0, 0], 0.5, -1, "seed -1"),
    ],
)
def test_an_impossible_split_is_one_line(labels, fraction, seed, said):
    with pytest.raises(DataError, match=said) as caught:
        split_train_validation(numbered(labels), fraction=fraction, seed=seed)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (np.zeros((2, 1, 2, 2), np.float32), np.zeros(2, np.int64), "images are float32"),
        (np.zeros((2, 2, 2), np.uint8), np.zeros(2, np.int64), "shape .2, 2, 2."),
        (np.zeros((2, 1, 2, 2), np.uint8), np.zeros(2, np.int32), "labels are int32"),
        (np.zeros((2, 1, 2, 2), np.uint8), np.zeros(3, np.int64), "2 images have 3 labels"),
        (np.zeros((0, 1, 2, 2), np.uint8), np.zeros(0, np.int64), "no pixel"),
        (np.zeros((2, 1, 2, 2), np.uint8), np.array([0, -1]), "label -1"),
    ],
)
def test_a_split_of_another_form_never_becomes_an_object(images, labels, said):
    with pytest.raises(DataError, match=said):
        Split(images=images, labels=labels)


def test_a_label_without_a_class_is_named():
    with pytest.raises(DataError, match=r"label 2 of image 1 in 'pets' is outside 0\.\.1"):
        dataset(numbered([0, 2]))


def test_the_fingerprint_changes_with_a_pixel_a_label_a_class_name_and_the_shape_only():
    split = numbered([0, 1, 1])
    pixel = Split(images=split.images + np.uint8(1), labels=split.labels)
    label = Split(images=split.images, labels=np.array([1, 1, 1]))
    shape = Split(images=split.images.reshape(3, 1, 1, 4), labels=split.labels)
    strided = Split(images=np.asfortranarray(split.images), labels=split.labels)
    base = dataset(split).fingerprint()
    others = [dataset(x).fingerprint() for x in (pixel, label, shape)] + [
        dataset(split, classes=("a", "b")).fingerprint()
    ]
    assert len({base, *others}) == 5
    assert len(base) == 16
    assert dataset(strided).fingerprint() == base


def test_digits_are_1797_scans_of_which_a_fifth_of_each_class_is_the_test():
    digits = load_dataset("digits")
    test = digits.load_test()
    assert digits.input_shape == (1, 8, 8)
    assert digits.num_classes == 10
    assert (digits.flip, digits.pad) == (False, 1)
    assert len(digits.train.labels) + len(test.labels) == 1797
    counts = np.bincount(test.labels) / np.bincount(np.concatenate([digits.train.labels, test.labels]))
    assert np.abs(counts - 0.2).max() < 0.01
    assert digits.train.images.max() == 255
    # 9 of scikit-learn's 0..16 is 143.4 of 255.
    assert {0, 16, 143, 255} <= set(np.unique(digits.train.images).tolist())


def test_digits_train_and_test_share_no_scan():
    digits = load_dataset("digits")
    train, test = ({image.tobytes() for image in split.images} for split in (digits.train, digits.load_test()))
    assert not train & test


def test_the_test_digits_stay_the_same_images_from_version_to_version():
    # Every accuracy reported on digits is of these scans; a change of the split must not pass unnoticed.
    assert load_dataset("digits").fingerprint() == "e4577b15df06593a"


@pytest.mark.parametrize(
    ("spec", "settings", "said"),
    [
        ("cifar11", {}, "unknown data set 'cifar11'; did you mean 'cifar1.*imagefolder:PATH, npz:FILE"),
        ("digits:x", {}, "unknown data set 'digits:x'"),
        ("", {}, "unknown data set ''"),
        ("cifar10", {}, "pass --data-dir"),
        ("imagefolder", {}, "write imagefolder:PATH"),
        ("npz:", {}, "write npz:FILE"),
        ("digits", {"image_size": 8}, "--image-size 8 does not apply to 'digits'"),
        ("npz:/nowhere/x.npz", {}, "no file '/nowhere/x.npz'"),
        ("imagefolder:/nowhere", {}, "no folder '/nowhere'; pass the folder"),
        ("cifar100", {"data_dir": Path("/nowhere")}, "no cifar100 in '/nowhere'"),
    ],
)
def test_a_data_set_that_cannot_be_meant_is_one_line_with_the_way_out(spec, settings, said):
    with pytest.raises(DataError, match=said) as caught:
        load_dataset(spec, **settings)
    assert "\n" not in str(caught.value)


def test_naming_data_sets_imports_neither_scikit_learn_nor_pillow():
    code = "import igcnas.data, sys; print(sorted({'sklearn', 'PIL', 'torch'} & set(sys.modules)))"
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
