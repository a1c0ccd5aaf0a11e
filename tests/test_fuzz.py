"""The fuzzer in short, on every reader; `python -m benchmarks.fuzz` is the long form."""

from __future__ import annotations

import contextlib
import os
import sys
from multiprocessing import get_context
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.fuzz import running
from benchmarks.fuzz.targets import Targets
from igcnas.errors import IgcnasError

READERS = sorted(name.removeprefix("read_") for name in dir(Targets) if name.startswith("read_"))


@pytest.fixture(scope="module")
def targets(tmp_path_factory) -> Targets:
    return Targets(tmp_path_factory.mktemp("fuzz") / "corpus")


@pytest.mark.parametrize("reader", READERS)
def test_a_damaged_input_is_read_or_refused(targets, reader, monkeypatch, tmp_path):
    monkeypatch.setenv("IGCNAS_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    @settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**32))
    def attempt(seed: int) -> None:
        place, statuses = "", {0, 2}
        try:
            targets.all[reader](Random(seed))
        except IgcnasError as error:
            place = str(error)
            assert place
        except SystemExit as end:
            assert end.code in statuses  # noqa: PT017

    attempt()


def crash(random: Random) -> None:
    os.abort()


def fail(random: Random) -> None:
    raise KeyError("x")


def refuse(random: Random) -> None:
    raise IgcnasError("no")


@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of a process as Linux does")
def test_a_process_that_dies_and_an_error_that_nobody_handled_are_counted_by_place():
    outcome = running.Outcome()
    here, there = get_context("fork").Pipe(duplex=False)
    child = get_context("fork").Process(target=_inputs, args=(there,))
    child.start()
    there.close()
    assert running.follow(here, child, outcome) == ("crash", 2)
    assert outcome.tried == {"fail": 1, "refuse": 1, "crash": 1}
    assert outcome.refused["refuse"] == 1
    assert sorted(outcome.unhandled.values()) == [1, 1]
    assert any("KeyError" in place for place in outcome.unhandled)
    assert "crash: the process ended with -6" in outcome.unhandled


def _inputs(there) -> None:
    class Made:
        all = {"fail": fail, "refuse": refuse, "crash": crash}  # noqa: RUF012

    running.try_inputs(there, Made(), ["fail", "refuse", "crash"], seed=0, numbers=range(10), seconds=60)  # type: ignore[arg-type]


def test_an_input_is_known_by_its_seed_and_number(targets):
    made = []
    for _ in range(2):
        with contextlib.suppress(IgcnasError):
            targets.all["study"](Random("1/4"))
        made.append((targets.folder / "s" / "settings.json").read_bytes())
    assert made[0] == made[1]
