"""A real search to which faults happen, over each place of its records, ends as one that was left alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.postgres import Postgres, programs

from benchmarks.soak import faults
from benchmarks.soak.comparing import broken
from benchmarks.soak.rounds import left_alone, run_round
from benchmarks.soak.scene import Scene

# Small, but with pruned networks and a repeat; benchmarks/results/soak.md has many more faults.
SEARCH = "--space igcv1 --budget-mflops 0.05 --networks 5 --epochs 20 --no-baselines --sampler tpe --seed 1 --workers 1"
RULES = "--objective accuracy --pruner halving --min-epochs 1 --seeds 3 --repeats 2"
OPTIONS = [*SEARCH.split(), *RULES.split()]

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds processes in /proc")


@pytest.fixture
def server() -> Iterator[Postgres | None]:
    if programs() is None:
        yield None
        return
    found = Postgres()
    yield found
    found.close()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return left_alone(tmp_path_factory.mktemp("alone"), "alone", OPTIONS)


@pytest.mark.parametrize("storage", ["journal", "postgresql", "ray"])
def test_a_search_under_faults_ends_where_one_that_is_left_alone_ends(
    storage: str, tmp_path: Path, server: Postgres | None, alone: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    if storage == "postgresql" and server is None:
        pytest.skip("no PostgreSQL is installed")
    words = OPTIONS
    if storage == "ray":
        pytest.importorskip("ray")
        words = [*OPTIONS, "--ray", "local"]
    first = {"journal": faults.tear, "postgresql": faults.server_killed, "ray": faults.actor}[storage]
    monkeypatch.setitem(faults.FAULTS, storage, (first, faults.kill))
    most = 1 if storage == "ray" else 2
    found = run_round(tmp_path, storage, words, seed=1, workers=1, networks=5, most=most, server=server, alone=alone)
    assert found.found == []
    assert found.faults > 0
    assert found.trainings > 5  # with repeats


def test_what_does_not_hold_is_named(tmp_path: Path) -> None:
    from support.real_studies import unpack

    folder = unpack(tmp_path, "gp-4")
    assert broken(folder, 30)[0] == "training 0 has no weights"
    assert broken(folder, 400)[-1].endswith(" of 400 networks")
