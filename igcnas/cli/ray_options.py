"""The options that take the workers to a Ray cluster."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from igcnas.errors import IgcnasError
from igcnas.system.names import shown

if TYPE_CHECKING:
    from igcnas.search.cluster import RaySettings


def add_ray(parser: argparse.ArgumentParser) -> None:
    """Define them."""
    add = parser.add_argument
    add(
        "--ray",
        metavar="WHERE",
        help="train on the machines of a Ray cluster: local (one of its own, on this machine), auto (the one that runs "
        "on this machine), or HOST:PORT; --workers is then the most at once in the whole cluster (docs/ray.md)",
    )
    add("--per-gpu", type=int, default=None, metavar="N", help="with --ray: workers that share a GPU (default: 1)")
    add(
        "--cpus-per-worker",
        type=float,
        default=None,
        metavar="X",
        help="with --ray: cores that a worker reserves; a part of one lets several share it (default: 1)",
    )


def asked_ray(arguments: argparse.Namespace) -> RaySettings | None:
    """What they ask for; None without --ray. IgcnasError for what cannot be."""
    where, per_gpu, cpus = arguments.ray, arguments.per_gpu, arguments.cpus_per_worker
    if where is None:
        for option, value in (("--per-gpu", per_gpu), ("--cpus-per-worker", cpus)):
            if value is not None:
                raise IgcnasError(f"{option} {value:g} is for the workers of a Ray cluster; add --ray WHERE")
        return None
    if per_gpu is not None and per_gpu < 1:
        raise IgcnasError(f"--per-gpu {per_gpu} must be 1 or more")
    if cpus is not None and not 0.01 <= cpus < float("inf"):
        raise IgcnasError(f"--cpus-per-worker {cpus:g} must be 0.01 or more")
    host, _, port = where.rpartition(":")
    if where not in ("local", "auto") and not (host and "/" not in host and port.isdecimal()):
        raise IgcnasError(f"--ray {shown(where)} must be local, auto or HOST:PORT, as 'ray start --head' prints it")
    from igcnas.search.cluster import RaySettings

    return RaySettings(where=where, per_gpu=per_gpu or 1, cpus=cpus or 1.0)


def ray_words(arguments: argparse.Namespace) -> list[str]:
    """The options as they were given, for a command that is called on behalf of this one."""
    names = ("ray", "per_gpu", "cpus_per_worker")
    given = {name: getattr(arguments, name, None) for name in names}
    return [
        word
        for name, value in given.items()
        if value is not None
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]
