"""Image folders on disk: their splits, their sizes and colours, the cache of decoded images, and damaged files."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from igcnas.data import imagefolder as module
from igcnas.data.dataset import Dataset
from igcnas.data.loading import load_dataset
from igcnas.errors import DataError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IGCNAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def decoded(monkeypatch):
    """The number of images in each decoding so far."""
    counts = []
    decode = module.decode_images

    def counting(paths, **form):
        counts.append(len(paths))
        return decode(paths, **form)

    monkeypatch.setattr(module, "decode_images", counting)
    return counts


def save(path: Path, value: int, *, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> None:
    """An image of one colour, (value, 0, 0) or the grey `value`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = (value, 0, 0) if mode == "RGB" else value
    Image.new(mode, size, colour).save(path)


def tree(root: Path, parts: tuple[str, ...] = ("train", "test"), count: int = 2, **form: object) -> Path:
    """`count` images of each of two classes in every part; no two images of a tree have the same colour."""
    value = 0
    for part in parts:
        for name in ("cat", "dog"):
            for i in range(count):
                save(root / part / name / f"{i}.png", value, **form)
                value += 1
    return root


def load(root: Path, **settings: int) -> Dataset:
    return load_dataset(f"imagefolder:{root}", **settings)


def values(split) -> list[int]:
    return sorted(int(v) for v in split.images[:, 0, 0, 0])


def message(root: Path, **settings: int) -> str:
    with pytest.raises(DataError) as caught:
        load(root, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_folders_name_the_classes_and_the_parts_are_the_splits(tmp_path):
    found = load(tree(tmp_path / "pets"))
    assert (found.name, found.classes, found.input_shape) == ("pets", ("cat", "dog"), (3, 8, 8))
    assert (found.flip, found.pad) == (True, 1)
    assert found.train.labels.tolist() == [0, 0, 1, 1]
    assert found.train.images[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert values(found.load_test()) == [4, 5, 6, 7]


def test_val_is_the_test_split_where_there_is_no_test_folder(tmp_path):
    found = load(tree(tmp_path, ("train", "val")))
    assert values(found.train) == [0, 1, 2, 3]
    assert values(found.load_test()) == [4, 5, 6, 7]


def test_val_beside_test_is_the_validation_split_whatever_the_seed(tmp_path):
    found = load(tree(tmp_path, ("train", "val", "test")))
    assert values(found.train) == list(range(8))
    assert values(found.load_test()) == [8, 9, 10, 11]
    for seed in (0, 1):
        train, validation = found.split(fraction=0.5, seed=seed)
        assert (values(train), values(validation)) == ([0, 1, 2, 3], [4, 5, 6, 7])


def test_a_study_from_before_still_lets_val_join_the_training_data(tmp_path):
    root = tree(tmp_path, ("train", "val", "test"))
    found = load_dataset(f"imagefolder:{root}", own_validation=False)
    assert (values(found.train), found.own_validation) == (list(range(8)), 0)
    assert found.fingerprint() == "bc75c2958816808d" != load(root).fingerprint()


def test_a_fifth_of_each_class_is_held_out_where_there_is_only_train(tmp_path, decoded):
    found = load(tree(tmp_path, ("train",), count=10))
    assert decoded == [16]
    test = found.load_test()
    assert decoded == [16, 4]
    assert np.bincount(test.labels).tolist() == [2, 2]
    assert sorted(values(found.train) + values(test)) == list(range(20))


def test_test_images_are_not_decoded_before_they_are_asked_for(tmp_path, decoded):
    root = tree(tmp_path)
    (root / "test" / "cat" / "0.png").write_bytes(b"damaged")
    found = load(root)
    assert decoded == [4]
    with pytest.raises(DataError, match=r"test/cat/0\.png' cannot be decoded"):
        found.load_test()


def test_a_second_load_decodes_nothing(tmp_path, decoded):
    root = tree(tmp_path)
    first, second = load(root), load(root)
    assert decoded == [4]
    assert first.fingerprint() == second.fingerprint()
    assert values(first.load_test()) == values(second.load_test())
    assert decoded == [4, 4]


def test_a_changed_file_and_another_size_are_decoded_anew(tmp_path, decoded):
    root = tree(tmp_path)
    load(root)
    save(root / "train" / "cat" / "0.png", 99)
    os.utime(root / "train" / "cat" / "0.png", ns=(1, 1))
    assert 99 in values(load(root).train)
    assert load(root, image_size=4).input_shape == (3, 4, 4)
    assert decoded == [4, 4, 4]


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "other"])
def test_a_damaged_cache_file_is_decoded_anew_and_rewritten(damage, tmp_path, cache, decoded):
    root = tree(tmp_path)
    load(root)
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    file.write_bytes({"empty": b"", "cut": whole[:middle], "flipped": flipped, "other": b"hello"}[damage])
    assert values(load(root).train) == [0, 1, 2, 3]
    assert decoded == [4, 4]
    assert values(load(root).train) == [0, 1, 2, 3]
    assert decoded == [4, 4]
    assert list(cache.iterdir()) == [file]


def test_a_cache_that_cannot_be_written_does_not_stop_the_load(tmp_path, cache, decoded, caplog, monkeypatch):
    root = tree(tmp_path)
    cache.write_text("a file where the folder would be")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "no temporary folder"))
    assert values(load(root).train) == values(load(root).train) == [0, 1, 2, 3]
    assert decoded == [4, 4]
    assert "the next run decodes again" in caplog.text


def test_a_cache_that_cannot_be_written_is_replaced_by_the_temporary_folder(tmp_path, cache, decoded, monkeypatch):
    root = tree(tmp_path)
    cache.write_text("a file where the folder would be")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert values(load(root).train) == values(load(root).train) == [0, 1, 2, 3]
    assert decoded == [4]


def test_the_cache_lies_where_xdg_says_and_a_relative_xdg_folder_is_ignored(tmp_path, monkeypatch):
    monkeypatch.delenv("IGCNAS_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    root = tree(tmp_path / "pets")
    for shared, expected in ((str(tmp_path / "xdg"), tmp_path / "xdg"), ("rel", tmp_path / "home" / ".cache")):
        monkeypatch.setenv("XDG_CACHE_HOME", shared)
        load(root)
        assert len(list((expected / "igcnas").iterdir())) == 1


def test_grey_images_have_one_channel_and_are_not_mirrored(tmp_path):
    found = load(tree(tmp_path, mode="L"))
    assert found.input_shape == (1, 8, 8)
    assert not found.flip
    assert found.train.images[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert found.load_test().images.shape == (4, 1, 8, 8)


def test_one_colour_image_makes_all_of_them_rgb(tmp_path):
    root = tree(tmp_path, mode="L")
    save(root / "train" / "dog" / "0.png", 200)
    found = load(root)
    assert found.train.images[:, :, 0, 0].tolist() == [[0] * 3, [1] * 3, [200, 0, 0], [3] * 3]
    assert found.load_test().images[:, :, 0, 0].tolist() == [[v] * 3 for v in (4, 5, 6, 7)]


def test_differing_sizes_are_named_with_the_option_that_helps(tmp_path):
    root = tree(tmp_path)
    save(root / "train" / "dog" / "1.png", 0, size=(10, 6))
    text = message(root)
    for said in ("3 of 4 looked at are 8x8 pixels, 1 is not, such as", "dog/1.png' with 10x6", "--image-size N"):
        assert said in text


def test_test_images_of_another_size_are_named(tmp_path):
    root = tree(tmp_path)
    save(root / "test" / "cat" / "1.png", 0, size=(9, 8))
    with pytest.raises(DataError, match=r"test/cat/1\.png' is 9x8 pixels, the training images are 8x8"):
        load(root).load_test()


def test_image_size_takes_the_central_square_of_the_resized_image(tmp_path):
    root = tree(tmp_path)
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, 8:16] = 250  # the central square of 24x8 is the bright third
    Image.fromarray(wide).save(root / "train" / "cat" / "0.png")
    same = load(root, image_size=8)
    assert same.input_shape == (3, 8, 8)
    assert (same.train.images[0] == 250).all()
    smaller = load(root, image_size=4).train.images[0]
    assert (smaller[:, :, 1:3] > 240).all()  # antialiasing lets the dark sides reach the outer columns only


@pytest.mark.parametrize("kind", ["cut", "empty", "text"])
def test_a_damaged_image_is_named(kind, tmp_path):
    root = tree(tmp_path)
    path = root / "train" / "dog" / "1.jpg"
    random = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(random).save(path)
    path.write_bytes({"cut": path.read_bytes()[:-60], "empty": b"", "text": b"hello"}[kind])
    assert f"'{path}' cannot be decoded" in message(root)


def test_an_image_of_16_bits_is_refused_rather_than_clipped(tmp_path):
    root = tree(tmp_path)
    Image.fromarray(np.full((8, 8), 4000, np.uint16)).save(root / "train" / "cat" / "0.png")
    assert "cat/0.png' cannot be decoded (it has more than 8 bits" in message(root)


def test_files_that_are_no_images_and_hidden_folders_are_ignored(tmp_path):
    root = tree(tmp_path)
    (root / "train" / "cat" / "notes.txt").write_text("hello")
    (root / "train" / "cat" / "._0.png").write_text("left by another system")
    (root / "train" / ".ipynb_checkpoints").mkdir()
    assert len(load(root).train.labels) == 4


def test_a_tree_of_another_form_is_one_line(tmp_path):
    assert "no folder 'train'" in message(tmp_path)
    (tmp_path / "train").mkdir()
    assert "no class folders" in message(tmp_path)
    tree(tmp_path)
    save(tmp_path / "test" / "cow" / "0.png", 0)
    assert message(tmp_path) == (
        f"class 'cow' is in 'test' of '{tmp_path}' with 1 image and not in 'train'; add training images of it, or "
        "remove it"
    )
    (tmp_path / "train" / "cow").mkdir()
    said = message(tmp_path)
    assert said.startswith(f"no images in '{tmp_path / 'train' / 'cow'}'; add some (.")
    assert said.endswith(") or remove the class from all splits")
    save(tmp_path / "test" / "cow" / "1.png", 0)
    (tmp_path / "train" / "cow").rmdir()
    assert "class 'cow' is in 'test'" in message(tmp_path)
    assert "with 2 images and not in 'train'" in message(tmp_path)
    assert "image size 0 must be at least 1" in message(tmp_path, image_size=0)


def test_a_class_folder_that_is_empty_everywhere_is_no_class_and_that_is_said(tmp_path):
    root = tree(tmp_path)
    for part in ("train", "test"):
        (root / part / "cow").mkdir()
    found = load(root)
    assert found.classes == ("cat", "dog")
    assert "class folders without images are no classes: 'cow' of train/" in found.origin.notes
    (root / "train" / "cow").rmdir()  # empty where it has nothing to test
    assert load(root).classes == ("cat", "dog")


def test_a_broken_link_is_named(tmp_path):
    root = tree(tmp_path)
    (root / "train" / "cat" / "x.png").symlink_to(tmp_path / "nowhere.png")
    assert f"'{root / 'train' / 'cat' / 'x.png'}' cannot be decoded (No such file or directory)" in message(root)
