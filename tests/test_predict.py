"""What pictures show: igcnas predict, and the class ExportedNetwork behind it."""

from __future__ import annotations

import argparse
import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from igcnas.cli import main
from igcnas.cli.evaluate import _network_path
from igcnas.cli.export import _is_checkpoint
from igcnas.cli.predict import _as_json, network_folder
from igcnas.errors import DataError, IgcnasError
from igcnas.export.folder import export_network
from igcnas.export.network import ExportedNetwork
from igcnas.modules.build import build
from igcnas.network.literature import family
from igcnas.network.plan import plan

torch.set_num_threads(1)
CLASSES = ("cat", "dog", "=1+1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of a network that knows nothing."""
    torch.manual_seed(0)
    architecture = family("resnet").build(depth=8, classes=3, size=16)
    module = build(plan(architecture)).eval()
    module.get_submodule("classifier").weight.data.normal_()
    place = tmp_path_factory.mktemp("predict") / "export"
    export_network(
        folder=place,
        architecture=architecture,
        state=module.state_dict(),
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        classes=CLASSES,
        test=None,
        facts={},
        temperature=2.0,
    )
    return place


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two pictures, one of them in a subfolder, and a bad file."""
    inside = tmp_path / "pictures" / "more"
    inside.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for path in (inside.parent / "a.png", inside / "b.jpg"):
        Image.fromarray(generator.integers(0, 256, (20, 33, 3), dtype=np.uint8)).save(path)
    (inside.parent / "bad.png").write_text("no picture")
    return inside.parent


def test_pictures_are_read_alike_from_a_path_bytes_pil_and_arrays(folder: Path, pictures: Path) -> None:
    network, path = ExportedNetwork.load(folder), pictures / "a.png"
    assert (network.classes, network.input_shape) == (CLASSES, (3, 16, 16))
    image = Image.open(path)
    several = [path, str(path), path.read_bytes(), image, np.asarray(image)]
    first, *others = network.predict(several)
    assert others == [first] * 4
    assert network.predict(path) == [first]
    assert network.predict(network.read(path)[None]) == [first]
    assert sum(first.probabilities) == pytest.approx(1)
    assert sorted(first.classes) == sorted(CLASSES)
    assert first.best == first.classes[0]
    assert list(first.probabilities) == sorted(first.probabilities, reverse=True)


def test_both_runtimes_and_bytes_and_floats_give_the_same_probabilities(folder: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (70, 3, 16, 16), dtype=np.uint8)
    by_onnx, by_torch = ExportedNetwork.load(folder), ExportedNetwork.load(folder, runtime="torch")
    shares = by_onnx.probabilities(images)
    np.testing.assert_allclose(by_torch.probabilities(images), shares, atol=1e-5)
    np.testing.assert_allclose(by_onnx.probabilities(images / np.float32(255)), shares, atol=1e-6)
    logits = torch.from_numpy(by_onnx.logits(images))
    np.testing.assert_allclose((logits / 2.0).softmax(1).numpy(), shares, atol=1e-6)
    assert by_onnx.probabilities(images[:0]).shape == (0, 3)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((1, 3, 15, 16), np.uint8), "do not fit"),
        (np.zeros((3, 16, 16), np.uint8), "do not fit"),
        (np.zeros((1, 3, 16, 16), np.int64), "images are int64"),
        (np.full((1, 3, 16, 16), 2.0), "values from 2 to 2"),
        (np.full((1, 3, 16, 16), np.nan), "values from nan to nan"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_in_one_line(folder: Path, images: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        ExportedNetwork.load(folder).logits(images)
    assert "\n" not in str(error.value)


def test_an_export_from_before_the_preparation_was_recorded_still_predicts(
    folder: Path, pictures: Path, tmp_path: Path
) -> None:
    record = json.loads((folder / "architecture.json").read_text())
    del record["input"]["preparation"], record["temperature"], record["opset"]
    (tmp_path / "architecture.json").write_text(json.dumps(record))
    (tmp_path / "model.onnx").write_bytes((folder / "model.onnx").read_bytes())
    old, new = ExportedNetwork.load(tmp_path), ExportedNetwork.load(folder)
    assert old.preparation == new.preparation
    assert np.array_equal(
        old.logits(old.read(pictures / "a.png")[None]), new.logits(new.read(pictures / "a.png")[None])
    )


def test_a_folder_that_is_no_export_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IgcnasError, match="is no export"):
        ExportedNetwork.load(tmp_path)
    (tmp_path / "architecture.json").write_text(family("resnet").build(depth=8).to_json())
    with pytest.raises(IgcnasError, match="does not name the classes"):
        ExportedNetwork.load(tmp_path)


def test_a_bad_picture_is_named_the_others_are_predicted_and_the_status_is_1(
    folder: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(folder), str(pictures), "--top", "2"]) == 1
    said = capsys.readouterr()
    assert said.err == f"{pictures / 'bad.png'}: cannot be read (no picture, or of an unknown format)\n"
    lines = said.out.splitlines()
    assert [line.split(": ")[0] for line in lines] == [str(pictures / "a.png"), str(pictures / "more" / "b.jpg")]
    first = ExportedNetwork.load(folder).predict(pictures / "a.png", top=2)[0]
    shown = ", ".join(f"{label} {share:.2%}" for label, share in zip(first.classes, first.probabilities, strict=True))
    assert lines[0] == f"{pictures / 'a.png'}: {shown}"


def test_a_bad_picture_has_its_reason_in_json_and_no_class_in_the_table(
    folder: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "found.csv"
    assert main(["predict", str(folder), str(pictures), "--json", "--csv", str(table), "--top", "1"]) == 1
    said = capsys.readouterr()
    found = [json.loads(line) for line in said.out.splitlines()]
    rows = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))))
    names = [str(pictures / name) for name in ("a.png", "bad.png", "more/b.jpg")]
    assert [one["file"] for one in found] == [row["file"] for row in rows] == names
    assert found[1] == {"file": names[1], "predictions": [], "error": "no picture, or of an unknown format"}
    assert "error" not in found[0]
    assert [bool(row["class"]) for row in rows] == [True, False, True]
    assert said.err.endswith(f"wrote {table}\n")


def test_a_table_that_cannot_be_written_is_refused_before_anything_is_predicted(
    folder: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "missing" / "x.csv"
    assert main(["predict", str(folder), str(pictures), "--csv", str(place)]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert f"cannot write {place}" in said.err
    kept = tmp_path / "kept.csv"
    kept.write_text("mine")
    assert main(["predict", str(folder), str(pictures / "a.png"), "--csv", str(kept)]) == 0
    assert kept.read_text(encoding="utf-8").startswith("file,")


def test_names_are_as_they_are_in_json(
    folder: Path, pictures: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = (pictures / "a.png").rename(pictures / "Äpfel.png")
    assert main(["predict", str(folder), str(path), "--json"]) == 0
    line = capsys.readouterr().out
    assert "Äpfel.png" in line
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert "\\u00c4pfel" in _as_json({"file": "Äpfel.png"})


def test_python_says_what_is_wrong_with_one_picture_without_the_options_of_a_search(
    folder: Path, pictures: Path
) -> None:
    network = ExportedNetwork.load(folder)
    for picture, message in (
        ("nosuch.jpg", "there is no file nosuch.jpg; give the path of a picture"),
        (str(pictures / "bad.png"), f"{pictures / 'bad.png'} cannot be read as a picture (no picture, or of an"),
        (str(pictures), f"{pictures} is a folder; give its pictures one by one"),
        (b"hello", "5 bytes cannot be read as a picture (no picture, or of an unknown format); give another"),
    ):
        with pytest.raises(DataError) as caught:
            network.predict(picture)
        assert str(caught.value).startswith(message)
        assert "--" not in str(caught.value)


def test_a_table_and_json_say_the_same_and_hold_no_formula(
    folder: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "found.csv"
    assert main(["predict", str(folder), str(pictures / "a.png"), "--json", "--csv", str(table)]) == 0
    (answer,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (row,) = csv.DictReader(io.StringIO(table.read_text(encoding="utf-8")))
    assert list(row) == ["file", "class", "probability", "class 2", "probability 2", "class 3", "probability 3"]
    assert [one["class"] for one in answer["predictions"]] == [
        row[name].removeprefix("'") for name in ("class", "class 2", "class 3")
    ]
    assert float(row["probability"]) == answer["predictions"][0]["probability"]
    assert "'=1+1" in row.values()


def test_a_picture_on_standard_input(
    folder: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Input:
        buffer = io.BytesIO((pictures / "a.png").read_bytes())

    assert main(["predict", str(folder), str(pictures / "a.png")]) == 0
    expected = capsys.readouterr().out.partition(": ")[2]
    monkeypatch.setattr("sys.stdin", Input)
    assert main(["predict", str(folder), "-"]) == 0
    assert capsys.readouterr().out == f"-: {expected}"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{export}", "{pictures}", "--top", "0"], "--top 0 must be 1 or more"),
        (["{pictures}", "{pictures}/a.png"], "is no export: it holds no architecture.json"),
        (["{export}", "-", "-"], "more than once"),
        (["{export}", "{empty}"], "holds no picture"),
        (["{export}", "x.png", "--json", "--csv", "-"], "both write to standard output"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(
    folder: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"export": folder, "pictures": pictures, "empty": tmp_path / "empty"}
    assert main(["predict", *(word.format(**places) for word in words)]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_a_study_has_the_name_of_the_folder_of_its_pictures(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    study = Path("studies/photos")
    shutil.copytree(folder, study / "best")
    (study / "settings.json").write_text("{}")
    assert network_folder("photos", Path("studies")) == study / "best"
    assert _network_path(argparse.Namespace(path="photos", studies_dir=Path("studies"))) == study / "best"
    assert not _is_checkpoint(Path("photos"), Path("studies"))
    assert _is_checkpoint(Path("photos"), Path("elsewhere"))


def test_a_study_by_its_name_means_its_final_network_and_else_its_best(folder: Path, tmp_path: Path) -> None:
    study = tmp_path / "studies" / "mine"
    study.mkdir(parents=True)
    (study / "settings.json").write_text("{}")
    with pytest.raises(IgcnasError, match="holds no exported network; write one with: igcnas export mine"):
        network_folder("mine", study.parent)
    for name in ("best", "final"):
        (study / name).mkdir()
        (study / name / "architecture.json").write_bytes((folder / "architecture.json").read_bytes())
        assert network_folder("mine", study.parent) == study / name
