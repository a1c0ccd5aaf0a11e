"""Figures do not depend on what a user has told matplotlib."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest
from support import real_studies

from igcnas.drawing.style import own_style
from igcnas.system.folders import settle_libraries

ROOT = Path(__file__).resolve().parents[1]
OF_A_USER = "text.usetex: True\nfont.size: 30\naxes.facecolor: red\nsvg.fonttype: path\nsavefig.dpi: 20\n"


def drawn(folder: Path, *, settings: str) -> bytes:
    """The front, as SVG, drawn by the command in a folder where such a matplotlibrc lies."""
    folder.mkdir()
    (folder / "matplotlibrc").write_text(settings, encoding="utf-8")
    study = real_studies.unpack(folder)
    words = [sys.executable, "-m", "igcnas", "plot", str(study)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "nonsense"}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return (study / "pareto.svg").read_bytes()


def test_settings_of_the_users_own_change_no_figure(tmp_path: Path) -> None:
    # LaTeX is asked for, which most machines do not have
    assert drawn(tmp_path / "theirs", settings=OF_A_USER) == drawn(tmp_path / "ours", settings="")


def test_the_settings_of_a_program_around_it_come_back() -> None:
    with matplotlib.rc_context({"font.size": 31.0, "text.usetex": True}):
        with own_style({"svg.hashsalt": "x"}):
            assert matplotlib.rcParams["font.size"] == 10.0
            assert matplotlib.rcParams["svg.hashsalt"] == "x"
            assert not matplotlib.rcParams["text.usetex"]
        assert matplotlib.rcParams["font.size"] == 31.0


def test_whatever_makes_a_figure_makes_it_in_this_style() -> None:
    texts = {
        path: path.read_text(encoding="utf-8")
        for part in ("igcnas", "analysis")
        for path in ROOT.glob(f"{part}/**/*.py")
    }
    makers = [
        (path.relative_to(ROOT).as_posix(), node)
        for path, text in texts.items()
        if "igure(" in text
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and node.name != "new_figure" and _makes_a_figure(node)
    ]
    assert len(makers) > 12
    assert [f"{path}: {node.name}" for path, node in makers if not any(map(_is_style, node.decorator_list))] == []


def _is_style(decorator: ast.expr) -> bool:
    return ast.unparse(decorator).startswith("own_style(")


def _makes_a_figure(node: ast.FunctionDef) -> bool:
    called = {ast.unparse(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)}
    return bool(called & {"Figure", "Page", "new_figure", "plt.figure", "plt.subplots"})


def test_a_backend_that_nobody_has_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "nonsense")
    settle_libraries()
    assert os.environ["MPLBACKEND"] == "agg"
    monkeypatch.delenv("MPLBACKEND")
    settle_libraries()
    assert "MPLBACKEND" not in os.environ


def test_kernels_are_compiled_though_numba_was_told_not_to(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    monkeypatch.delenv("IGCNAS_SAID", raising=False)
    monkeypatch.setenv("IGCNAS_SAID", "")
    settle_libraries()
    assert "NUMBA_DISABLE_JIT" not in os.environ
    assert capsys.readouterr().err == (
        "note: NUMBA_DISABLE_JIT is not heeded: kernels that are not compiled would take hours\n"
    )
