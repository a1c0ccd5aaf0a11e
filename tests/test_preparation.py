"""A picture becomes the same input in training, in igcnas predict and in model.py, to the bit."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from igcnas.data.augmentation import Augmentation
from igcnas.data.decoding import decode_images
from igcnas.data.picture import BadPictureError
from igcnas.data.preparation import Preparation, preparation_of
from igcnas.data.reading import picture_files, read_picture
from igcnas.data.stream import Form, decode
from igcnas.errors import DataError
from igcnas.export.source import model_source
from igcnas.network.literature import family
from igcnas.network.plan import Plan, plan

SIZE = 16


def noise(*shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    """Smooth enough that a resize shows where it goes wrong, and of every value."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def turned(orientation: int) -> Callable[[Path], Path]:
    def save(folder: Path) -> Path:
        image = Image.fromarray(noise(30, 41, 3))
        exif = image.getexif()
        exif[0x0112] = orientation
        image.save(folder / "one.jpg", exif=exif, quality=95)
        return folder / "one.jpg"

    return save


def saved(make: Callable[[], Image.Image], ending: str, **options: Any) -> Callable[[Path], Path]:
    def save(folder: Path) -> Path:
        make().save(folder / f"one.{ending}", **options)
        return folder / f"one.{ending}"

    return save


def palette(transparent: bool) -> Image.Image:
    image = Image.fromarray(noise(33, 20, 3)).quantize(32)
    if transparent:
        image.info["transparency"] = 3
    return image


def frames(folder: Path) -> Path:
    pictures = [Image.fromarray(noise(25, 30, 3, seed=seed)) for seed in range(3)]
    pictures[0].save(folder / "one.gif", save_all=True, append_images=pictures[1:])
    return folder / "one.gif"


PICTURES: dict[str, Callable[[Path], Path]] = {
    **{f"orientation {k}": turned(k) for k in range(1, 9)},
    "palette": saved(lambda: palette(False), "png"),
    "palette with transparency": saved(lambda: palette(True), "png", transparency=3),
    "RGBA": saved(lambda: Image.fromarray(noise(31, 22, 4)), "png"),
    "white on transparent": saved(
        lambda: Image.merge("RGBA", [*[Image.new("L", (20, 30), 255)] * 3, Image.fromarray(noise(30, 20))]), "png"
    ),
    "LA": saved(lambda: Image.fromarray(noise(31, 22, 2), mode="LA"), "png"),
    "grey": saved(lambda: Image.fromarray(noise(31, 22)), "png"),
    "CMYK": saved(lambda: Image.fromarray(noise(31, 22, 3)).convert("CMYK"), "jpg"),
    "1 bit": saved(lambda: Image.fromarray(noise(31, 22)).convert("1"), "png"),
    "odd": saved(lambda: Image.fromarray(noise(17, 301, 3)), "png"),
    "strip": saved(lambda: Image.fromarray(noise(1, 500, 3)), "png"),
    "tiny": saved(lambda: Image.fromarray(noise(1, 1, 3)), "png"),
    "of the size": saved(lambda: Image.fromarray(noise(SIZE, SIZE, 3)), "png"),
    "large": saved(lambda: Image.fromarray(noise(400, 600, 3)), "jpg"),
    "animated": frames,
}


def model(preparation: Preparation, folder: Path) -> ModuleType:
    """The model.py of some network with this preparation."""
    network = plan(family("resnet").build(depth=8, channels=preparation.channels, size=preparation.height, classes=2))
    shape = (preparation.channels, preparation.height, preparation.width)
    text = model_source(
        Plan(network.root, shape), title="x", classes=["a", "b"], macs=1, params=1, preparation=preparation
    )
    path = folder / "model.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("model", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_in_memory_is_the_same_everywhere(name: str, channels: int, tmp_path: Path) -> None:
    path = PICTURES[name](tmp_path)
    form = (channels, SIZE, SIZE)
    trained = decode_images([str(path)], image_size=SIZE, form=form).images[0]
    preparation = preparation_of(form, {})
    assert np.array_equal(read_picture(path, preparation), trained)
    assert np.array_equal(read_picture(path.read_bytes(), preparation), trained)
    module = model(preparation, tmp_path)
    assert np.array_equal(module.read_picture(path).numpy(), trained)
    assert np.array_equal(module.read_picture(io.BytesIO(path.read_bytes())).numpy(), trained)


@pytest.mark.parametrize("crop", ["pad", "area"])
@pytest.mark.parametrize("name", PICTURES)
def test_a_streamed_picture_is_the_same_everywhere(name: str, crop: str, tmp_path: Path) -> None:
    path = PICTURES[name](tmp_path)
    augmentation = Augmentation(crop=crop, centre=0.875)
    form = Form(size=SIZE, augmentation=augmentation, training=False)
    trained = decode(str(path), form, [0.0] * 5).transpose(2, 0, 1)
    preparation = preparation_of((3, SIZE, SIZE), {"streamed": True, "crop": crop, "centre": 0.875})
    assert preparation == form.preparation
    assert np.array_equal(read_picture(path, preparation), trained)
    assert np.array_equal(model(preparation, tmp_path).read_picture(path).numpy(), trained)


def test_a_picture_of_the_size_of_arrays_passes_unchanged_and_others_are_scaled_to_it(tmp_path: Path) -> None:
    pixels = noise(6, 10, 3)
    preparation = Preparation(3, 6, 10)
    Image.fromarray(pixels).save(tmp_path / "same.png")
    assert np.array_equal(read_picture(tmp_path / "same.png", preparation), pixels.transpose(2, 0, 1))
    assert read_picture(noise(50, 20, 3), preparation).shape == (3, 6, 10)
    grey = noise(8, 8)
    assert np.array_equal(read_picture(grey, Preparation(1, 8, 8))[0], grey)


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_more_than_8_bits_are_refused_everywhere_for_the_same_reason(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "deep.tif"
    Image.new(mode, (20, 20)).save(path)
    form, preparation = (1, SIZE, SIZE), Preparation(1, SIZE, SIZE)
    with pytest.raises(DataError, match="more than 8 bits a pixel"):
        decode_images([str(path)], image_size=SIZE, form=form)
    with pytest.raises(BadPictureError, match="more than 8 bits a pixel"):
        read_picture(path, preparation)
    with pytest.raises(ValueError, match="more than 8 bits a pixel"):
        model(preparation, tmp_path).read_picture(path)


def test_every_grey_value_stays_itself_in_one_channel() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = Image.fromarray(np.repeat(levels[..., None], 3, 2))
    assert np.array_equal(np.asarray(Preparation(1, 16, 16).apply(image)), levels)


def test_what_is_no_picture_is_refused_in_words() -> None:
    with pytest.raises(DataError, match=r"a picture of float64 \(4, 4\) is not read"):
        read_picture(np.zeros((4, 4)), Preparation(1, 4, 4))
    with pytest.raises(DataError, match="a int is no picture"):
        read_picture(3, Preparation(1, 4, 4))
    with pytest.raises(DataError, match="4 channels, which no picture has"):
        read_picture(noise(4, 4), Preparation(4, 4, 4))


def test_a_folder_is_searched_for_pictures_but_not_for_hidden_ones(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "notes.txt", ".hidden.png", "in/c.webp", ".git/d.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    found = [path.relative_to(tmp_path).as_posix() for path in picture_files(tmp_path)]
    assert found == ["a.jpg", "b.PNG", "in/c.webp"]
