"""How things are said: counts with their noun, names that nearly exist, numbers that are shown."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from igcnas.cli import main
from igcnas.cli.search_plan import _again
from igcnas.network.architecture import Architecture
from igcnas.network.blocks import DenseLayer
from igcnas.network.grouping import Condensing, Group
from igcnas.network.literature import FAMILIES
from igcnas.training.recipes import RECIPES
from igcnas.training.runs.settings import RunDataSettings, RunSettings
from igcnas.units import counted

SOURCES = sorted((Path(__file__).parents[1] / "igcnas").rglob("*.py"))
# What is told of a user's study by number; 'points' and 'images of' a size are no counts.
NOUNS = "epochs|seeds|repeats|trainings|searches|structures"


def test_one_is_one_and_others_are_several():
    assert [counted(n, "epoch") for n in (0, 1, 2, 1200)] == ["0 epochs", "1 epoch", "2 epochs", "1,200 epochs"]
    assert counted(1, "class", "classes") == "1 class"
    assert counted(2, "class", "classes") == "2 classes"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_text_joins_a_number_and_a_plural_by_itself(path):
    """An f-string in which a bare number stands before a plural says '1 epochs' one day."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.JoinedStr):
            continue
        for before, after in zip(node.values, node.values[1:], strict=False):
            if isinstance(before, ast.FormattedValue) and isinstance(after, ast.Constant):
                found = re.match(rf" ({NOUNS})\b", str(after.value))
                assert not found, f"line {node.lineno}: {ast.unparse(before)}{found and found[0]}"


def test_repeats_that_may_not_be_are_not_counted():
    assert _again(0) == "none of the best is repeated"
    assert _again(1) == "at most 1 repeat of the best"
    assert _again(9) == "at most 9 repeats of the best"


def test_a_condensing_layer_with_other_groups_has_a_comma_between_its_letters():
    block = DenseLayer(reduce=Condensing(groups=8, factor=4), spatial=Group(groups=4))
    assert block.title(8) == "CondenseNet layer, growth 8, C = 4, G = 8"
    same = DenseLayer(reduce=Condensing(groups=4, factor=4), spatial=Group(groups=4))
    assert same.title(8) == "CondenseNet layer, growth 8, C = 4"


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The error of a command line, one line, status 2."""
    try:
        status = main(list(words))
    except SystemExit as end:
        status = end.code
    text = capsys.readouterr().err
    assert status == 2
    assert text.count("\n") == 1
    return text


def test_unknown_commands_and_values_have_the_nearest_name(capsys):
    assert "unknown command 'serch'; did you mean 'search'? known: audit, " in said(capsys, "serch")
    assert "unknown value of --split 'tset'; did you mean 'test'?" in said(capsys, "evaluate", "x", "--split", "tset")


def test_a_budget_of_less_than_one_operation_is_said_as_it_was_given(capsys):
    assert "--budget-mflops 1e-09 must be at least 1e-06" in said(capsys, "search", "--budget-mflops", "1e-9")


def test_a_training_and_a_retraining_are_not_called_studies_of_another_version(tmp_path, capsys):
    architecture: Architecture = FAMILIES["resnet"].from_text(["depth=20"])
    data = RunDataSettings(
        spec="digits", data_dir=None, image_size=None, name="digits", fingerprint="f", classes=("0",), streamed=False,
        validation=0.2, seed=0,
    )  # fmt: skip
    settings = RunSettings(architecture=architecture, recipe=next(iter(RECIPES.values())), data=data, seed=0)
    (tmp_path / "settings.json").write_text(json.dumps(settings.to_dict()))
    text = said(capsys, "export", str(tmp_path))
    assert "is one training by igcnas train, not a study" in text
    assert "another version" not in text
    (tmp_path / "settings.json").write_text(json.dumps({"format": 99, "finalists": []}))
    assert "is a retraining, not a study" in said(capsys, "status", str(tmp_path))
