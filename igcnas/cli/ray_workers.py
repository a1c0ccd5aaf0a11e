"""Workers on a Ray cluster, for the commands that train."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from igcnas.cli.engine import before_training

if TYPE_CHECKING:
    from igcnas.search.cluster import Cluster, RayEvaluator, RaySettings
    from igcnas.search.worker import WorkerSetup

# This process is connected to one at most.
_OPEN: list[Cluster] = []


@contextmanager
def connected(ray: RaySettings | None) -> Iterator[Cluster | None]:
    """The cluster that the options name; None without."""
    if ray is None:
        yield None
        return
    if _OPEN:  # of a search, at whose end a network is finished
        yield _OPEN[-1]
        return
    from igcnas.search.cluster import Cluster

    with Cluster(ray) as cluster:
        _OPEN.append(cluster)
        try:
            yield cluster
        finally:
            _OPEN.remove(cluster)


def before_training_elsewhere(
    engine: str,
    cluster: Cluster,
    asked: str,
    at_once: Callable[[], AbstractContextManager[None]],
    *,
    output: TextIO | None = None,
) -> bool | None:
    """As `engine.before_training`, where this machine may train nothing.

    On a GPU steps are captured where the node that trains has found that right, by igcnas doctor --check-gpu there.
    """
    if cluster.device(asked) == "cuda":
        return None
    if cluster.trains_here():
        return before_training(engine, asked="cpu", device="cpu", output=output or sys.stdout, at_once=at_once)
    return None


def elsewhere(cluster: Cluster, setup: WorkerSetup, *, most: int, **how: Any) -> RayEvaluator:
    """The workers; setup.device is as the user asked for. how: as RayEvaluator has it."""
    from dataclasses import replace

    from igcnas.search.cluster import RayEvaluator

    return RayEvaluator(replace(setup, device=cluster.device(setup.device)), cluster, most=most, **how)
