"""Images decoded while a network trains: the same whatever decodes them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from igcnas.data.augmentation import Augmentation
from igcnas.data.listing import list_image_folder
from igcnas.data.stream import Form, ImageFiles, decode, stream
from igcnas.errors import DataError, MachineError
from igcnas.training.runs.data import InMemory, Streamed, open_data
from igcnas.training.stream import StreamData

CPU = torch.device("cpu")
AREA = Augmentation(crop="area", jitter=(0.2, 0.2, 0.2, 0.1))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """JPEGs of different sizes, smooth, so that two scales of decoding agree."""
    root = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for part, count in (("train", 12), ("test", 3)):
        for name in ("cat", "dog"):
            (root / part / name).mkdir(parents=True)
            for i in range(count):
                width, height = random.integers(40, 300, 2).tolist()
                coarse = Image.fromarray(random.integers(0, 256, (4, 4, 3), np.uint8))
                photo = coarse.resize((width, height), Image.Resampling.BICUBIC)
                photo.save(root / part / name / f"{i}.jpg", quality=95)
    return root


def data(root: Path, *, workers: int = 0, augmentation: Augmentation = AREA, size: int = 32) -> StreamData:
    folder = list_image_folder(root)
    return StreamData.split(folder, CPU, size=size, fraction=0.25, seed=0, augmentation=augmentation, workers=workers)


def test_batches_do_not_depend_on_the_number_of_processes_nor_on_where_an_epoch_is_taken_up(root: Path) -> None:
    alone, together = data(root), data(root, workers=2)
    assert torch.equal(alone.mean, together.mean)
    whole = list(alone.epoch(4, seed=7))
    assert len(whole) == alone.steps(4) == 4
    for first, source in ((0, together), (2, together), (3, alone)):
        found = list(source.epoch(4, seed=7, first=first))
        assert len(found) == 4 - first
        for (a, b), (c, d) in zip(whole[first:], found, strict=True):
            assert torch.equal(a, c)
            assert torch.equal(b, d)
    other = next(alone.epoch(4, seed=8))
    assert not torch.equal(other[0], whole[0][0])


def test_an_epoch_holds_each_training_image_once_and_no_validation_image(root: Path) -> None:
    source = data(root)
    assert source.validation is not None
    training = {source.training.path(i) for i in range(len(source.training))}
    validation = {source.validation.path(i) for i in range(len(source.validation))}
    assert len(training) == 18
    assert len(validation) == 6
    assert not training & validation
    labels = torch.cat([labels for _, labels in source.epoch(6, seed=0)])
    assert labels.bincount().tolist() == [9, 9]


@pytest.mark.parametrize("crop", ["none", "pad"])
def test_a_streamed_validation_image_is_the_one_decoded_into_memory(root: Path, crop: str) -> None:
    streamed = data(root, augmentation=Augmentation(crop=crop))
    assert streamed.validation is not None
    images, labels = next(streamed.batches_of(streamed.validation))
    in_memory = open_data(f"imagefolder:{root}", image_size=32, stream=False)
    source = in_memory.source(CPU, fraction=0.25, seed=0, augmentation=Augmentation(), workers=0)
    expected, same_labels = next(source.validation_batches())
    assert labels.tolist() == same_labels.tolist()
    pixels = images * streamed.std[:, None, None] + streamed.mean[:, None, None]
    known = expected * source.std[:, None, None] + source.mean[:, None, None]
    assert (pixels - known).abs().max().item() < 0.1  # other filters, and rounding to a pixel of the centre
    assert (pixels - known).abs().mean().item() < 0.01


def test_a_jpeg_decoded_at_a_smaller_scale_shows_the_same_window(root: Path) -> None:
    path = str(root / "train/cat/0.jpg")
    with Image.open(path) as image:
        whole = image.convert("RGB")
    form = Form(size=16, augmentation=Augmentation(crop="area", scale=(0.6, 0.6), ratio=(1.0, 1.0)), training=True)
    side = (0.6 * whole.width * whole.height) ** 0.5
    box = [0.5 * (whole.width - min(side, whole.width)), 0.5 * (whole.height - min(side, whole.height))]
    box += [box[0] + min(side, whole.width), box[1] + min(side, whole.height)]
    expected = np.asarray(whole.resize((16, 16), Image.Resampling.BILINEAR, box=tuple(box)), dtype=float)
    draws = [0.0, 0.0, 0.5, 0.5, 0.9]
    found = decode(path, form, draws).astype(float)
    assert np.abs(found - expected).max() < 12
    assert np.abs(decode(path, form, [*draws[:4], 0.1])[:, ::-1].astype(float) - expected).max() < 12  # mirrored


def test_an_image_that_cannot_be_read_is_named_in_one_line_whoever_decodes_it(root: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "train" / name).mkdir(parents=True)
        for i in range(4):
            Image.new("RGB", (40, 40)).save(tmp_path / "train" / name / f"{i}.jpg")
    (tmp_path / "train/b/3.jpg").write_bytes((root / "train/cat/0.jpg").read_bytes()[:200])
    for workers in (0, 1):
        with pytest.raises(
            DataError,
            match=r"^'.*train/b/3\.jpg' cannot be decoded .*; replace or remove it, or leave it out with --skip-bad$",
        ):
            data(tmp_path, workers=workers)


def test_shared_memory_that_is_full_ends_the_training_in_one_line(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_tensor: torch.Tensor) -> None:
        raise RuntimeError(
            f"unable to allocate shared memory(shm) for file </torch_1>: {os.strerror(errno.ENOSPC)} (28)"
        )

    files = ImageFiles(list_image_folder(root).train, Form(size=8, augmentation=AREA, training=False))
    assert len(list(stream(files, [[(0, 0), (1, 0)]], workers=1))) == 1
    monkeypatch.setattr(torch.Tensor, "share_memory_", full)  # the processes that decode are forks of this one
    with pytest.raises(MachineError, match=r"shared memory \(/dev/shm\): No space left on device; make room there"):
        list(stream(files, [[(0, 0), (1, 0)]], workers=1))
    assert len(list(stream(files, [[(0, 0), (1, 0)]], workers=0))) == 1  # which is one of the ways out


def test_grey_images_are_not_mirrored_and_colour_images_are(root: Path, tmp_path: Path) -> None:
    for name in ("0", "1"):
        (tmp_path / "train" / name).mkdir(parents=True)
        for i in range(5):
            Image.new("L", (20, 20), 50 * i).save(tmp_path / "train" / name / f"{i}.png")
    for place, mirrored in ((root, True), (tmp_path, False)):
        found = open_data(f"imagefolder:{place}", stream=True, image_size=8)
        source = found.source(CPU, fraction=None, seed=0, augmentation=AREA, workers=0)
        assert isinstance(source, StreamData)
        assert source.training.form.augmentation.flip is mirrored


def test_paths_of_any_length_are_kept(root: Path) -> None:
    listing = list_image_folder(root).train
    files = ImageFiles(listing, Form(size=8, augmentation=AREA, training=False))
    assert [files.path(i) for i in range(len(files))] == list(listing.paths)


def test_a_folder_is_streamed_when_asked_and_when_memory_would_not_hold_it(root: Path) -> None:
    spec = f"imagefolder:{root}"
    assert isinstance(open_data(spec, image_size=32), InMemory)
    asked = open_data(spec, stream=True)
    assert isinstance(asked, Streamed)
    assert asked.input_shape == (3, 224, 224)
    assert isinstance(open_data(spec, image_size=32, memory_limit_gb=24 * 3 * 32 * 32 / 1e9 - 1e-9), Streamed)
    assert isinstance(open_data(spec, image_size=32, memory_limit_gb=1e-9, stream=False), InMemory)
    assert asked.fingerprint() == open_data(spec, stream=True).fingerprint()
    with pytest.raises(DataError, match="--stream does not apply to 'digits'"):
        open_data("digits", stream=True)
