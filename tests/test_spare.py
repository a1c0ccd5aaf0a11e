"""Processes that are started before it is known what they will train, as forks of one that has imported everything."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.workers import is_gone, network, setup, wait_until

from igcnas.search.evaluation import ProcessEvaluator, Slot, Spares
from igcnas.search.evaluation.child import Child, server_for

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


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@on_linux
def test_workers_are_forks_of_one_server_and_one_without_it_is_started_anew(tmp_path: Path) -> None:
    with Spares([SLOT, SLOT]) as spares, ProcessEvaluator(setup(1), slots=[SLOT, SLOT]) as evaluator:
        evaluator.start(spares)
        first, second = evaluator.pids
        server = parent(first)
        assert parent(second) == server != os.getpid()
        os.kill(first, signal.SIGKILL)
        assert evaluator(network(), tmp_path / "0", lambda _report: None).results is not None
        assert first not in evaluator.pids
        assert parent(evaluator.pids[0]) == server
        os.kill(server, signal.SIGKILL)
        assert not is_gone(second)
        os.kill(evaluator.pids[0], signal.SIGKILL)
        assert evaluator(network(), tmp_path / "1", lambda _report: None).results is not None
        assert parent(evaluator.pids[0]) == os.getpid()


@on_linux
def test_it_is_known_how_a_fork_ended() -> None:
    server = server_for([SLOT, SLOT])
    assert server is not None
    try:
        killed, ended, unseen = (Child(1, server=server) for _ in range(3))
        assert not killed.has_ended(0.1)
        os.kill(killed.process.pid, signal.SIGKILL)
        assert killed.reason() == "the training process ended with status -9 (killed; out of memory?)"
        assert killed.was_killed
        ended.pipe.close()  # as where the controller is gone
        assert ended.has_ended(60)
        assert ended.process.returncode == 0
        assert parent(unseen.process.pid) > 1
    finally:
        server.close()
    assert not unseen.has_ended(0.1)
    unseen.end()
    assert unseen.process.returncode == 255
    for child in (killed, ended):
        child.end()


@on_linux
def test_server_and_forks_end_with_a_controller_that_is_killed() -> None:
    code = (
        "import os, signal; from igcnas.search.evaluation import Slot, Spares;"
        "spares = Spares([Slot(device='cpu', threads=1)] * 2);"
        "print(*(child.process.pid for _, child in spares._left), flush=True); signal.pause()"
    )
    controller = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert controller.stdout is not None
    pids = [int(word) for word in controller.stdout.readline().split()]
    pids.append(parent(pids[0]))
    assert len(set(pids)) == 3
    assert not any(map(is_gone, pids))
    controller.kill()
    controller.wait()
    assert wait_until(lambda: all(map(is_gone, pids)))
    controller.stdout.close()


@pytest.mark.parametrize(
    "modules",
    [
        "igcnas.cli.search, igcnas.cli.search_plan, igcnas.search.controller, igcnas.execution.cpu.mark",
        "igcnas.cli.report, igcnas.results.report.composing, igcnas.results.report.page, igcnas.cli.status",
    ],
    ids=["the controller of a search", "a report"],
)
def test_what_trains_nothing_imports_no_torch(modules: str) -> None:
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
