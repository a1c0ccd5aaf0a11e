"""examples/quickstart.ipynb runs as it stands, in a kernel of its own, and shows what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import igcnas

pytestmark = pytest.mark.timeout(900)  # the fixture runs all of it
NOTEBOOK = Path(__file__).parents[1] / "examples" / "quickstart.ipynb"


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    place = tmp_path_factory.mktemp("notebook")
    NotebookClient(notebook, timeout=250, resources={"metadata": {"path": str(place)}}).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cell: Any, kind: str) -> str:
    """What a cell displays in this form, all of it."""
    found = [output.get("data", {}).get(kind, "") for output in cell.outputs]
    return "".join("".join(one) for one in found)


def test_the_search_shows_one_display_that_changes_and_no_lines(cells):
    assert "4 of 4 networks" in shown(cells[0], "text/html")
    assert not [output for output in cells[0].outputs if output.output_type == "stream" and output.name == "stdout"]


def test_a_study_shows_its_verdict_its_front_and_a_block(cells):
    page = shown(cells[1], "text/html")
    assert "% validation accuracy" in page
    assert "data:image/png;base64," in page
    assert "<svg" in page


def test_tables_and_pictures_are_shown(cells):
    assert "on_front" in shown(cells[2], "text/html")
    assert shown(cells[3], "image/svg+xml").startswith("<svg")


def test_the_finished_network_answers_images(cells):
    said = "".join(output.get("text", "") for output in cells[5].outputs)
    assert said.count("a ") >= 5
    assert "%" in said


def test_a_callback_speaks_where_the_search_is_silent(cells):
    said = "".join(output.get("text", "") for output in cells[6].outputs)
    assert sorted(line.split(":")[0] for line in said.splitlines()) == ["trial 0", "trial 1"]  # whichever ends first


def test_the_notebook_uses_public_names_alone():
    code = "\n".join(cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code")
    assert "import igcnas" in code
    assert not re.findall(r"(?:from|import) igcnas\.\S+", code)
    assert set(re.findall(r"\bigcnas\.(\w+)", code)) <= set(igcnas.__all__)


def test_the_notebook_is_kept_without_what_it_showed():
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
