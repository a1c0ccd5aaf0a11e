"""`igcnas export --c`, and the exported network by its model.c."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import igcnas
from igcnas import runtime
from igcnas.cli import main
from igcnas.errors import IgcnasError
from igcnas.export.c import compiling

SMALL = ["igc", "L=2", "M=2", "depth=8", "size=8", "classes=3"]
FILES = {"model.c", "model.h", "test.c", "Makefile"}
pytestmark = pytest.mark.skipif(not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="there is no C compiler")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An export of a small network with its first weights."""
    target = tmp_path_factory.mktemp("export") / "measured"
    assert main(["export", "--family", *SMALL, "--out", str(target), "--c"]) == 0
    return target


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IGCNAS_CACHE", str(tmp_path / "cache"))


def test_the_c_files_stand_beside_the_others_and_agree_with_the_network(folder):
    assert {path.name for path in folder.iterdir()} > FILES | {"model.onnx", "model.py"}
    record = json.loads((folder / "architecture.json").read_text(encoding="utf-8"))
    assert record["parity"]["model.c"] < 1e-4
    assert set(record["also"].values()) == FILES


def test_an_export_with_c_is_replaced_like_any_other(folder):
    assert main(["export", "--family", *SMALL, "--out", str(folder), "--c"]) == 0


def test_the_header_says_sizes_classes_and_memory(folder):
    text = (folder / "model.h").read_text(encoding="utf-8")
    assert "#define MODEL_HEIGHT 8\n" in text
    assert "#define MODEL_CLASSES 3\n" in text
    assert "MODEL_ARENA_BYTES" in text


def test_the_compiled_network_answers_as_onnx_runtime_does(folder):
    images = np.random.default_rng(0).random((5, 3, 8, 8), np.float32)
    expected = igcnas.load(folder).logits(images)
    for found in (runtime.load(folder), igcnas.load(folder, runtime="c")):
        assert np.abs(found.logits(images) - expected).max() < 1e-5


def test_a_network_is_compiled_once(folder, monkeypatch):
    runtime.load(folder)
    monkeypatch.setattr(compiling, "_compile", lambda *_: pytest.fail("compiled again"))
    runtime.load(folder)


def test_without_a_cache_that_can_be_written_it_runs_all_the_same(folder, monkeypatch):
    monkeypatch.setattr(compiling, "caches", list)
    assert runtime.load(folder).logits(np.zeros((1, 3, 8, 8), np.uint8)).shape == (1, 3)


def test_a_machine_without_a_compiler_says_what_to_install(folder, monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(IgcnasError, match="install gcc or clang"):
        runtime.load(folder)


def test_a_compiler_that_is_named_and_missing_is_named_in_the_message(folder, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler -m32")
    with pytest.raises(IgcnasError, match="CC names 'no-such-compiler'"):
        runtime.load(folder)


def test_a_file_that_does_not_compile_is_one_line(folder, tmp_path):
    for name in ("architecture.json", "model.h"):
        shutil.copy(folder / name, tmp_path / name)
    (tmp_path / "model.c").write_text("this is no C", encoding="utf-8")
    with pytest.raises(IgcnasError, match=r"cannot compile .*model\.c \(.*\); name another compiler") as caught:
        runtime.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_an_export_without_model_c_says_how_to_get_it(folder, tmp_path):
    shutil.copy(folder / "architecture.json", tmp_path)
    with pytest.raises(IgcnasError, match=r"holds no model\.c and model\.h; export the network again with --c"):
        runtime.load(tmp_path)


def test_predict_runs_it(folder, tmp_path, capsys):
    from PIL import Image

    picture = tmp_path / "one.png"
    Image.new("RGB", (8, 8), (200, 30, 90)).save(picture)
    answers = []
    for name in ("onnx", "c"):
        assert main(["predict", str(folder), str(picture), "--runtime", name]) == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing is named"),
        (["--family", "igc"], "name one with --out DIR"),
        (["--family", "igv", "--out", "x"], "igv"),
        (["some", "--family", "igc", "--out", "x"], "stands in place of 'some'"),
        (["--family", "igc", "--out", "x", "--temperature"], "for trained networks"),
    ],
)
def test_what_does_not_fit_is_one_line(words, said, capsys):
    assert main(["export", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
