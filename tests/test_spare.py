"""Processes that are started before it is known what they will train; and what a search imports until it trains."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.workers import network, setup

from igcnas.search.evaluation import ProcessEvaluator, Slot, Spares

SLOT = Slot(device="cpu", threads=1)


@pytest.fixture(scope="module")
def started() -> Iterator[tuple[Spares, list[int]]]:
    with Spares([SLOT, SLOT]) as spares:
        yield spares, [child.process.pid for _, child in spares._left]


def test_a_search_goes_on_with_the_processes_that_wait(started: tuple[Spares, list[int]], tmp_path: Path) -> None:
    spares, pids = started
    with ProcessEvaluator(setup(1), slots=[SLOT, SLOT]) as evaluator:
        evaluator.start(spares)
        assert list(evaluator.pids) == pids
        assert evaluator(network(), tmp_path / "0", lambda _report: None).results is not None
    assert spares.take(SLOT) is None


def test_those_that_nobody_takes_are_ended() -> None:
    with Spares([SLOT, Slot(device="cuda:0", threads=1)]) as spares:
        assert spares.take(Slot(device="cpu", threads=None)) is None  # its libraries have other threads
        (process,) = (child.process for _, child in spares._left)
        assert process.poll() is None
    assert process.poll() is not None


def test_the_controller_of_a_search_imports_no_torch() -> None:
    modules = "igcnas.cli.search, igcnas.cli.search_plan, igcnas.search.controller, igcnas.execution.cpu.mark"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
