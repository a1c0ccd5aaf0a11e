"""Mutation testing: what is changed, which tests a change is tried on, and what the page says of it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.mutants import changes
from benchmarks.mutants.outcomes import Outcome, append, read
from benchmarks.mutants.page import MISSING, changed_since, page

SOURCE = '''
from typing import Any

TABLE: dict[str, Any] = {"a": 1}


def chosen(values: list[int], *, most: int = 3) -> int | None:
    """The first."""
    for value in sorted(values):
        if 0 < value <= most and value + 1 in values:
            return value
    raise ValueError("none of these" + str(values))
'''

TINY = """
LIMIT = 3

def twice(x):
    return x * 2

def unseen():
    return 5

def elsewhere():
    return 7

class Square:
    def area(self):
        return self.__class__.__name__ == "Square"
"""
TESTS = """
import subprocess, sys
from igcnas import tiny

def test_limit():
    assert tiny.LIMIT == 3

def test_twice():
    assert tiny.twice(3) == 6

def test_area():
    assert tiny.Square().area() is True

def test_elsewhere():
    code = "from igcnas import tiny; assert tiny.elsewhere() == 7"
    subprocess.run([sys.executable, "-c", code], check=True)
"""
RUN = """
import json, math, sys
from pathlib import Path
from benchmarks.mutants import changes, parts, reach, trying
parts.PARTS["tiny"] = (("igcnas/tiny.py",), ("tiny",))
copied = Path(sys.argv[1]).resolve()
every = changes.every_mutant("tiny", copied)
found = reach.reach("tiny", copied)
selected = {mutant: found.tests(mutant, longest=math.inf) for mutant in every}
def told(mutant, end):
    names = [name.partition("::")[2] for name in selected[mutant]]
    with (copied / "told").open("a") as file:
        print(json.dumps([mutant.before, mutant.after, mutant.function, end, names]), file=file)
trying.try_all("tiny", copied, every, selected, found, told)
"""


def test_every_change_makes_another_module_that_can_be_compiled() -> None:
    every = list(changes.mutants("part", "module.py", SOURCE))
    sources = [mutant.source for mutant in every]
    assert len(set(sources)) == len(sources) > 12
    assert ast.unparse(ast.parse(SOURCE)) + "\n" not in sources
    for mutant in every:
        mutant.code("module.py")
    assert ("value <= most", "value < most") not in {(mutant.before, mutant.after) for mutant in every}
    assert ("0 < value <= most", "0 < value < most") in {(mutant.before, mutant.after) for mutant in every}
    assert {mutant.function for mutant in every if mutant.before in ("1", "3")} == {"", "chosen"}


def test_what_is_raised_annotated_or_written_for_readers_is_not_changed() -> None:
    texts = {mutant.before for mutant in changes.mutants("part", "module.py", SOURCE)}
    assert not {text for text in texts if "none of these" in text and "raise" not in text}
    assert "'The first.'" not in texts
    assert {"'a'", "sorted(values)", "value + 1"} <= texts


@pytest.mark.skipif(sys.platform != "linux", reason="mutants are tried on Linux")
def test_a_change_is_tried_on_the_tests_that_reach_it_in_this_process_or_in_another(tmp_path: Path) -> None:
    (copied := tmp_path / "repository").mkdir()
    for name, text in {"igcnas/__init__.py": "", "igcnas/tiny.py": TINY, "tests/test_tiny.py": TESTS}.items():
        (copied / name).parent.mkdir(exist_ok=True)
        (copied / name).write_text(text)
    (copied / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    subprocess.run([sys.executable, "-c", RUN, str(copied)], check=True)
    found = [json.loads(line) for line in (copied / "told").read_text().splitlines()]
    assert {(before, after, end) for before, after, _, end, _ in found} >= {
        ("3", "4", "killed"),
        ("x * 2", "x / 2", "killed"),
        ("2", "1", "killed"),
        ("5", "6", "survived"),
        ("7", "8", "killed"),
        ("'Square'", "''", "killed"),
    }
    tests = {function: set(names) for _, _, function, _, names in found}
    assert tests["twice"] == {"test_twice", "test_elsewhere"}  # what another process runs cannot be told
    assert tests["unseen"] == {"test_elsewhere"}
    assert len(tests[""]) == 4
    assert (copied / "igcnas/tiny.py").read_text() == TINY


def _outcome(end: str, line: int, *, of: int = 3, digest: str = "") -> Outcome:
    return Outcome(
        part="racing",
        module="igcnas/statistics/racing.py",
        line=line,
        before="1",
        after="2",
        end=end,
        of=of,
        statement=f"x{line} = 1",
        digest=digest,
    )


def test_the_page_gives_an_interval_to_samples_alone_and_a_reason_to_each_survivor() -> None:
    whole = [_outcome("killed", 1), _outcome("timeout", 2), _outcome("survived", 3)]
    reasons = {"igcnas/statistics/racing.py": {"x3 = 1": {"1 -> 2": "a setting"}}}
    text = page({"before": [_outcome("survived", 9, of=4)], "now": whole}, reasons, patience=6)
    assert "| racing | 3 | 0 of 1, 0% (0% to 79%) | 2 of 3, 67% |" in text
    assert "## The 1 that live" in text
    assert "a setting" in text
    assert MISSING not in text
    assert MISSING in page({"now": whole}, {}, patience=6)
    assert "quick" not in text
    quick = page({"now": [_outcome("survived the quick tests", 1, of=1)]}, {}, patience=6)
    assert "at least 0 of 1" in quick


def test_of_two_outcomes_of_a_change_the_later_counts_and_code_that_changed_since_is_named(tmp_path: Path) -> None:
    for end in ("survived", "killed"):
        append(tmp_path / "out.jsonl", _outcome(end, 1, digest="0"))
    outcomes = read(tmp_path / "out.jsonl")
    assert [one.end for one in outcomes] == ["killed"]
    assert changed_since(outcomes, Path(changes.__file__).parents[2]) == ["igcnas/statistics/racing.py"]
    assert read(tmp_path / "none.jsonl") == []
