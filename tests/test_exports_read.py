"""What exports measured on the test split is told with the study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from igcnas.cli.standing import export_lines
from igcnas.network.literature import family
from igcnas.results.report.sections.summary import export_sentence
from igcnas.search.records import exports_of
from igcnas.statistics.noise import standard_error

NETWORK = family("igc").build(L=2, M=2, depth=5)


def export(folder: Path, place: str, **values: Any) -> None:
    data = {"id": "x", "architecture": NETWORK.to_dict(), "test_images": 400}
    data |= {"test_accuracy": {"lowered": 90.0, "onnx": 89.9}}
    data |= {"facts": {"network": "number 5 of 30 trained"}} | values
    (folder / place).mkdir(parents=True)
    (folder / place / "architecture.json").write_text(json.dumps(data))


def test_the_best_network_comes_first_and_each_has_its_accuracy_and_error(tmp_path):
    export(
        tmp_path, "trials/00003/export", facts={"network": "number 3 of 30 trained"}, test_accuracy={"lowered": 80.0}
    )
    export(tmp_path, "best")
    best, other = exports_of(tmp_path)
    assert (best.folder, best.number, best.accuracy, best.images) == ("best", 5, 90.0, 400)
    assert best.error == pytest.approx(1.5) == pytest.approx(standard_error(90.0, 400))
    assert (other.folder, other.number, other.accuracy) == ("trials/00003/export", 3, 80.0)
    assert export_lines((best,)) == [
        "test      90.00 % +- 1.50 (one standard error, 400 images): network 5, as exported in best/"
    ]
    assert export_sentence((best,)) == (
        "On the test split, which chose nothing here: network 5, exported in best/, 90.00 % +- 1.50 (one standard "
        "error, 400 images)."
    )
    assert export_sentence(()) == ""


def test_an_export_from_before_has_no_error_because_it_did_not_keep_its_images(tmp_path):
    export(tmp_path, "best", test_images=None)
    (one,) = exports_of(tmp_path)
    assert (one.images, one.error) == (None, None)
    assert export_lines((one,)) == ["test      90.00 %: network 5, as exported in best/"]


@pytest.mark.parametrize(
    "values",
    [
        {"test_accuracy": {}},
        {"test_accuracy": {"lowered": 101.0}},
        {"test_accuracy": "high"},
        {"facts": {}},
        {"facts": {"network": "mine"}},
        {"facts": 3},
    ],
)
def test_an_export_that_was_not_tested_or_is_damaged_is_passed_over(tmp_path, values):
    export(tmp_path, "best", **values)
    assert exports_of(tmp_path) == ()
    (tmp_path / "best" / "architecture.json").write_text("{")
    assert exports_of(tmp_path) == ()
    assert exports_of(tmp_path / "nowhere") == ()
