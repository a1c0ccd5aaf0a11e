"""The blocks, commands, links and names in README, docs and CONTRIBUTING, and how each is checked.

A fenced block of `sh` or `python` (`py`) is run. `<!-- not run: REASON -->` above it says that it cannot be; then its
commands are only parsed, by the parsers of the programs, and its imports looked up. A `console` block shows commands
behind `$ ` with what they print; these are parsed, too. `text` is not code.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import importlib.util
import io
import re
import runpy
import shlex
import subprocess
import sys
import tempfile
import tomllib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from igcnas.cli import main, parser
from igcnas.system.additions import GROUPS

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "support" / "addition"))  # what docs/extending.md shows imports it
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md")
SHELL, CODE, SHOWN = ("sh",), ("python", "py"), ("console",)
LANGUAGES = (*SHELL, *CODE, *SHOWN, "text", "json", "toml")
PROGRAMS = ("igcnas", "python", "make", "pip", "torchrun")
_NOT_RUN = re.compile(r"<!-- not run: (.+) -->")
_OUTPUT = re.compile(r"<!-- output: (.+) -->")


class PageError(AssertionError):
    """What a page says is not so."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block. line: of its first line. reason: why it is not run, if it is not."""

    page: str
    line: int
    language: str
    text: str
    reason: str = ""

    @property
    def place(self) -> str:
        """Where it stands, as an id of a test."""
        return f"{self.page}:{self.line}"


def name_of(page: Path) -> str:
    """A page as people name it."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: str, text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found: list[Block] = []
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        if not lines[number].startswith("```"):
            number += 1
            continue
        end = next((n for n in range(number + 1, len(lines)) if lines[n] == "```"), None)
        if end is None:
            raise PageError(f"{page}:{number + 1}: a block without an end")
        above = _NOT_RUN.fullmatch(lines[number - 1]) if number else None
        content = "\n".join(lines[number + 1 : end]) + "\n"
        reason = above[1] if above else ""
        found.append(Block(page=page, line=number + 1, language=lines[number][3:], text=content, reason=reason))
        number = end + 1
    return found


def every_block() -> list[Block]:
    """Those of all pages."""
    return [block for page in PAGES for block in blocks(name_of(page), page.read_text(encoding="utf-8"))]


def prose(text: str) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def spans(text: str) -> list[str]:
    """Code within the prose of a page; a line break in it is a space."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(text))]


def outputs(text: str) -> list[str]:
    """Commands whose output a page shows."""
    return _OUTPUT.findall(text)


# Commands


def typed(text: str) -> str:
    """The commands of a console, without what they print."""
    return "\n".join(re.findall(r"^\$ ((?:.*\\\n)*.*)$", text, re.MULTILINE))


def commands(block: Block, folder: Path) -> list[list[str]]:
    """The words of each command, as a shell in this folder makes them: loops, globs, quotes and all."""
    script = block.text if block.language in SHELL else typed(block.text)
    recorders = "\n".join(f'{name}() {{ printf "%s\\0" "$(($# + 1))" {name} "$@" >&3; }}' for name in PROGRAMS)
    with tempfile.TemporaryFile() as record:
        done = subprocess.run(
            ["bash", "-e", "-u", "-c", f"exec 3>&{record.fileno()}\n{recorders}\n{script}"],
            cwd=folder,
            pass_fds=(record.fileno(),),
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        if done.returncode:
            raise PageError(f"{block.place}: {done.stderr.strip()}")
        record.seek(0)
        words = iter(record.read().decode().split("\0")[:-1])
    return [[next(words) for _ in range(int(count))] for count in words]


def of_igcnas(words: list[str]) -> list[str] | None:
    """What follows `igcnas`, in whichever way it is called; None for another program."""
    if words[0] == "torchrun":
        words = words[words.index("-m") - 1 :]
    if words[0] == "igcnas":
        return words[1:]
    if words[1:3] == ["-m", "igcnas"]:
        return words[3:]
    return ["search", *words[2:]] if words[:2] == ["python", "run_search.py"] else None


def parse(words: list[str]) -> None:
    """Ask the program's own parser whether it takes this command; PageError if it does not."""
    own = of_igcnas(words)
    if own is not None:
        _parse_igcnas(own)
    elif words[:2] == ["python", "-m"]:
        _parse_module(words[2], words[3:])
    elif words[0] == "make":
        _parse_make(words[1:])
    elif words[:2] == ["pip", "install"]:
        _parse_install(words[2:])
    elif words[0] == "python" and Path(words[1]).name == "model.py":  # of an export: pictures
        if not words[2:]:
            raise PageError(f"{shlex.join(words)} names no picture")
    else:
        raise PageError(f"nothing is known of {shlex.join(words)}")


def _parse_igcnas(words: list[str]) -> None:
    if words[:1] == ["width-optimum"]:  # it reads its own options
        _parse_module("analysis.width_optimum", words[1:])
        return
    arguments = argparse.Namespace()
    with _refusing(words):
        arguments = parser().parse_args(words)
    family = getattr(arguments, "family", None) or getattr(arguments, "network", None)
    if words[0] == "train" and family and not family.endswith(".json"):  # whether the family takes these parameters
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
            if main(["count", family, *(word for word in words[2:] if re.match(r"\w+=", word))]):
                raise PageError(f"{shlex.join(words)}: {said.getvalue()}")


@contextlib.contextmanager
def _refusing(words: list[str]) -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            yield
        except SystemExit as end:
            if end.code:
                raise PageError(f"{shlex.join(words)}: {said.getvalue() or end.code}") from None


def _parse_module(name: str, words: list[str]) -> None:
    if name == "pytest":
        missing = [word for word in words if word.endswith(".py") and not (ROOT / word).is_file()]
        if missing:
            raise PageError(f"there is no {missing[0]}")
        return
    if "argparse" not in source_of(name):
        if words:
            raise PageError(f"{name} takes no words, but is given {shlex.join(words)}")
        return
    parse_args = argparse.ArgumentParser.parse_args

    def only(self: argparse.ArgumentParser, *given: Any, **named: Any) -> None:
        parse_args(self, *given, **named)
        raise SystemExit(0)

    with mock.patch.object(argparse.ArgumentParser, "parse_args", only), _refusing([name, *words]):
        run_module(name, words)
        raise PageError(f"{name} never asked its parser")


def source_of(name: str) -> str:
    """The text of a module, or of the program of a package."""
    try:
        found = importlib.util.find_spec(name)
        if found is not None and found.submodule_search_locations:
            found = importlib.util.find_spec(f"{name}.__main__")
    except ModuleNotFoundError:
        found = None
    if found is None or found.origin is None:
        raise PageError(f"there is no program {name}")
    return Path(found.origin).read_text(encoding="utf-8")


def run_module(name: str, words: list[str]) -> None:
    """`python -m name words` in this process."""
    with mock.patch.object(sys, "argv", [name, *words]), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the module may have been imported before
        runpy.run_module(name, run_name="__main__", alter_sys=True)


def _parse_make(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for word in words:
        name, variable, _ = word.partition("=")
        pattern = rf"^{re.escape(name)} *[?:]?=" if variable else rf"^{re.escape(name)}:"
        if not re.search(pattern, makefile, re.MULTILINE):
            raise PageError(f"the Makefile has no {name}")


def _parse_install(words: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    known = {re.split(r"[\W]", text.replace("-", "_"))[0] for row in extras.values() for text in row}
    for word in words:
        extra = re.fullmatch(r"\.(?:\[(\w+)\])?", word)
        there = extra is not None and (extra[1] is None or extra[1] in extras)
        if not (there or word.startswith("-") or (ROOT / word).is_file() or word.replace("-", "_") in known):
            raise PageError(f"pip would not find {word}")


# Python


def check_imports(block: Block) -> None:
    """The block compiles, and what it imports exists."""
    try:
        tree = ast.parse(block.text)
    except SyntaxError as error:
        raise PageError(f"{block.place}: {error}") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                resolve(name.name)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                resolve(f"{node.module}.{name.name}")


def resolve(dotted: str) -> Any:
    """What a dotted name means: a module, something in one, a group of entry points; PageError if nothing."""
    if dotted in GROUPS:
        return dotted
    names = dotted.split(".")
    for count in range(len(names), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(names[:count]))
        except ModuleNotFoundError:
            continue
        for name in names[count:]:
            if not hasattr(found, name):
                raise PageError(f"{dotted}: there is no {name} in {'.'.join(names[:count])}")
            found = getattr(found, name)
        return found
    raise PageError(f"there is no {dotted}")


# Links


def links(text: str) -> list[str]:
    """Targets of links and pictures in the prose of a page that lie in the repository, anchors included."""
    found = re.findall(r"\]\(([^)\s]+)\)", prose(text))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def check_link(page: Path, target: str) -> None:
    """The file is there, and so is its heading."""
    path, _, anchor = target.partition("#")
    there = (page.parent / path).resolve() if path else page
    if not there.exists():
        raise PageError(f"{name_of(page)}: there is no {target}")
    if anchor and anchor not in anchors(there.read_text(encoding="utf-8")):
        raise PageError(f"{name_of(page)}: {path or 'the page'} has no heading for #{anchor}")


def anchors(text: str) -> set[str]:
    """What a heading is called in links: lower case, no punctuation, dashes for spaces."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()).replace(" ", "-")
        found.add(plain if plain not in found else f"{plain}-1")
    return found
