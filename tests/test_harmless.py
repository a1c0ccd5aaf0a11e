"""Names that somebody else chose, in every medium that shows them."""

from __future__ import annotations

import ast
import contextlib
import csv
import html
import io
import sys
from xml.etree import ElementTree

import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igcnas.cli import main
from igcnas.data.preparation import preparation_of
from igcnas.drawing.figures import new_figure, save
from igcnas.export.card import Contract, card_text
from igcnas.export.source import model_source
from igcnas.modules.folding import Remaining
from igcnas.network.cost import Cost
from igcnas.network.literature import FAMILIES
from igcnas.network.plan import plan
from igcnas.results.table import Column, Table
from igcnas.system import harmless

HOSTILE = "\x1b]0;owned\x07\x9b31m\u202egpj.exe\u2066\u200b\ud800\n<b>x</b> [a](http://e.org) |"
UNSEEN = "\x1b\x07\x9b\u202e\u2066\u200b\ud800\n"


def test_a_terminal_gets_one_line_without_anything_that_it_would_obey():
    shown = harmless.line(HOSTILE)
    assert not set(UNSEEN) & set(shown)
    assert "\\x1b]0;owned\\x07\\x9b31m\\u202egpj.exe" in shown  # shown, not dropped
    assert harmless.line("Größe 日本 é 😀 a_b") == "Größe 日本 é 😀 a_b"


@given(st.text())
def test_no_text_brings_a_control_a_direction_or_half_a_character_through(text):
    shown = harmless.line(text)
    shown.encode("utf-8")
    assert not any(ord(sign) < 32 or 127 <= ord(sign) < 160 or 0x202A <= ord(sign) <= 0x202E for sign in shown)
    assert harmless.line(shown) == shown


def test_markdown_gets_no_html_no_link_no_code_and_no_end_of_a_cell():
    shown = harmless.markdown(HOSTILE + " `x` www.e.org <script>alert(1)</script> a@b.org ![i](x)")
    assert not {"<", ">", "\n", "\x1b", "\u202e"} & set(shown)
    assert "](" not in shown.replace("\\]", "")
    assert "http:" not in shown
    assert "www." not in shown
    assert all(shown[place - 1] == "\\" for place, sign in enumerate(shown) if sign in "|`[]")


@pytest.mark.parametrize("text", ["see http://e.org", "www.e.org", "a@b.org", "MAILTO:a@b.org", "a < b & c > d"])
def test_what_could_be_a_link_or_html_reads_as_it_was_written(text):
    shown = harmless.markdown(text)
    assert shown != text
    assert html.unescape(shown) == text


def test_words_between_backticks_end_neither_the_code_nor_the_cell():
    assert harmless.code("a|b `c`") == "`a\\|b 'c'`"


def test_names_of_classes_are_harmless_in_the_card_and_in_the_program_beside_it():
    classes = (HOSTILE, '"""', "'); import os; os.abort()  #\n", "\\", "{}")
    shape = (1, 8, 8)
    contract = Contract(
        title="t",
        label="l",
        id="i",
        input_shape=shape,
        classes=classes,
        mean=(0.5,),
        std=(0.5,),
        preparation=preparation_of(shape, {}),
    )
    text = card_text(
        contract,
        expected=Cost(1, 1),
        measured=Cost(1, 1),
        accuracies={},
        num_tested=0,
        facts={"data": HOSTILE},
        parity={"onnx": 0.0},
        left=Remaining({}, {}),
    )
    assert "<b>" not in text
    assert "](http:" not in text
    assert not {"\x1b", "\u202e", "\x9b", "\ud800"} & set(text)
    network = plan(FAMILIES["resnet"].from_text(["depth=8", "width=4"]))
    source = model_source(network, title=HOSTILE + '"""', classes=classes, macs=1, params=1)
    assert source.isascii()
    assigned = [node for node in ast.parse(source).body if isinstance(node, ast.Assign)]
    found = {ast.unparse(node.targets[0]): node.value for node in assigned}
    assert ast.literal_eval(found["CLASSES"]) == classes


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "'\\t=1"),
        ("\r=1", "'\\r=1"),
        (" =1", "' =1"),
        ("\uff1d1", "'\uff1d1"),
        ("-0.25", "-0.25"),
        ("+3", "+3"),
        ("1e-3", "1e-3"),
        (-0.25, -0.25),
        (None, None),
        ("resnet t6 G2-G2", "resnet t6 G2-G2"),
    ],
)
def test_a_spreadsheet_gets_no_formula_and_numbers_stay_numbers(value, shown):
    assert harmless.cell(value) == shown


def test_a_table_of_pandas_keeps_its_numbers(tmp_path):
    frame = pandas.DataFrame({"=name": ["=1", "a"], "macs": [-1, 2], "accuracy": [float("nan"), 2.5]})
    text = harmless.cells(frame).to_csv(index=False)
    assert list(csv.reader(io.StringIO(text))) == [["'=name", "macs", "accuracy"], ["'=1", "-1", ""], ["a", "2", "2.5"]]


@pytest.mark.parametrize("name", ["price in $ and $", "$\\frac$", "a\x1bb", "\ud800", "x\\_y^z", "日本"])
def test_a_figure_shows_any_name_as_it_is(tmp_path, name):
    figure = new_figure(3, 2)
    axes = figure.subplots()
    axes.plot([0, 1], label=name)
    axes.set_title(name)
    axes.legend()
    _, vector = save(figure, tmp_path / "f.png")
    texts = [element.text for element in ElementTree.parse(vector).iter() if element.tag.endswith("text")]
    assert texts.count(harmless.line(name)) == 2


def test_tables_as_text_and_as_markdown_are_harmless():
    assert "\x1b" not in Table(columns=(Column.words("name"),), rows=(("\x1b[2J",),)).text()
    table = Table(columns=(Column.words("name"), Column.numbers("n")), rows=(("a|<i>", 1),))
    assert table.markdown().splitlines()[-1] == "| a\\|&lt;i&gt; | 1 |"


@pytest.mark.parametrize("words", [["status", HOSTILE], ["count", HOSTILE], ["explain", HOSTILE], ["draw", HOSTILE]])
def test_the_command_line_repeats_no_control_sequence(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = io.StringIO()
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(told):
        assert main([word.replace("\n", "\r") for word in words]) == 2
    assert not set(UNSEEN) - {"\n"} & set(told.getvalue())
    assert told.getvalue().count("\n") == 1


def test_an_option_that_no_command_has_is_repeated_harmless(capsys):
    with contextlib.suppress(SystemExit):  # argparse takes a word with blanks for no option
        assert main(["count", "resnet", "--" + HOSTILE]) == 2
    told = capsys.readouterr().err
    assert not set(UNSEEN) - {"\n"} & set(told)
    assert told.count("\n") == 1


def test_what_a_command_prints_is_harmless_and_the_streams_are_given_back():
    told, before = io.StringIO(), (sys.stdout, sys.stderr)
    with contextlib.redirect_stdout(told), harmless.harmless_output():
        sys.stdout.write("class \x1b[31mred\u202e \tok\n")
        sys.stdout.writelines(["\x9b", "\n"])
        assert harmless.plain_output(sys.stdout) is told
        assert not sys.stdout.isatty()
    assert told.getvalue() == "class \\x1b[31mred\\u202e \tok\n\\x9b\n"
    assert (sys.stdout, sys.stderr) == before


def test_a_page_to_be_shared_loses_the_folders_of_the_machine(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    shown = harmless.without_folders
    assert (
        shown("/opt/venv/bin/igcnas search --data imagefolder:/data/x/photos")
        == "igcnas search --data imagefolder:photos"
    )
    assert shown("igcnas report /home/ann/studies/mine --out='/tmp/a b/x.html'").startswith(
        "igcnas report mine --out='"
    )
    assert shown("--data-dir ~/data/cifar --studies-dir /home/ann") == "--data-dir cifar --studies-dir ~"
    assert shown("--data-dir /home/ann/photos") == "--data-dir photos"  # not ~/photos: where it lies is not said
    assert shown("--studies-dir /home/ann/ --out='/home/ann'") == "--studies-dir ~/ --out='~'"
    assert [shown(f"/home/{name}") for name in ("annabel", "ann.old", "ann-2", "ann_x")] == [
        "annabel",
        "ann.old",
        "ann-2",
        "ann_x",
    ]
    assert shown("C:\\Users\\ann\\photos") == "photos"
    assert shown("--study a/b --space search_spaces/mine.py 1/2") == "--study a/b --space search_spaces/mine.py 1/2"
