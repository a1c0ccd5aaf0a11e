"""igcnas cluster wait: until a Ray cluster has as many nodes as it should."""

from __future__ import annotations

import argparse
import time

from igcnas.cli.ray_options import asked_ray
from igcnas.errors import IgcnasError

_LOOK = 1.0  # seconds between two looks


def add_parser(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = kinds.add_parser(
        "wait",
        help="wait until a Ray cluster has so many nodes",
        description="Waits until a Ray cluster is there and has so many nodes, and ends; with status 2 where it has "
        "not in time. The scripts of igcnas cluster call it before the search, whose number of workers is of the "
        "nodes that are there when it begins.",
    )
    add = parser.add_argument
    add("--ray", default="auto", metavar="WHERE", help="auto, or HOST:PORT (default: %(default)s)")
    add("--nodes", type=int, default=1, metavar="N", help="with room for a worker (default: %(default)s)")
    add("--seconds", type=float, default=600.0, metavar="S", help="at most so long (default: %(default)g)")


def run(arguments: argparse.Namespace) -> int:
    """Wait."""
    if not 1 <= arguments.nodes <= 10_000:
        raise IgcnasError(f"--nodes {arguments.nodes} must be from 1 to 10,000")
    arguments.per_gpu = arguments.cpus_per_worker = None
    settings = asked_ray(arguments)
    if settings is None or settings.where == "local":
        raise IgcnasError("--ray local has no nodes to wait for; give auto or HOST:PORT")
    from igcnas.search.cluster import Cluster

    end = time.monotonic() + max(0.0, arguments.seconds)
    found = -1
    while True:
        try:
            with Cluster(settings) as cluster:
                while True:
                    room = [node for node in cluster.nodes("cpu").values() if node.room]
                    if len(room) != found:
                        found = len(room)
                        print(f"{found} of {arguments.nodes} nodes", flush=True)
                    if found >= arguments.nodes:
                        return 0
                    _pause(end, found, arguments)
        except IgcnasError as error:
            if "can be reached" not in str(error):
                raise
            _pause(end, max(0, found), arguments)


def _pause(end: float, found: int, arguments: argparse.Namespace) -> None:
    if time.monotonic() >= end:
        raise IgcnasError(
            f"--nodes {arguments.nodes}: the Ray cluster at {arguments.ray} has {found} with room after "
            f"{arguments.seconds:g} s; see why the others did not start, or ask for fewer"
        )
    time.sleep(_LOOK)
