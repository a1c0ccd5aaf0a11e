"""igcnas cluster: what starts a search where people have machines, and waiting until they are there.

job: the command that will run, checked now. slurm: a batch script. kubernetes: a RayJob for KubeRay. yaml: its text.
waiting: for the nodes of a Ray cluster.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from igcnas.cli.cluster import kubernetes, slurm, waiting
from igcnas.cli.cluster.job import Job

_NOTE = """what follows -- is the command: the options of igcnas search, or search, retrain, audit or finish with its
own. It is checked now, not when its turn comes. --ray is added, and --workers for all cores or GPUs unless you give
one. docs/cluster.md says where data and studies must lie."""
SLURM = f"""examples:
  %(prog)s --nodes 4 --cpus 16 --out search.sbatch -- --budget-mflops 2 --data cifar10 --networks 200
  sbatch search.sbatch

{_NOTE}
"""
KUBERNETES = f"""examples:
  %(prog)s --image registry/igcnas:0.1 --nodes 4 --cpus 16 --claim studies --out search.yaml -- --budget-mflops 2
  kubectl create -f search.yaml

{_NOTE}
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "cluster",
        help="a batch script for Slurm, or a manifest for Kubernetes, that runs a search on a Ray cluster of its own",
        description="Writes what starts a Ray cluster and a search on it. Nothing is submitted: read it, change it, "
        "hand it in.",
    )
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="WHAT")
    for name, words, epilog, module in (
        ("slurm", "print a batch script for sbatch", SLURM, slurm),
        ("kubernetes", "print a RayJob manifest for KubeRay", KUBERNETES, kubernetes),
    ):
        one = kinds.add_parser(
            name,
            help=words,
            description=module.DESCRIPTION,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(one)
        one.add_argument("--out", type=Path, metavar="FILE", help="write it there, and say what to do with it")
        one.add_argument("command", nargs="*", metavar="-- OPTION", help="the command, behind --")
    waiting.add_parser(kinds)
    parser.set_defaults(run=run, parsers=commands.choices)


def run(arguments: argparse.Namespace) -> int:
    """Print or write it; or wait."""
    if arguments.kind == "wait":
        return waiting.run(arguments)
    parsers: Mapping[str, argparse.ArgumentParser] = arguments.parsers
    job = Job.read(arguments.command, parsers)
    module = slurm if arguments.kind == "slurm" else kubernetes
    text = module.text(arguments, job)
    if arguments.out is None:
        print(text, end="")
        return 0
    from igcnas.system.files import write_whole

    write_whole(arguments.out, text.encode())
    print(f"wrote     {arguments.out}\nnext      {module.NEXT} {arguments.out}")
    return 0
