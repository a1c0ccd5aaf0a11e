"""igcnas evaluate of the exported network of a study, and what its report then shows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.real_studies import unpack

from igcnas.cli import main
from igcnas.export.folder import export_network
from igcnas.modules.build import build
from igcnas.network.literature import family
from igcnas.network.plan import plan
from igcnas.results.evaluation.writing import read_kept
from igcnas.results.report.composing import composition
from igcnas.search.study import Study

pytestmark = pytest.mark.usefixtures("forked_workers")

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished search on the digits whose best/ holds a network that was never trained."""
    folder = unpack(tmp_path_factory.mktemp("studies"))
    settings = Study.read(folder).settings
    torch.manual_seed(0)
    architecture = family("resnet").build(depth=8, width=4, size=8, channels=1, classes=10)
    export_network(
        folder=folder / "best",
        architecture=architecture,
        state=build(plan(architecture)).state_dict(),
        mean=(0.3,),
        std=(0.4,),
        classes=settings.data.classes,
        test=None,
        facts={},
        data={
            "name": "digits",
            "fingerprint": settings.data.fingerprint,
            "validation": settings.training.validation_fraction,
            "seed": settings.training.seed,
        },
    )
    return folder


@pytest.fixture
def study(exported: Path) -> Path:
    """The same, before it was evaluated."""
    shutil.rmtree(exported / "evaluation", ignore_errors=True)
    return exported


def test_a_study_is_evaluated_by_its_name_on_its_validation_images_alone(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", study.name, "--studies-dir", str(study.parent)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"network   {study / 'best/model.onnx'} (onnx)\nvalidation top-1 ")
    assert "\ntest " not in said
    assert "fitted on these images, which flatters it" in said
    kept = read_kept(study / "evaluation/best", "validation")
    assert kept is not None
    assert kept.evaluation.images == Study.read(study).images
    assert read_kept(study / "evaluation/best", "test") is None


def test_the_temperature_of_validation_is_used_on_the_test_images_and_files_go_where_they_are_asked_for(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", str(study / "best"), "--split", "both", "--out", str(tmp_path), "--json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["data"] == "digits"
    for split in ("validation", "test"):
        (plain, warm) = found[split]["evaluation"]["calibration"]
        assert (plain["temperature"], warm["temperature"]) == (1.0, found["temperature"])
        assert found[split]["top1"] == 100 * found[split]["evaluation"]["tops"][0]["share"]["value"]
    assert (tmp_path / "test/confusion.png").is_file()
    assert all(Path(file).is_file() for file in found["files"])
    assert not (study / "evaluation").exists()


def test_a_network_away_from_its_study_knows_the_digits_but_no_path(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("model.onnx", "architecture.json"):
        (tmp_path / name).write_bytes((study / "best" / name).read_bytes())
    assert main(["evaluate", str(tmp_path)]) == 0
    assert not (tmp_path / "evaluation").exists()
    record = json.loads((tmp_path / "architecture.json").read_text())
    record["data"]["name"] = "photos"
    (tmp_path / "architecture.json").write_text(json.dumps(record))
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "where the data 'photos' of" in said
    assert f"name them: igcnas evaluate {tmp_path} --data imagefolder:FOLDER --image-size 8 " in said
    assert said.count("\n") == 1


def test_the_size_of_the_pictures_is_that_of_the_network(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("model.onnx", "architecture.json"):
        (tmp_path / name).write_bytes((study / "best" / name).read_bytes())
    generator = np.random.default_rng(0)
    for label in range(10):
        place = tmp_path / "photos" / str(label)
        place.mkdir(parents=True)
        for number in range(6):
            pixels = generator.integers(0, 256, (12, 15 + number), dtype=np.uint8)
            Image.fromarray(pixels).save(place / f"{number}.png")
    words = ["evaluate", str(tmp_path), "--data", f"imagefolder:{tmp_path / 'photos'}", "--split", "test", "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["test"]["images"] == 10


def test_the_report_shows_what_was_evaluated_and_says_where_the_network_is_another_by_now(study: Path) -> None:
    before = section(study)
    assert "Not looked at yet" in before.paragraphs[0]
    assert any("evaluate" in command for command in before.commands)
    assert main(["evaluate", str(study)]) == 0
    shown = section(study)
    accuracy = read_kept(study / "evaluation/best", "validation").evaluation.accuracy
    assert f"{100 * accuracy.right / accuracy.images:.2f} % right" in shown.paragraphs[0].replace("\u00a0", " ")
    names = [picture.name for picture in shown.pictures]
    assert names == [f"{kind}-best-validation" for kind in ("confusion", "reliability", "mistakes")]
    assert len(shown.tables[0].rows) == 10
    assert "that was there before" not in shown.paragraphs[0].replace("\u00a0", " ")
    network = study / "best/model.onnx"
    content = network.read_bytes()
    try:
        network.write_bytes(content + b"\0")
        assert "that was there before" in section(study).paragraphs[0].replace("\u00a0", " ")
    finally:
        network.write_bytes(content)


def section(study: Path):
    found = composition(Study.read(study), importance=False).report.sections
    return next(one for one in found if one.key == "answers")
