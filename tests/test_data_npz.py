""".npz files: key names, layouts, ranges of values, splits, and every refusal."""

from pathlib import Path

import numpy as np
import pytest

from igcnas.data.dataset import Dataset
from igcnas.data.loading import load_dataset
from igcnas.errors import DataError

PIXELS = np.arange(4 * 5 * 6, dtype=np.uint8).reshape(4, 5, 6)
LABELS = np.array([0, 1, 1, 0])


def load(file: Path) -> Dataset:
    return load_dataset(f"npz:{file}")


def saved(tmp_path: Path, **arrays: np.ndarray) -> Path:
    np.savez(tmp_path / "shapes.npz", **arrays)
    return tmp_path / "shapes.npz"


def usual(images: np.ndarray = PIXELS, labels: np.ndarray = LABELS, **more: np.ndarray) -> dict[str, np.ndarray]:
    return {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels, **more}


def message(file: Path) -> str:
    with pytest.raises(DataError) as caught:
        load(file)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("keys", [("x_{}", "y_{}"), ("{}_images", "{}_labels")])
def test_both_spellings_of_the_keys_are_read_and_val_is_the_validation_split(keys, tmp_path):
    arrays = {}
    for i, part in enumerate(("train", "val", "test")):
        arrays[keys[0].format(part)] = PIXELS + np.uint8(i)
        arrays[keys[1].format(part)] = LABELS
    found = load(saved(tmp_path, **arrays))
    np.testing.assert_array_equal(found.train.images[:, 0], np.concatenate([PIXELS, PIXELS + np.uint8(1)]))
    train, validation = found.split(fraction=0.5, seed=0)
    np.testing.assert_array_equal(train.images[:, 0], PIXELS)
    np.testing.assert_array_equal(validation.images[:, 0], PIXELS + np.uint8(1))
    np.testing.assert_array_equal(found.load_test().images[:, 0], PIXELS + np.uint8(2))
    assert (found.name, found.classes, found.input_shape) == ("shapes", ("0", "1"), (1, 5, 6))
    assert (found.flip, found.pad) == (False, 0)


def test_every_layout_gives_channels_first(tmp_path):
    grey = PIXELS[:, None]
    colour = np.stack([PIXELS, PIXELS + np.uint8(1), PIXELS + np.uint8(2)], axis=1)
    for stored, expected in [
        (PIXELS, grey),
        (PIXELS[..., None], grey),
        (grey, grey),
        (colour.transpose(0, 2, 3, 1), colour),
        (colour, colour),
    ]:
        found = load(saved(tmp_path, **usual(stored)))
        np.testing.assert_array_equal(found.train.images, expected)
        assert found.flip == (expected.shape[1] == 3)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_of_either_range_become_the_same_bytes(dtype, tmp_path):
    bytes_ = np.array([0, 1, 127, 128, 254, 255], np.uint8).reshape(1, 2, 3).repeat(4, axis=0)
    labels = np.array([0, 0, 1, 1])
    for stored in (bytes_ / 255, bytes_.astype(float), bytes_ + np.array(0.2) * (bytes_ < 255)):
        found = load(saved(tmp_path, **usual(stored.astype(dtype), labels)))
        np.testing.assert_array_equal(found.train.images[:, 0], bytes_)


def test_labels_may_be_a_column(tmp_path):
    found = load(saved(tmp_path, **usual(labels=LABELS[:, None].astype(np.uint8))))
    assert found.train.labels.tolist() == LABELS.tolist()


def test_a_fifth_of_each_class_is_held_out_without_a_test_split(tmp_path):
    images = np.arange(20, dtype=np.uint8).repeat(4).reshape(20, 2, 2)
    found = load(saved(tmp_path, x_train=images, y_train=np.arange(20) % 2))
    test = found.load_test()
    assert np.bincount(test.labels).tolist() == [2, 2]
    assert sorted([*found.train.images[:, 0, 0, 0], *test.images[:, 0, 0, 0]]) == list(range(20))


def test_the_test_arrays_are_not_read_before_they_are_asked_for(tmp_path):
    found = load(saved(tmp_path, **{**usual(), "x_test": np.zeros((4, 5, 7), np.uint8)}))
    with pytest.raises(DataError, match=r"test images .* are \(1, 5, 7\), the training images \(1, 5, 6\)"):
        found.load_test()


def test_a_test_label_without_a_class_is_refused(tmp_path):
    found = load(saved(tmp_path, **{**usual(), "y_test": LABELS + 1}))
    with pytest.raises(DataError, match=r"label 2 .*\(test\)' is outside 0..1"):
        found.load_test()


def test_floats_of_two_ranges_are_refused_rather_than_read_as_black(tmp_path):
    arrays = usual(PIXELS.astype(float))
    found = load(saved(tmp_path, **{**arrays, "x_test": PIXELS / 255}))
    with pytest.raises(DataError, match=r"values in \[0, 1\], the training images in \[0, 255\]"):
        found.load_test()


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"pets": PIXELS}, "has neither x_train, y_train nor train_images, train_labels but 'pets'"),
        ({"images": PIXELS}, "has 'images' without 'y'"),
        ({"x_train": PIXELS}, "has 'x_train' without 'y_train'"),
        (usual(x_val=PIXELS), "has 'x_val' without 'y_val'"),
        (usual(x_val=PIXELS[:, 1:], y_val=LABELS), "'x_val' .* images .1, 4, 6."),
        (usual(PIXELS.astype(np.int16)), "is int16"),
        (usual(PIXELS - np.array(1.0)), r"values in \[-1, 118\]"),
        (usual(PIXELS + np.array(200.0)), r"values in \[200, 319\]"),
        (usual(np.where(PIXELS == 3, np.nan, PIXELS)), r"holds NaN, in 1 of 4 images, the first number 0"),
        (usual(PIXELS[:, :, :, None, None]), "is neither of"),
        (usual(np.zeros((4, 3, 5, 3), np.uint8)), "could be either of"),
        (usual(PIXELS[0]), "has 5 images and 'y_train' 4 labels"),
        (usual(PIXELS[:, 0]), r"is neither of .* x.reshape"),
        (usual(labels=LABELS[:3]), "has 4 images and 'y_train' 3 labels"),
        (usual(labels=LABELS * 1.0), "'y_train' .* is float64"),
        (usual(labels=np.eye(4, dtype=np.int64)), r"shape \(4, 4\)"),
        (usual(labels=LABELS - 1), "has a label -1, which is negative"),
        (usual(labels=LABELS * 2), "no image .* has label 1, yet labels reach 2"),
        (usual(labels=LABELS * 2**60), "has a label 1152921504606846976"),
        (usual(PIXELS[:0], LABELS[:0]), r"'x_train' of '.*shapes.npz' has shape \(0, 5, 6\), which holds no pixel"),
        (usual(PIXELS[:, :0]), r"'x_train' of '.*shapes.npz' has shape \(4, 0, 6\), which holds no pixel"),
        (usual(PIXELS[:0].astype(float), LABELS[:0]), "at least one"),
        ({}, "has neither x_train, y_train nor train_images, train_labels but nothing; rename its arrays"),
    ],
)
def test_wrong_arrays_are_one_line(arrays, said, tmp_path):
    file = saved(tmp_path, **arrays)
    with pytest.raises(DataError, match=said) as caught:
        load(file)
    assert "\n" not in str(caught.value)


def test_a_test_split_without_a_pixel_names_its_array_and_its_file(tmp_path):
    file = saved(tmp_path, **{**usual(), "x_test": PIXELS[:0], "y_test": LABELS[:0]})
    with pytest.raises(DataError, match=r"'x_test' of '.*shapes.npz' has shape \(0, 5, 6\), which holds no pixel"):
        load(file).load_test()


def test_of_many_arrays_whose_names_mean_nothing_the_first_are_named_and_the_others_counted(tmp_path):
    said = message(saved(tmp_path, **{f"a{number}": PIXELS for number in range(9)}))
    named = [name for name in (f"a{number}" for number in range(9)) if repr(name) in said]
    assert named == [f"a{number}" for number in range(len(named))]
    assert f"and {9 - len(named)} more; rename its arrays" in said
    assert f"{'x' * 40!r}; rename" in message(saved(tmp_path, **{"x" * 1000: PIXELS}))


def test_python_objects_are_refused_unread(tmp_path):
    class Attack:
        def __reduce__(self):
            return (tmp_path / "made-by-the-attack").mkdir, ()

    file = saved(tmp_path, **usual(images=np.array([Attack()], dtype=object)))
    assert "holds Python objects" in message(file)
    assert not (tmp_path / "made-by-the-attack").exists()


def test_a_cut_or_empty_or_other_file_is_one_line(tmp_path):
    file = saved(tmp_path, **usual())
    whole = file.read_bytes()
    for content in (b"", b"hello", whole[:50], whole[: len(whole) // 2], whole[:-10]):
        file.write_bytes(content)
        assert f"'{file}' is truncated, no .npz" in message(file)
    np.save(tmp_path / "bare.npy", PIXELS)
    assert "holds one bare array" in message(tmp_path / "bare.npy")
    assert "is truncated, no .npz" in message(tmp_path)
