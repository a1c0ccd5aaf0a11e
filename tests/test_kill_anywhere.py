"""A real search, killed again and again, ends as one that was left alone."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from benchmarks.kill_anywhere import differences, fingerprint, killed_search, whole_search

# Small, but with pruned networks and a repeat; see benchmarks/results/kill-anywhere.md for many more interruptions.
SEARCH = "--space igcv1 --budget-mflops 0.05 --networks 5 --epochs 20 --no-baselines --sampler tpe --seed 1 --workers 1"
RULES = "--objective accuracy --pruner halving --min-epochs 1 --seeds 3 --repeats 2"
OPTIONS = [*SEARCH.split(), *RULES.split()]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the worker in /proc")
def test_a_search_killed_at_random_moments_ends_where_an_uninterrupted_one_ends(tmp_path: Path) -> None:
    alone = whole_search(tmp_path, "alone", OPTIONS)
    done = killed_search(tmp_path, "killed", OPTIONS, random.Random(0), kills=3, longest=alone)
    assert done.total() > 0
    found = fingerprint(tmp_path / "alone")
    assert differences(found, fingerprint(tmp_path / "killed")) == []
    states = {training["state"] for name, training in found.items() if name.startswith("training")}
    assert states == {"complete", "pruned"}
    assert any(training["repeat"] for name, training in found.items() if name.startswith("training"))
