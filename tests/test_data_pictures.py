"""What one picture file becomes: upright, opaque, grey by its pixels; and what is no picture."""

import os
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from igcnas.data import bounds, decoding
from igcnas.data.augmentation import Augmentation
from igcnas.data.decoding import decode_images
from igcnas.data.examination import examine
from igcnas.data.listing import list_image_folder
from igcnas.data.loading import load_dataset
from igcnas.data.picture import opened
from igcnas.data.preparation import upright
from igcnas.data.stream import Form, decode
from igcnas.errors import DataError
from igcnas.system import resources
from igcnas.training.runs.data import open_data

RANDOM = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IGCNAS_CACHE", str(tmp_path / "cache"))


def read(path: Path) -> np.ndarray:
    with opened(str(path)) as image:
        return np.asarray(upright(image))


def turned(pixels: np.ndarray, orientation: int, path: Path) -> Path:
    """A file that must be turned as its EXIF orientation says to look like `pixels`."""
    undone = {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.transpose(1, 0, 2),
        6: np.rot90(pixels, 1),
        7: pixels[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(pixels, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(undone)).save(
        path, exif=exif, **({"quality": 100} if "jp" in path.suffix else {})
    )
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", [".png", ".webp", ".tif"])
def test_a_picture_is_turned_as_its_exif_says(orientation, ending, tmp_path):
    if ending == ".webp":
        path = turned(RANDOM, orientation, tmp_path / "a.png").rename(tmp_path / "b.png")
        with Image.open(path) as image:
            image.save(tmp_path / "a.webp", lossless=True, exif=image.getexif())
        path = tmp_path / "a.webp"
    else:
        path = turned(RANDOM, orientation, tmp_path / f"a{ending}")
    np.testing.assert_array_equal(read(path), RANDOM)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_streamed_jpeg_is_turned_before_its_window_is_cut(orientation, tmp_path):
    across = np.broadcast_to(np.linspace(0, 250, 128, dtype=np.uint8)[None, :, None], (64, 128, 3)).copy()
    path = turned(across, orientation, tmp_path / "a.jpg")
    form = Form(size=16, augmentation=Augmentation(crop="area"), training=False)
    found = decode(str(path), form, [0.5] * 5)
    assert (np.diff(found[:, :, 0].astype(int), axis=1) > 0).all()
    assert np.ptp(found[:, 8, 0].astype(int)) <= 3
    expected = decode(str(turned(across, 1, tmp_path / "b.jpg")), form, [0.5] * 5)
    assert np.abs(found.astype(int) - expected).max() <= 4  # another scale of the JPEG may be decoded


def test_a_folder_of_turned_pictures_has_one_size_in_memory_and_streamed(tmp_path):
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            for i, orientation in enumerate((1, 6, 3, 8)):
                turned(RANDOM, orientation, tmp_path / "photos" / part / name / f"{i}.png")
    found = load_dataset(f"imagefolder:{tmp_path / 'photos'}")
    assert found.input_shape == (3, 6, 9)
    np.testing.assert_array_equal(found.train.images, np.broadcast_to(RANDOM.transpose(2, 0, 1), (8, 3, 6, 9)))


def test_nonsense_in_exif_leaves_the_picture_as_it_is(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 77
    Image.fromarray(RANDOM).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read(tmp_path / "a.png"), RANDOM)


def test_transparency_lies_on_white_and_what_would_vanish_there_on_black(tmp_path):
    alpha = np.zeros((6, 9), np.uint8)
    alpha[2:4, 3:6] = 255
    for colour, inside, outside in ((0, 0, 255), (255, 255, 0)):
        icon = np.dstack([np.full((6, 9, 3), colour, np.uint8), alpha])
        Image.fromarray(icon).save(tmp_path / "icon.png")
        found = read(tmp_path / "icon.png")
        assert (found[3, 4].tolist(), found[0, 0].tolist()) == ([inside] * 3, [outside] * 3)
    half = np.dstack([np.zeros((6, 9, 3), np.uint8), np.full((6, 9), 128, np.uint8)])
    Image.fromarray(half).save(tmp_path / "half.png")
    assert read(tmp_path / "half.png")[0, 0].tolist() == [127] * 3


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 255, 254)])
def test_a_drawing_that_shows_on_white_in_any_of_red_green_and_blue_lies_on_white(colour, tmp_path):
    icon = np.zeros((6, 9, 4), np.uint8)
    icon[2:4, 3:6] = (*colour, 255)
    Image.fromarray(icon).save(tmp_path / "icon.png")
    found = read(tmp_path / "icon.png")
    assert (found[3, 4].tolist(), found[0, 0].tolist()) == (list(colour), [255] * 3)


def test_a_picture_of_one_colour_that_is_transparent_alike_everywhere_lies_on_white(tmp_path):
    Image.new("RGBA", (9, 6), (0, 0, 255, 128)).save(tmp_path / "glass.png")
    assert read(tmp_path / "glass.png")[0, 0].tolist() == [127, 127, 255]


def test_a_palette_with_a_transparent_colour_is_opaque_too(tmp_path):
    image = Image.new("P", (4, 4), 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 1), 1)
    image.save(tmp_path / "a.png", transparency=0)
    found = read(tmp_path / "a.png")
    assert (found[1, 1].tolist(), found[0, 0].tolist()) == ([200, 100, 50], [255] * 3)


@pytest.mark.parametrize("mode", ["1", "L", "CMYK", "P", "YCbCr"])
def test_every_mode_of_8_bits_becomes_rgb(mode, tmp_path):
    ending = {"CMYK": "tif", "YCbCr": "tif"}.get(mode, "png")
    Image.fromarray(RANDOM).convert(mode).save(tmp_path / f"a.{ending}")
    expected = np.asarray(Image.fromarray(RANDOM).convert(mode).convert("RGB"))
    np.testing.assert_array_equal(read(tmp_path / f"a.{ending}"), expected)


def grey_tree(root: Path, mode: str, count: int = 4) -> Path:
    for part in ("train", "test"):
        for label, name in enumerate(("cat", "dog")):
            (root / part / name).mkdir(parents=True)
            for i in range(count):
                image = Image.fromarray(RANDOM[..., 0] // 4 + np.uint8(40 * label + i)).convert(mode)
                image.save(root / part / name / f"{i}.{'jpg' if mode == 'RGB' else 'png'}")
    return root


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "RGBA", "LA"])
def test_grey_is_told_by_pixels_and_not_by_how_they_are_stored(mode, tmp_path):
    found = load_dataset(f"imagefolder:{grey_tree(tmp_path / 'letters', mode)}")
    assert (found.input_shape, found.flip) == ((1, 6, 9), False)
    assert found.load_test().images.shape == (8, 1, 6, 9)


def test_a_streamed_folder_of_grey_jpegs_stored_as_colour_is_not_mirrored(tmp_path):
    root = grey_tree(tmp_path / "letters", "RGB")
    for coloured in (False, True):
        if coloured:  # the last one alone, of the last class
            Image.fromarray(RANDOM).save(root / "train" / "dog" / "3.jpg")
        data = open_data(f"imagefolder:{root}", stream=True, image_size=8)
        source = data.source("cpu", fraction=0.5, seed=0, augmentation=Augmentation(flip=True), workers=0)
        assert source.training.form.augmentation.flip == coloured


def test_test_pictures_in_colour_become_grey_and_that_is_said(tmp_path):
    root = grey_tree(tmp_path / "letters", "L")
    Image.fromarray(RANDOM).save(root / "test" / "cat" / "0.png")
    test = load_dataset(f"imagefolder:{root}").load_test()
    np.testing.assert_array_equal(test.images[0, 0], np.asarray(Image.fromarray(RANDOM).convert("L")))
    assert test.notes == ("1 image in colour becomes grey, as all training images are",)


def test_of_an_animation_the_first_frame_counts_and_that_is_said(tmp_path):
    root = grey_tree(tmp_path / "letters", "L")
    frames = [Image.new("L", (9, 6), 7), Image.new("L", (9, 6), 9)]
    frames[0].save(root / "train" / "cat" / "0.gif", save_all=True, append_images=frames[1:])
    found = load_dataset(f"imagefolder:{root}")
    assert found.train.images[0].min() == found.train.images[0].max() == 7
    assert any("several frames; the first is read" in note for note in found.train.notes)


@pytest.mark.parametrize(("frames", "said"), [(1, "1 file has several"), (2, "2 files have several")])
def test_files_with_several_frames_are_counted_as_people_count_and_their_split_is_named(frames, said, tmp_path):
    root = grey_tree(tmp_path / "letters", "L")
    moves = [Image.new("L", (9, 6), 7), Image.new("L", (9, 6), 9)]
    for number in range(frames):
        moves[0].save(root / "test" / "cat" / f"{number}.gif", save_all=True, append_images=moves[1:])
    notes = examine(load_dataset(f"imagefolder:{root}"), fraction=0.5, seed=0).notes
    assert f"in the test split: {said} frames; the first is read" in notes


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_links_to_nothing_and_to_themselves_are_bad_pictures_like_any_other(tmp_path):
    root = grey_tree(tmp_path / "pets", "L")
    os.symlink("nowhere", root / "train" / "cat" / "lost.png")
    os.symlink("self.png", root / "train" / "dog" / "self.png")
    with pytest.raises(DataError) as caught:
        load_dataset(f"imagefolder:{root}")
    assert "2 of 18 images cannot be decoded" in str(caught.value)
    assert "cat/lost.png' (No such file or directory)" in str(caught.value)
    assert "dog/self.png' (Too many levels of symbolic links)" in str(caught.value)
    found = load_dataset(f"imagefolder:{root}", skip_bad=True)
    assert len(found.train.labels) == 8
    assert found.origin.left_out[0].count == 2


def test_the_only_picture_of_all_that_is_bad_needs_no_plural(tmp_path):
    (tmp_path / "0.png").write_bytes(b"hello")
    with pytest.raises(DataError, match=r"^none of 1 image can be decoded: .*0\.png' \(no picture"):
        decode_images([str(tmp_path / "0.png")], image_size=8, form=None)


def test_one_bad_picture_of_many_is_named_alone(tmp_path):
    root = grey_tree(tmp_path / "pets", "L")
    (root / "train" / "cat" / "bad.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"^'.*bad\.png' cannot be decoded \(the file is empty\); replace or remove it"):
        load_dataset(f"imagefolder:{root}")


def test_more_bad_pictures_than_one_reads_are_counted_after_the_first_twenty(tmp_path):
    root = grey_tree(tmp_path / "pets", "L")
    for number in range(22):
        (root / "train" / "cat" / f"bad{number}.png").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        load_dataset(f"imagefolder:{root}")
    text = str(caught.value)
    assert text.startswith("22 of 38 images cannot be decoded: '")
    assert text.count("(the file is empty)") == 20
    assert "; and 2 more; replace or remove them" in text


@pytest.mark.parametrize(
    ("image_size", "way_out"), [(None, "pass --image-size N,"), (400, "pass a smaller --image-size,")]
)
def test_pictures_beyond_the_free_memory_are_refused_before_they_are_decoded(
    image_size, way_out, tmp_path, monkeypatch
):
    root = grey_tree(tmp_path / "pets", "L")
    monkeypatch.setattr(bounds, "_SMALL", 100)
    monkeypatch.setattr(resources, "memory", lambda: resources.Memory(available=1000, limit=None, by=None))
    with pytest.raises(DataError, match=way_out) as caught:
        load_dataset(f"imagefolder:{root}", image_size=image_size)
    assert "8 images of 3x" in str(caught.value)


def test_the_short_side_is_resized_and_the_centre_is_cropped(tmp_path):
    # left to right 8 black columns, 8 white, 8 black; the short side becomes 4, and of 12 columns the middle 4 stay
    root = grey_tree(tmp_path / "wide", "L")
    strip = np.zeros((8, 24), np.uint8)
    strip[:, 8:16] = 255
    Image.fromarray(strip).save(root / "train" / "cat" / "0.png")
    Image.fromarray(255 - strip).save(root / "train" / "cat" / "1.png")
    white, black = load_dataset(f"imagefolder:{root}", image_size=4).train.images[:2, 0]
    assert white.shape == (4, 4)
    assert (white[:, 1:3] > 225).all()
    assert (black[:, 1:3] < 30).all()


def test_an_ending_that_lies_does_no_harm_and_a_format_that_runs_programs_is_not_opened(tmp_path):
    Image.fromarray(RANDOM).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(read(tmp_path / "a.jpg"), RANDOM)
    Image.fromarray(RANDOM).save(tmp_path / "b.eps")
    (tmp_path / "b.eps").rename(tmp_path / "b.png")
    with pytest.raises(DataError, match="no picture, or of an unknown format"):
        read(tmp_path / "b.png")


def test_a_bomb_is_one_line_and_a_large_picture_no_raw_warning(tmp_path, monkeypatch):
    root = grey_tree(tmp_path / "letters", "L")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)  # 6 x 9 is more, and less than twice as much
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = load_dataset(f"imagefolder:{root}")
    assert any("remarks on 8 files" in note for note in found.train.notes)
    Image.new("L", (9, 10)).save(root / "train" / "cat" / "0.png")
    with pytest.raises(DataError, match=r"cat/0\.png' cannot be decoded \(it declares more than 80 pixels"):
        load_dataset(f"imagefolder:{root}")


def test_strips_are_cropped_before_they_are_resized(tmp_path):
    root = grey_tree(tmp_path / "strips", "L")
    for size in ((1, 5000), (5000, 1), (1, 1)):
        Image.new("L", size, 99).save(root / "train" / "cat" / "0.png")
        found = load_dataset(f"imagefolder:{root}", image_size=16)
        assert found.input_shape == (1, 16, 16)
        assert (found.train.images[0] == 99).all()


@pytest.mark.parametrize("size", [(1, 50_000), (50_000, 1), (3, 9_999)])
def test_a_strip_takes_no_more_memory_than_sixteen_squares_of_its_result(size, tmp_path, monkeypatch):
    Image.new("L", size, 99).save(tmp_path / "strip.png")
    made: list[int] = []
    resize = Image.Image.resize

    def measured(image, to, *rest):
        made.append(to[0] * to[1])
        return resize(image, to, *rest)

    monkeypatch.setattr(Image.Image, "resize", measured)
    found = decode_images([str(tmp_path / "strip.png")], image_size=16, form=None)
    assert found.images.shape == (1, 1, 16, 16)
    assert made == [16 * 16 * 16]


def test_pictures_that_nobody_will_use_are_not_decoded_once_one_is_of_another_size(tmp_path, monkeypatch):
    sizes = [(3, 4), *[(9, 6)] * 99]
    for number, size in enumerate(sizes):
        Image.new("L", size).save(tmp_path / f"{number:02}.png")
    paths = [str(tmp_path / f"{number:02}.png") for number in range(len(sizes))]
    begun: list[str] = []
    whole = decoding._decode

    def slow(path, image_size):
        begun.append(path)
        if path != paths[0]:
            time.sleep(0.02)  # a large picture
        return whole(path, image_size)

    monkeypatch.setattr(decoding, "_CHUNK", 1)
    monkeypatch.setattr(decoding, "_decode", slow)
    with pytest.raises(DataError, match=r"00\.png' is 3x4 pixels, the training images are 9x6"):
        decode_images(paths, image_size=None, form=(1, 6, 9))
    assert len(begun) < len(paths) / 2


@pytest.mark.skipif(os.name == "nt", reason="file names are text there")
def test_names_that_are_no_utf_8_are_read_and_shown_with_escapes(tmp_path):
    root = grey_tree(tmp_path / "letters", "L")
    for part in (b"train", b"test"):
        folder = os.path.join(os.fsencode(root), part)
        os.rename(os.path.join(folder, b"dog"), os.path.join(folder, b"d\xf6g"))
    found = load_dataset(f"imagefolder:{root}")
    assert found.classes == ("cat", "d\\xf6g")
    assert len(found.load_test().labels) == 8


def bad_tree(root: Path) -> Path:
    grey_tree(root, "L")
    for i, content in enumerate((b"", b"hello", (root / "train" / "cat" / "0.png").read_bytes()[:60])):
        (root / "train" / "cat" / f"bad{i}.png").write_bytes(content)
    Image.fromarray(np.full((6, 9), 4000, np.uint16)).save(root / "train" / "dog" / "deep.png")
    (root / "test" / "dog" / "bad.png").write_bytes(b"hello")
    return root


def test_all_bad_pictures_of_all_splits_are_named_at_once(tmp_path):
    root = bad_tree(tmp_path / "pets")
    for _ in range(2):  # decoded, and from the cache
        with pytest.raises(DataError) as caught:
            load_dataset(f"imagefolder:{root}")
        text = str(caught.value)
        assert text.startswith("5 of 21 images cannot be decoded: ")
        for said in (
            "cat/bad0.png' (the file is empty)",
            "cat/bad1.png'",
            "cat/bad2.png'",
            "dog/deep.png'",
            "test/dog/bad",
        ):
            assert said in text
        assert text.endswith("or leave them out with --skip-bad")
        assert "\n" not in text


def test_skip_bad_leaves_them_out_and_counts_them(tmp_path):
    root = bad_tree(tmp_path / "pets")
    found = load_dataset(f"imagefolder:{root}", skip_bad=True)
    assert found.train.labels.tolist() == [0] * 4 + [1] * 4
    (left_out,) = found.origin.left_out
    assert (left_out.count, left_out.what) == (4, "that cannot be decoded")
    test = found.load_test()
    assert len(test.labels) == len(test.images) == 8
    assert test.left_out[0].count == 1
    for path in root.rglob("*"):
        if path.name.startswith(("bad", "deep")):
            path.unlink()
    assert load_dataset(f"imagefolder:{root}").fingerprint() == found.fingerprint()


def test_skip_bad_of_a_streamed_folder_looks_at_whole_files_first(tmp_path):
    root = bad_tree(tmp_path / "pets")
    with pytest.raises(DataError, match="4 of 21 images cannot be decoded"):  # the cut one has a whole header
        open_data(f"imagefolder:{root}", stream=True, image_size=8).examined(fraction=0.5, seed=0)
    data = open_data(f"imagefolder:{root}", stream=True, image_size=8, skip_bad=True)
    examined = data.examined(fraction=0.5, seed=0)
    assert (examined.train, examined.validation, examined.test) == (4, 4, 8)
    assert examined.left_out[0].count == 5
    assert len(list_image_folder(root).train.paths) == 12


def test_a_class_without_a_good_picture_is_not_left_out(tmp_path):
    root = grey_tree(tmp_path / "pets", "L")
    for path in (root / "train" / "cat").iterdir():
        path.write_bytes(b"hello")
    with pytest.raises(DataError, match=r"no training image of class 'cat' of .* can be decoded"):
        load_dataset(f"imagefolder:{root}", skip_bad=True)


def test_the_usual_size_is_said_also_where_the_first_picture_is_the_odd_one(tmp_path):
    root = grey_tree(tmp_path / "pets", "L")
    Image.new("L", (3, 4)).save(root / "train" / "cat" / "0.png")
    with pytest.raises(DataError, match=r"7 of 8 looked at are 9x6 pixels, 1 is not, such as '.*cat/0\.png' with 3x4"):
        load_dataset(f"imagefolder:{root}")
