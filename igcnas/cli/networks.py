"""igcnas networks: the families of the literature that igcnas knows."""

from __future__ import annotations

import argparse
import json
import textwrap

from igcnas.network.cost import count
from igcnas.network.literature import FAMILIES

_WIDTH = 120


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "networks",
        help="the networks of the literature that igcnas can build and count",
        description="Families of networks with their parameters and defaults, and what each costs with them.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the families."""
    if arguments.json:
        families = {
            f.name: {"summary": f.summary, "parameters": f.parameters, "meanings": f.meanings}
            for f in FAMILIES.values()
        }
        print(json.dumps(families))
        return 0
    for family in FAMILIES.values():
        cost = count(family.build())
        print(f"{family.name}  ({cost.params:,} params, {cost.macs:,} MACs with the defaults)")
        for line in family.summary.splitlines():
            print(f"    {line}".rstrip())
        meanings = family.meanings
        for word in family.words:
            text = textwrap.wrap(meanings[word.partition("=")[0]], width=_WIDTH - 30)
            print(f"    {word:<24}  {text[0] if text else ''}".rstrip())
            for line in text[1:]:
                print(" " * 30 + line)
    return 0
