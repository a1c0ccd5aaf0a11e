"""igcnas init: what it says of data, and that what it prints can be run as it stands."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from igcnas.cli import main
from igcnas.cli.init import _sizes_in_words
from igcnas.cli.init.devices import DEVICES
from igcnas.cli.init.space_file import space_file
from igcnas.cli.init.suggestion import image_size
from igcnas.data.survey import Pictures
from igcnas.search.space import known_spaces, load_space

pytestmark = pytest.mark.usefixtures("forked_workers")

CHEAP = ["--networks", "1", "--epochs", "1", "--seeds", "1", "--no-baselines", "--workers", "1", "--no-export"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IGCNAS_CACHE", str(tmp_path / "cache"))


def photos(width: int, height: int, *, more: int = 0, colour: bool = True) -> None:
    """15 pictures of cats and 30 of dogs; each `more` pixels wider than the one before."""
    draws = np.random.default_rng(0)
    for name, count in (("cat", 15), ("dog", 30)):
        (Path("photos") / name).mkdir(parents=True)
        for number in range(count):
            size = (height, width + number * more, 3)
            pixels = draws.integers(0, 255, size if colour else size[:2], dtype=np.uint8)
            Image.fromarray(pixels).save(Path("photos") / name / f"{number}.png")


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Lines by the word before them; the last line of each."""
    lines = capsys.readouterr().out.splitlines()
    return {line[:10].strip(): line[10:] for line in lines if line[:1].isalpha()}


def pictures(*sizes: tuple[int, int]) -> Pictures:
    return Pictures(sizes=np.array(sizes), of=len(sizes), formats={"JPEG": len(sizes)})


def test_the_command_and_the_space_that_it_prints_run_as_they_stand(capsys: pytest.CaptureFixture[str]) -> None:
    photos(12, 12, more=1)
    (Path("photos") / "cat" / "bad.png").write_bytes(b"no picture")
    assert main(["init", "photos", "--out", "my space.py"]) == 0
    said = printed(capsys)
    assert said["data"] == "photos: 36 colour pictures to train and validate on, 2 classes: cat 12, dog 24"
    assert said["pictures"].startswith("shorter side 12 pixels, longer side 12 to 41 (36 PNG")
    assert said["left out"].startswith("1 file: 1 that cannot be decoded")
    assert said["size"].startswith("3x8x8, --image-size 8 ")
    words = shlex.split(said["search"])
    assert words[:6] == ["igcnas", "search", "--data", "imagefolder:photos", "--image-size", "8"]
    assert words[-2:] == ["--space", "my space.py"]
    assert main([*words[1:], *CHEAP, "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["trained"] == 1
    settings = json.loads((Path(found["study"]) / "settings.json").read_text(encoding="utf-8"))
    assert settings["space"]["name"] == "my space"


def test_without_a_file_the_space_is_printed_and_the_command_needs_none(capsys: pytest.CaptureFixture[str]) -> None:
    photos(10, 8, colour=False)
    assert main(["init", "imagefolder:photos"]) == 0
    out = capsys.readouterr().out
    text = out[out.index('"""The search space') : out.index("\nspace     the code above")]
    Path("printed.py").write_text(text, encoding="utf-8")
    assert load_space("./printed.py") == load_space("all")
    assert "36 grey pictures" in out
    assert "size      1x8x10 (all are 10x8: taken as they are)" in out
    assert "--image-size" not in out.splitlines()[-1]


def test_the_first_lines_say_what_was_found_and_the_command_to_run_next(capsys: pytest.CaptureFixture[str]) -> None:
    photos(12, 12)
    (Path("photos") / "cat" / "bad.png").write_bytes(b"no picture")
    assert main(["init", "photos"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[0] == "found     photos: 45 pictures of 2 classes; 1 picture cannot be read, which --skip-bad leaves out"
    )
    assert lines[1].startswith("next      igcnas search --data imagefolder:photos --skip-bad --budget-mflops ")
    assert lines.index("") <= 6
    assert lines[1].removeprefix("next      ") == lines[-1].removeprefix("search    ")
    assert any("igcnas init photos --out space.py" in line for line in lines[-4:])


def test_every_picture_that_cannot_be_read_has_a_line_up_to_a_hundred(capsys: pytest.CaptureFixture[str]) -> None:
    photos(8, 8)
    for number in range(103):
        (Path("photos") / "cat" / f"bad{number:03}.png").write_bytes(b"")
    assert main(["init", "photos", "--json"]) == 0
    unreadable = json.loads(capsys.readouterr().out)["unreadable"]
    assert len(unreadable) == 103  # also those that would be test images
    assert main(["init", "photos"]) == 0
    out = capsys.readouterr().out
    assert out.count("(the file is empty)\n") == 100
    assert "\n          and 3 more\n" in out


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ([(200, 150), (150, 200)], "shorter side 150 pixels, longer side 200"),
        (
            [(200, 150), (160, 220)],
            "shorter side 150 to 160 pixels (of half of them below 161), longer side 200 to 220",
        ),
        ([(32, 32)] * 2, "all 32x32 pixels"),
    ],
)
def test_sizes_are_of_sides_for_pictures_lie_or_stand(sizes: list[tuple[int, int]], words: str) -> None:
    assert _sizes_in_words(pictures(*sizes)) == words


def test_json_has_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "digits", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["input_shape"], found["image_size"]) == ([1, 8, 8], None)
    assert sum(found["data"]["classes"].values()) == 1438
    assert shlex.split(found["command"])[2:4] == ["--data", "digits"]
    assert [one["name"] for one in found["devices"]] == [one.name for one in DEVICES]


@pytest.mark.parametrize("name", known_spaces())
def test_every_space_as_text_is_that_space_again(name: str) -> None:
    space = load_space(name)
    Path("again.py").write_text(space_file(space, title='a "title"', command="igcnas \\"), encoding="utf-8")
    assert load_space("./again.py") == space


@pytest.mark.parametrize(
    ("sizes", "size"),
    [
        ([(28, 28)] * 3, None),
        ([(4032, 3024), (3024, 4032)], 64),
        ([(50, 40)] * 2 + [(60, 60)] * 8, 40),
        ([(43, 50)] * 9 + [(44, 50)], 40),
        ([(5, 7), (6, 7)], 5),
        ([(500, 400)] * 3, 64),
    ],
)
def test_images_are_64_pixels_or_as_large_as_nearly_all_pictures(
    sizes: list[tuple[int, int]], size: int | None
) -> None:
    assert image_size(pictures(*sizes))[0] == size


def test_the_budget_of_a_device_is_what_it_computes_in_a_tenth_of_a_second() -> None:
    rates = {one.name: one.macs_a_second / 1e6 for one in DEVICES}
    assert rates["NUCLEO-G0B1RE"] == pytest.approx(8.2, abs=0.05)  # the published rates
    assert rates["EK-RA8D1"] == pytest.approx(1471, abs=5)
    assert rates["Arduino Nano 33 BLE"] == pytest.approx(17, abs=0.5)  # derived: the slower end
    assert DEVICES[0].budget(10) == pytest.approx(8.2e5, rel=0.01)


def test_mistakes_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    photos(8, 8)
    for words, message in (
        (["photos", "--out", "space.txt"], "--out space.txt must end with .py"),
        (["nothing"], "/nothing'; give the folder of your pictures, or one of digits, cifar10"),
        (["cifar100x"], "unknown data set 'cifar100x'; did you mean 'cifar100'?"),
        (["photos/cat/0.png"], "'photos/cat/0.png' is a file; give the folder of your pictures"),
        (["pictures.npz"], "write npz:pictures.npz"),
        (["npz:missing.npz"], "missing.npz"),
        (["photos", "--out", "missing/space.py"], "cannot write missing/space.py"),
    ):
        assert main(["init", *words]) == 2
        out, err = capsys.readouterr()
        assert message in err
        assert (out, err.count("\n")) == ("", 1)
