"""What a wheel and a source archive hold, and that a wheel works where folders of the user's bear our names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from igcnas.cli import main

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("igcnas", "search_spaces", "analysis", "tests", "docs", "benchmarks", "tools", ".ci")
FILES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "constraints.txt", "Makefile")
BUILD = "import setuptools.build_meta as b, sys; out = sys.argv[1]; b.build_wheel(out); b.build_sdist(out)"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and a source archive of this source."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("out")
    for name in PARTS:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.png"))
    for name in (*FILES, "run_search.py", "CHANGELOG.md", "ARCHITECTURE.md", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, source / name)
    subprocess.run([sys.executable, "-c", BUILD, str(out)], cwd=source, check=True, capture_output=True, timeout=250)
    return out


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel puts into site-packages."""
    place = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        wheel.extractall(place)
    return place


def outside(folder: Path, installed: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the installed program in a folder whose own packages bear the names of ours."""
    for name in ("search_spaces", "analysis"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "__init__.py").write_text("raise SystemExit('a folder of the user was imported')\n")
        (folder / name / "mine.py").touch()
    environment: Mapping[str, str] = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-m", "igcnas", *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=250, check=False
    )


def test_a_wheel_has_igcnas_alone_at_top_level_with_spaces_and_analyses_inside(installed: Path) -> None:
    assert sorted(p.name for p in installed.iterdir()) == ["igcnas", "igcnas-0.1.0.dist-info"]
    inside = installed / "igcnas"
    spaces = {p.name for p in (ROOT / "search_spaces").glob("*.py")}
    assert {p.name for p in (inside / "search_spaces").glob("*.py")} == spaces
    here = {p.relative_to(ROOT) for name in ("igcnas", "analysis/width") for p in (ROOT / name).rglob("*.py")}
    there = {p.relative_to(installed) for p in inside.rglob("*.py")}
    assert {p for p in here if p.parts[0] == "igcnas"} <= there
    assert {Path("igcnas") / p for p in here if p.parts[0] == "analysis"} <= there
    for page in ("networks_page", "spaces_page"):  # they write pages of the repository
        assert not (inside / "analysis" / f"{page}.py").exists()
    assert {path.suffix for path in (inside / "results" / "report" / "page").iterdir()} >= {".html", ".css", ".js"}
    assert (inside / "py.typed").is_file()


def test_the_readme_of_an_index_has_no_link_into_the_repository(installed: Path) -> None:
    text = (installed / "igcnas-0.1.0.dist-info" / "METADATA").read_text(encoding="utf-8")
    assert "# igcnas" in text
    assert "![" not in text
    assert "](docs/" not in text


def test_a_source_archive_holds_what_its_tests_need(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"run_search.py", "constraints.txt", "Makefile", "tests/conftest.py", "tests/data/literature.csv"}
    needed |= {"docs/networks.md", "analysis/networks_page.py", "benchmarks/data/digits.csv.gz", "search_spaces/all.py"}
    assert needed <= held
    assert {f"tests/{p.name}" for p in (ROOT / "tests").glob("*.py")} <= held


def test_no_folder_of_a_user_stands_in_for_a_search_space(installed: Path, tmp_path: Path) -> None:
    done = outside(tmp_path, installed, "search", "--budget-mflops", "0.000001", "--space", "igcv3")
    assert done.returncode == 2
    assert "budget" in done.stderr
    done = outside(tmp_path, installed, "search", "--budget-mflops", "1", "--space", "mine")
    assert "unknown search space 'mine'" in done.stderr
    assert "igcv3" in done.stderr


def test_the_width_optimum_of_a_wheel_is_a_command(installed: Path, tmp_path: Path) -> None:
    done = outside(tmp_path, installed, "width-optimum", "--params", "200", "--kernel-area", "9", "--out", "out")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "width_optimum.csv").is_file()
    done = outside(tmp_path, installed, "width-optimum", "--train", "--seeds", "1")
    assert (done.returncode, done.stderr) == (2, "error: --seeds 1 must be 2 or more; 40 is usual, 9 resolve little\n")


def test_in_the_repository_the_command_is_the_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--params", "200", "--kernel-area", "9", "--out", str(tmp_path)]
    assert main(["width-optimum", *words]) == 0
    ours = capsys.readouterr().out
    script = [sys.executable, "-m", "analysis.width_optimum", *words]
    assert subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120).stdout == ours


def test_without_ptflops_a_check_says_how_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ptflops", None)
    assert main(["count", "resnet", "depth=20", "--check"]) == 2
    assert capsys.readouterr().err == 'error: igcnas count --check needs ptflops: pip install "igcnas[check]"\n'


def test_without_tensorboardx_a_training_says_so_once_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    words = ["train", "igc", "L=2", "M=2", "depth=8", "--recipe", "short", "--epochs", "1", "--engine", "eager"]
    assert main([*words, "--out", str(tmp_path / "run")]) == 0
    out = capsys.readouterr().out
    assert out.count('the curve for TensorBoard needs tensorboardX: pip install "igcnas[tensorboard]"') == 1
    assert (tmp_path / "run" / "log.csv").is_file()
    assert not list((tmp_path / "run").glob("events.out.*"))
