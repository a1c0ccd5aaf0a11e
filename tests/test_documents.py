"""README, docs and CONTRIBUTING: what they tell people to type works, and what they name exists."""

from __future__ import annotations

import contextlib
import csv
import functools
import gzip
import io
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from support.documents import (
    CODE,
    LANGUAGES,
    PAGES,
    PROGRAMS,
    ROOT,
    SHELL,
    SHOWN,
    Block,
    PageError,
    check_imports,
    check_link,
    commands,
    every_block,
    links,
    name_of,
    of_igcnas,
    outputs,
    parse,
    prose,
    resolve,
    run_module,
    spans,
)
from support.real_studies import NAMES, unpack

from igcnas.cli import main, parser

BLOCKS = every_block()
RUN = [block for block in BLOCKS if block.language in SHELL and not block.reason]
PARSED = [block for block in BLOCKS if block.language in SHOWN or (block.language in SHELL and block.reason)]
PYTHON = [block for block in BLOCKS if block.language in CODE]
LINKED = (*PAGES, *(ROOT / name for name in ("ARCHITECTURE.md", "CHANGELOG.md", "studies/README.md")))
LINKED = (*LINKED, ROOT / "benchmarks/README.md", *sorted((ROOT / "benchmarks/results").glob("*.md")))
SEEDS = ROOT / "docs" / "seeds.md"

# What makes a command cheap, which the pages do not show.
CHEAPER = {
    "search": "--networks 4 --epochs 1 --repeats 0 --no-baselines --workers 1 --no-export",
    "train": "--epochs 1",
    "explain": "--no-picture",
    "importance": "--evaluator mdi",
}
# A study that can answer, where four networks of one epoch cannot.
STUDY_FOR = {"importance": "random-4"}
# What follows the search of NAME, and what pages then need not run again.
CHAIN = ("status NAME", "report NAME", "export NAME")
# Options of other programs that the pages mention.
FOREIGN = {"--index-url", "--multiplier", "--network", "--primary-partition", "--secondary-partition", "--shm-size"}
FOREIGN |= {"--num-cpus", "--address", "--head", "--port", "--target", "--nproc-per-node", "--logdir", "--help"}


def there(words: list[str]) -> list[str]:
    """A command with what makes it cheap."""
    study = STUDY_FOR.get(words[0], "NAME")
    return [*(study if word == "NAME" else word for word in words), *shlex.split(CHEAPER.get(words[0], ""))]


def run(words: list[str]) -> str:
    """Run one command in this process; what it printed."""
    own = of_igcnas(words)
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as said:
        if own is not None:
            status = main(there(own))
        elif words[:2] == ["python", "-m"]:
            try:
                run_module(words[2], words[3:])
                status = 0
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else int(end.code is not None)
        else:
            raise PageError(f"{shlex.join(words)} cannot be run by a test; say why with <!-- not run: ... --> above it")
    if status:
        raise PageError(f"{shlex.join(words)} ended with {status}: {said.getvalue()}{out.getvalue()}")
    return out.getvalue()


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the study NAME, searched, reported and exported; the training runs/NAME; two longer studies."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "docs" / "figures").mkdir(parents=True)
    for name in NAMES:
        unpack(folder / "studies", name)
    with contextlib.chdir(folder):
        run(shlex.split("igcnas search --budget-mflops 0.05 --study NAME"))
        for command in CHAIN:
            assert run(["igcnas", *command.split()])
        run(shlex.split("igcnas train igc L=2 M=2 depth=5 --recipe short --out runs/NAME"))
    return folder


def test_the_study_of_the_pages_was_searched_reported_and_exported(work: Path) -> None:
    study = work / "studies" / "NAME"
    assert {path.name for path in study.iterdir()} >= {"pareto.png", "trials.csv", "report.html", "journal.log"}
    assert {path.name for path in (study / "best").iterdir()} >= {"model.onnx", "model.py", "card.md"}


# Blocks


def parse_all(block: Block, folder: Path) -> int:
    """How many commands a block has, all of which their programs take."""
    found = commands(block, folder)
    for words in found:
        parse(words)
    return len(found)


# Commands that ran in the folder of the pages: several pages name them.
TRIED = [["igcnas", *command.split()] for command in CHAIN]


@pytest.mark.parametrize("block", RUN, ids=[block.place for block in RUN])
def test_every_block_of_commands_runs_as_it_stands(block: Block, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work)
    found = commands(block, work)
    assert found
    for words in found:
        parse(words)
        if words not in TRIED:
            run(words)
            TRIED.append(words)


@pytest.mark.parametrize("block", PARSED, ids=[block.place for block in PARSED])
def test_every_block_that_is_not_run_has_commands_that_their_programs_take(block: Block, tmp_path: Path) -> None:
    assert parse_all(block, tmp_path)


@pytest.mark.parametrize("page", sorted({block.page for block in PYTHON}))
def test_every_block_of_python_runs_after_those_before_it(
    page: str, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work)
    monkeypatch.setattr(sys, "path", [*sys.path])
    names: dict[str, Any] = {}
    for block in (block for block in PYTHON if block.page == page):
        with contextlib.redirect_stdout(io.StringIO()):
            if not block.reason:
                exec(compile(block.text, block.place, "exec"), names)
        check_imports(block)
    sys.modules.pop("model", None)  # of an export


def test_every_block_says_in_which_language_it_is() -> None:
    assert {block.language for block in BLOCKS} <= set(LANGUAGES)
    for block in BLOCKS:
        if block.language == "json":
            json.loads(block.text)
        assert not (block.reason and block.language in ("text", *SHOWN)), f"{block.place}: such a block is never run"


def test_no_command_stands_where_it_would_not_be_tried() -> None:
    for page in PAGES:
        text = prose(page.read_text(encoding="utf-8"))
        loose = re.findall(rf"^ {{4,}}(?:\$ )?(?:{'|'.join(PROGRAMS)}) .*$", text, re.MULTILINE)
        assert not loose, f"{name_of(page)}: {loose[0].strip()} belongs into a fenced block"
    for block in BLOCKS:
        if block.language == "text":
            loose = re.findall(rf"^(?:\$ )?(?:{'|'.join(PROGRAMS)}) .*$", block.text, re.MULTILINE)
            assert not loose, f"{block.place}: {loose[0]} belongs into a block of commands"


# What stands in the prose


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_options_and_names_within_a_page_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    source = sources()
    for span in {*spans(text), *outputs(text)}:
        words = shlex.split(span) if span.startswith(("igcnas ", "python ", "make ")) else []
        own = of_igcnas(words) if words else None
        if own and all(word.startswith("--") for word in own[1:]):  # a command is mentioned, or options of it
            known = options_of(own[0])
            assert known is not None, f"{name_of(page)}: there is no {span}"
            assert {*own[1:]} <= known, f"{name_of(page)}: there is no {span}"
        elif words and own != [] and "..." not in span:
            parse(words)
        for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", span):
            taken = option in FOREIGN or f'"{option}"' in source or option in (options_of("search") or ())
            assert taken, f"{name_of(page)}: nothing takes {option}"
        if re.fullmatch(r"igcnas(\.\w+)+", span):
            resolve(span)
        if re.fullmatch(r"(igcnas|tests|benchmarks|analysis|search_spaces|tools|docs)/[\w./-]*", span):
            assert (ROOT / span).exists(), f"{name_of(page)}: there is no {span}"


def options_of(command: str) -> set[str] | None:
    """Those of a command of igcnas; None if there is no such command. `igcnas --version` has none."""
    if command == "--version":
        return set()
    known = {name: one for action in parser()._actions for name, one in dict(action.choices or {}).items()}
    return set(known[command]._option_string_actions) if command in known else None


@functools.cache
def sources() -> str:
    """The text of all programs, in which every option is written out."""
    folders = ("igcnas", "analysis", "benchmarks", "tools")
    return "\n".join(path.read_text(encoding="utf-8") for name in folders for path in (ROOT / name).rglob("*.py"))


def rows() -> list[str]:
    return [line for line in SEEDS.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]


# An export of NAME is tried above.
TABLED = sorted({found for row in rows() for found in re.findall(r"`igcnas ([^`]+)`", row)} - {"export NAME"})
# What a row says of the first command that it names.
STATED = {
    command: numbers
    for row in rows()
    for command, said in re.findall(r"`igcnas (count [^`]+)` \(([^)]*)\)", row)
    if not said.startswith("and ")
    if (numbers := re.findall(r"\d[\d,]{6,}", said))
}


def test_the_page_of_the_papers_repositories_names_commands_for_each() -> None:
    assert len(TABLED) > 50
    assert set(STATED) == {"count igc L=100 M=2 doubles=L dataset=imagenet"}


@pytest.mark.parametrize("command", TABLED)
def test_every_command_in_the_tables_of_seeds_runs_and_prints_what_the_row_states(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = run(["igcnas", *shlex.split(command)])
    assert out
    assert all(number in out for number in STATED.get(command, ()))


# Links


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    for target in links(page.read_text(encoding="utf-8")):
        check_link(page, target)


def test_every_page_is_in_the_index_and_the_index_in_the_readme() -> None:
    index = ROOT / "docs" / "README.md"
    listed = {target.partition("#")[0] for target in links(index.read_text(encoding="utf-8"))}
    assert {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"} <= listed
    assert "docs/README.md" in links((ROOT / "README.md").read_text(encoding="utf-8"))


def test_every_figure_is_shown_on_a_page() -> None:
    shown = {(page.parent / target).resolve() for page in PAGES for target in links(page.read_text(encoding="utf-8"))}
    pictures = {path for path in (ROOT / "docs" / "figures").iterdir() if path.suffix == ".png"}
    assert pictures <= shown


# The short names of networks


def shape(short: str) -> str:
    """A short name with its numbers left open: L24M2 and L1M3 are of one shape."""
    return re.sub(r"\d+(x#)*", "#", re.sub(r"\d+(\.\d+)?", "#", short).replace("#x#x#", "#x#"))


def test_the_page_of_names_explains_every_name_in_our_table_of_trained_networks() -> None:
    text = (ROOT / "docs" / "names.md").read_text(encoding="utf-8")
    explained = {shape(part) for span in spans(text) for part in re.split(r"[ ,/-]+", span)}
    with gzip.open(ROOT / "benchmarks" / "data" / "digits.csv.gz", "rt", encoding="utf-8") as file:
        labels = {row["label"] for row in csv.DictReader(file)}
    assert len(labels) > 900
    for label in labels:
        block = label.partition(", blocks")[0]
        family, _, rest = block.partition(" ")
        assert family in spans(text), label
        assert {shape(part) for part in re.split(r"[ /-]+", rest)} <= explained, label


# Would it be seen?


def block_of(text: str, language: str = "sh") -> Block:
    return Block(page="made.md", line=1, language=language, text=text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("igcnas search --budget 0.2 --gpus 4\n", "--gpus"),
        ("igcnas serch --budget-mflops 0.2\n", "serch"),
        ("igcnas train igcv3 groups=2\n", "groups"),
        ("python run_search.py --budget-mflops much\n", "budget-mflops"),
        ("python -m benchmarks.tabular --nothing\n", "--nothing"),
        ("python -m benchmarks.nothing\n", "benchmarks.nothing"),
        ("igcnas width-optimum --nothing 3\n", "--nothing"),
        ("make serch\n", "serch"),
        ('pip install -e ".[nothing]"\n', "nothing"),
        ("igcnass status\n", "igcnass"),
        ("python script.py\n", "script.py"),
    ],
)
def test_a_command_that_no_program_takes_is_found(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(PageError, match=re.escape(said)):
        parse_all(block_of(text), tmp_path)


def test_a_command_that_ends_with_an_error_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PageError, match="unknown"):
        run(shlex.split("igcnas count igcv9"))
    with pytest.raises(PageError, match="not run"):
        run(["make", "search"])


@pytest.mark.parametrize("text", ["import igcnas.nothing\n", "from igcnas.records import nothing\n", "x = = 1\n"])
def test_an_import_of_what_does_not_exist_is_found(text: str) -> None:
    with pytest.raises(PageError):
        check_imports(block_of(text, "python"))


def test_a_link_to_a_missing_file_or_heading_is_found() -> None:
    for target in ("docs/nothing.md", "docs/search.md#nothing", "#nothing"):
        with pytest.raises(PageError, match="nothing"):
            check_link(ROOT / "README.md", target)
    check_link(ROOT / "README.md", "docs/search.md#evidence")
