"""igcnas doctor: what was found on this machine, and what to do about it."""

from __future__ import annotations

import argparse
import json
import textwrap
from dataclasses import asdict

from igcnas.cli.common import add_studies_dir

_WIDTH = 118
_INDENT = 20


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "doctor",
        help="what igcnas finds on this machine, and what to do about it",
        description="Looks at Python, the libraries and their versions, torch and GPU, cores, memory and their limits, "
        "the folders that are written, compiled kernels, captured steps and the encoding of the output. Each line is "
        "ok, a note, or a problem with the way out. Exit status 1 where there is a problem. It changes nothing; what "
        "--check-gpu finds is kept.",
    )
    add_studies_dir(parser)
    parser.add_argument(
        "--check-gpu",
        action="store_true",
        help="check now whether training steps captured in CUDA graphs are right and faster on this machine",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Look; print; 1 where something is in the way of a search."""
    from igcnas.cli.doctor.examination import findings
    from igcnas.cli.doctor.finding import PROBLEM

    found = findings(arguments.studies_dir, check_gpu=arguments.check_gpu)
    problems = sum(finding.state == PROBLEM for finding in found)
    if arguments.json:
        print(json.dumps({"problems": problems, "findings": [asdict(finding) for finding in found]}))
        return int(problems > 0)
    for finding in found:
        head = f"{finding.state:<8} {finding.name:<10} "
        print(textwrap.fill(head + finding.found, _WIDTH, subsequent_indent=" " * _INDENT, break_on_hyphens=False))
        if finding.advice:
            print(
                textwrap.fill(f"-> {finding.advice}", _WIDTH, initial_indent=" " * _INDENT, subsequent_indent=" " * 23)
            )
    print("\nnothing is in the way" if not problems else f"\n{problems} problem{'s' * (problems > 1)}; see above")
    return int(problems > 0)
