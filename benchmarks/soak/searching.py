"""igcnas search with a checkpoint every few steps and no look at the time it will take, for `benchmarks.soak`.

Without the look most interruptions fall into trainings.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import igcnas.search.evaluation
from igcnas.search.worker import Probed, WorkerSetup


class Frequent(igcnas.search.evaluation.ProcessEvaluator):
    """Workers that save all the time."""

    def __init__(self, setup: WorkerSetup, **other: Any) -> None:
        super().__init__(dataclasses.replace(setup, checkpoint_seconds=0.05), **other)

    def probe(self, architectures: object) -> Probed | None:
        """Nothing is measured."""
        return None


igcnas.search.evaluation.ProcessEvaluator = Frequent  # type: ignore[misc]

if __name__ == "__main__":
    from igcnas.cli import main

    raise SystemExit(main())
