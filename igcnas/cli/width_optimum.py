"""igcnas width-optimum: the widest block of IGC V1, V2 and V3 for a budget, by theory and by experiment.

The analysis reads its own options, so this command takes every word as it is.
"""

from __future__ import annotations

import argparse
import importlib


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "width-optimum",
        help="every integer block of IGC V1, V2 and V3 beside the widest that theory allows; --train: by experiment",
        add_help=False,
        prefix_chars="\0",  # no word is an option here
    )
    parser.add_argument("words", nargs="*")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Hand the words on."""
    analysis = importlib.import_module("igcnas.analysis.width_optimum")  # igcnas knows no analysis but by this name
    return int(analysis.main(arguments.words, prog="igcnas width-optimum"))
