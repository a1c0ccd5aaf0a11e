"""CIFAR in its distributed forms, fabricated with two images a batch, and every way such a file can be wrong."""

import gzip
import io
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest

from igcnas.data.loading import load_dataset
from igcnas.errors import DataError

TEN_NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
FOLDERS = {
    ("cifar10", "python"): "cifar-10-batches-py",
    ("cifar10", "binary"): "cifar-10-batches-bin",
    ("cifar100", "python"): "cifar-100-python",
    ("cifar100", "binary"): "cifar-100-binary",
}
ARCHIVES = {key: f"{key[0].replace('cifar', 'cifar-')}-{key[1]}.tar.gz" for key in FOLDERS}


def batch(number: int, num_classes: int) -> tuple[np.ndarray, list[int]]:
    random = np.random.default_rng(number)
    return random.integers(0, 256, (2, 3072), dtype=np.uint8), [number % num_classes, num_classes - 1]


def fabricate(parent: Path, name: str, form: str) -> Path:
    """The folder of one distributed form, the same images in each form."""
    folder = parent / FOLDERS[name, form]
    folder.mkdir(parents=True)
    num_classes = 10 if name == "cifar10" else 100
    files = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"] if name == "cifar10" else ["train", "test"]
    for number, file in enumerate(files):
        data, labels = batch(number, num_classes)
        if form == "binary":
            coarse = [[7]] * 2 if name == "cifar100" else [[]] * 2
            rows = [
                bytes(c) + bytes([label]) + row.tobytes() for c, label, row in zip(coarse, labels, data, strict=True)
            ]
            (folder / f"{file}.bin").write_bytes(b"".join(rows))
        else:
            keys = {b"labels": labels} if name == "cifar10" else {b"fine_labels": labels, b"coarse_labels": [7, 7]}
            (folder / file).write_bytes(pickle.dumps({b"data": data, **keys}, protocol=2))
    names = TEN_NAMES if name == "cifar10" else [f"thing{i}" for i in range(100)]
    if form == "binary":
        file = "batches.meta.txt" if name == "cifar10" else "fine_label_names.txt"
        (folder / file).write_text("\n".join(names) + "\n\n")
    else:
        key, file = (b"label_names", "batches.meta") if name == "cifar10" else (b"fine_label_names", "meta")
        (folder / file).write_bytes(pickle.dumps({key: [n.encode() for n in names]}, protocol=2))
    return folder


def pack(folder: Path, archive: Path) -> Path:
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, arcname=folder.name)
    return archive


def message(name: str, data_dir: Path, *, test: bool = False) -> str:
    """The one line with which loading fails."""
    if test:
        load_test = load_dataset(name, data_dir=data_dir).load_test
        with pytest.raises(DataError) as caught:
            load_test()
    else:
        with pytest.raises(DataError) as caught:
            load_dataset(name, data_dir=data_dir)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_every_form_in_every_place_gives_the_same_arrays(name, tmp_path):
    num_classes, batches = (10, 5) if name == "cifar10" else (100, 1)
    expected = np.concatenate([batch(i, num_classes)[0] for i in range(batches)]).reshape(-1, 3, 32, 32)
    fingerprints = set()
    for form in ("python", "binary"):
        folder = fabricate(tmp_path / form, name, form)
        (tmp_path / f"{form}-packed").mkdir()
        archive = pack(folder, tmp_path / f"{form}-packed" / ARCHIVES[name, form])
        renamed = pack(folder, tmp_path / f"{form}.tgz")
        for place in (folder.parent, folder, archive.parent, archive, renamed):
            found = load_dataset(name, data_dir=place)
            test = found.load_test()
            np.testing.assert_array_equal(found.train.images, expected)
            np.testing.assert_array_equal(test.images.reshape(2, -1), batch(batches, num_classes)[0])
            assert test.labels.tolist() == [batches % num_classes, num_classes - 1]
            assert (found.num_classes, found.input_shape, found.flip, found.pad) == (num_classes, (3, 32, 32), True, 4)
            fingerprints.add(found.fingerprint())
    assert len(fingerprints) == 1


def test_classes_have_their_names_where_a_file_gives_them_and_numbers_elsewhere(tmp_path):
    folder = fabricate(tmp_path, "cifar10", "binary")
    assert load_dataset("cifar10", data_dir=folder).classes == tuple(TEN_NAMES)
    (folder / "batches.meta.txt").unlink()
    assert load_dataset("cifar10", data_dir=folder).classes == tuple("0123456789")


def test_the_test_file_is_not_opened_before_the_test_split_is_asked_for(tmp_path):
    folder = fabricate(tmp_path, "cifar10", "python")
    (folder / "test_batch").write_bytes(b"")
    assert "test_batch' is empty" in message("cifar10", folder, test=True)


def test_reading_an_archive_writes_nothing_beside_it(tmp_path):
    folder = fabricate(tmp_path / "made", "cifar10", "python")
    (tmp_path / "data").mkdir()
    pack(folder, tmp_path / "data" / "cifar-10-python.tar.gz")
    load_dataset("cifar10", data_dir=tmp_path / "data").load_test()
    assert os.listdir(tmp_path / "data") == ["cifar-10-python.tar.gz"]


def test_a_link_in_an_archive_is_not_followed(tmp_path):
    folder = fabricate(tmp_path, "cifar100", "binary")
    content = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "train.bin"}
    with tarfile.open(tmp_path / "links.tar", "w") as tar:
        for file, data in content.items():
            entry = tarfile.TarInfo(f"cifar-100-binary/{file}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
        link = tarfile.TarInfo("cifar-100-binary/train.bin")
        link.type, link.linkname = tarfile.LNKTYPE, "cifar-100-binary/test.bin"
        tar.addfile(link)
    assert "lacks train.bin of cifar100" in message("cifar100", tmp_path / "links.tar")


class Attack:
    """Unpickled by the ordinary reader this makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("file", ["data_batch_1", "batches.meta"])
def test_a_pickle_that_would_run_something_is_refused_unrun(file, tmp_path):
    folder = fabricate(tmp_path, "cifar10", "python")
    target = tmp_path / "made-by-the-attack"
    (folder / file).write_bytes(pickle.dumps({b"data": Attack(target)}, protocol=2))
    text = message("cifar10", folder)
    assert f"{file}' asks for 'posix.mkdir'" in text
    assert not target.exists()


def test_a_pickle_may_use_the_codec_of_arrays_and_no_other(tmp_path):
    folder = fabricate(tmp_path, "cifar10", "python")
    (folder / "data_batch_1").write_bytes(b"c_codecs\nencode\n(Va\nVrot13\ntR.")
    assert "codec 'rot13' is not used by arrays" in message("cifar10", folder)


def test_a_pickle_that_numpy_1_wrote_under_python_2_is_read(tmp_path):
    folder = fabricate(tmp_path, "cifar10", "python")
    path = folder / "data_batch_1"
    modern = path.read_bytes()
    old = modern.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    assert old != modern
    before = load_dataset("cifar10", data_dir=folder).fingerprint()
    path.write_bytes(old)
    assert load_dataset("cifar10", data_dir=folder).fingerprint() == before


def test_a_pickled_array_in_fortran_order_keeps_its_images(tmp_path):
    folder = fabricate(tmp_path, "cifar10", "python")
    before = load_dataset("cifar10", data_dir=folder).fingerprint()
    data, labels = batch(0, 10)
    content = pickle.dumps({b"data": np.asfortranarray(data), b"labels": labels}, protocol=2)
    (folder / "data_batch_1").write_bytes(content)
    assert load_dataset("cifar10", data_dir=folder).fingerprint() == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\x80\x02", "truncated or no pickle"),
        (b"not a pickle", "truncated or no pickle"),
        (pickle.dumps([1, 2], protocol=2), "holds a list"),
        (pickle.dumps({b"pixels": 1}, protocol=2), "no entry 'data'"),
        (pickle.dumps({b"data": np.zeros((2, 3071), np.uint8), b"labels": [1, 2]}, protocol=2), r"shape \(2, 3071\)"),
        (pickle.dumps({b"data": np.zeros((2, 3072)), b"labels": [1, 2]}, protocol=2), "array of 'f8'"),
        (pickle.dumps({b"data": "pixels", b"labels": [1, 2]}, protocol=2), "'data' of .* is a str"),
        (pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1]}, protocol=2), "2 images but 1 labels"),
        (
            pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": [10]}, protocol=2),
            "label 10 .*outside 0..9",
        ),
        (pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": ["1"]}, protocol=2), "list of integers"),
        (pickle.dumps({b"data": np.zeros((0, 3072), np.uint8), b"labels": []}, protocol=4), r"shape \(0, 3072\)"),
    ],
)
def test_a_wrong_pickle_is_one_line_that_names_the_file(content, said, tmp_path):
    folder = fabricate(tmp_path, "cifar10", "python")
    (folder / "data_batch_3").write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        load_dataset("cifar10", data_dir=folder)
    assert "\n" not in str(caught.value)
    assert "data_batch_3" in str(caught.value)


def test_a_pickle_cut_anywhere_is_one_line(tmp_path):
    folder = fabricate(tmp_path, "cifar10", "python")
    whole = (folder / "data_batch_2").read_bytes()
    for length in (1, 10, 60, 120, 500, len(whole) // 2, len(whole) - 1):
        (folder / "data_batch_2").write_bytes(whole[:length])
        assert "data_batch_2' is truncated or no pickle" in message("cifar10", folder)


@pytest.mark.parametrize(("name", "file", "record"), [("cifar10", "data_batch_1", 3073), ("cifar100", "train", 3074)])
def test_a_cut_binary_file_is_one_line_with_its_bytes_and_the_record(name, file, record, tmp_path):
    path = fabricate(tmp_path, name, "binary") / f"{file}.bin"
    path.write_bytes(path.read_bytes()[:-5])
    assert f"{file}.bin' has {2 * record - 5} bytes, which is no multiple of {record}" in message(name, tmp_path)


def test_a_cut_archive_is_one_line_wherever_the_cut_is(tmp_path):
    archive = pack(fabricate(tmp_path / "made", "cifar10", "binary"), tmp_path / "cifar-10-binary.tar.gz")
    whole = archive.read_bytes()
    for length in (0, 5, 100, len(whole) // 2, len(whole) - 4):
        archive.write_bytes(whole[:length])
        assert str(archive) in message("cifar10", tmp_path)


def test_a_flipped_bit_in_an_archive_fails_its_checksum(tmp_path):
    archive = pack(fabricate(tmp_path / "made", "cifar10", "binary"), tmp_path / "cifar-10-binary.tar.gz")
    whole = bytearray(archive.read_bytes())
    whole[-5] ^= 1  # the last byte of the CRC-32: all the data before it can be read
    archive.write_bytes(whole)
    assert "CRC" in message("cifar10", tmp_path)


def test_a_damaged_archive_of_another_compression_is_one_line(tmp_path):
    folder = fabricate(tmp_path, "cifar10", "binary")
    archive = tmp_path / "cifar.tar.xz"
    with tarfile.open(archive, "w:xz") as tar:
        tar.add(folder, arcname=folder.name)
    assert load_dataset("cifar10", data_dir=archive).num_classes == 10
    whole = bytearray(archive.read_bytes())
    whole[len(whole) // 2] ^= 1
    archive.write_bytes(whole)
    assert str(archive) in message("cifar10", archive)


def test_an_archive_cut_before_compression_is_one_line(tmp_path):
    archive = pack(fabricate(tmp_path / "made", "cifar10", "binary"), tmp_path / "cifar-10-binary.tar.gz")
    plain = gzip.decompress(archive.read_bytes())
    archive.write_bytes(gzip.compress(plain[:9000]))
    assert str(archive) in message("cifar10", tmp_path)


def test_a_missing_batch_is_named(tmp_path):
    folder = fabricate(tmp_path, "cifar10", "python")
    (folder / "data_batch_4").unlink()
    assert "lacks data_batch_4 of cifar10" in message("cifar10", tmp_path)


def test_a_whole_archive_is_read_where_the_folder_beside_it_is_incomplete(tmp_path):
    folder = fabricate(tmp_path, "cifar10", "python")
    pack(folder, tmp_path / "cifar-10-python.tar.gz")
    (folder / "test_batch").unlink()
    assert len(load_dataset("cifar10", data_dir=tmp_path).load_test().labels) == 2


def test_nothing_found_lists_what_was_looked_for_and_where(tmp_path):
    text = message("cifar100", tmp_path)
    for looked_for in ("cifar-100-python", "cifar-100-binary.tar.gz", str(tmp_path), "--data-dir"):
        assert looked_for in text


def test_a_wrong_number_of_class_names_is_one_line(tmp_path):
    folder = fabricate(tmp_path, "cifar10", "binary")
    (folder / "batches.meta.txt").write_text("cat\ndog\n")
    assert "does not name 10 classes" in message("cifar10", folder)
