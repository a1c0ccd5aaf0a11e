"""Everything that the steps print and leave, as one table of facts."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.unchanged.files import Facts, file_facts, json_facts, text_facts
from benchmarks.unchanged.steps import Step, run, steps, unpack_earlier


def measure(*, root: Path, python: Path, networks: int, again: Path | None, keep: Path | None) -> Facts:
    """Run every step in a temporary folder and read what it printed and what is there at the end.

    Args:
        root: the tree whose igcnas is measured.
        python: the interpreter that runs it.
        networks: of the first search.
        again: a folder kept by an earlier measurement; the steps go on in a copy of it.
        keep: where the folder is copied to at the end.
    """
    facts: Facts = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "work"
        if again is None:
            folder.mkdir()
        else:
            shutil.copytree(again, folder)
        unpack_earlier(folder)
        for step in steps(networks=networks):
            facts |= step_facts(step, root=root, python=python, folder=folder)
        facts |= folder_facts(folder)
        if keep is not None:
            shutil.copytree(folder, keep)
    return facts


def step_facts(step: Step, *, root: Path, python: Path, folder: Path) -> Facts:
    """Exit status and output of one step; its time and its errors go to stderr."""
    began = time.monotonic()
    result = run(step, root=root, python=python, folder=folder)
    print(f"{time.monotonic() - began:6.1f} s  {step.arguments}", file=sys.stderr, flush=True)
    if result.returncode != 0:
        print(result.stderr, file=sys.stderr)
    reading = json_facts if step.json and result.returncode == 0 else text_facts
    found = {"exit status": str(result.returncode)} | reading(result.stdout.replace(str(folder), "."))
    return {_key(f"$ {step.arguments}", name): value for name, value in found.items()}


def folder_facts(folder: Path) -> Facts:
    """What all files of a folder hold."""
    return {
        _key(path.relative_to(folder).as_posix(), name): value
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for name, value in file_facts(path).items()
    }


def _key(where: str, name: str) -> str:
    return f"{where}: {name}".removesuffix(": ")
