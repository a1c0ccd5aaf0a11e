"""The parser of the command line and its commands, one module each."""

from __future__ import annotations

import argparse

from igcnas import __version__
from igcnas.cli import (
    audit,
    cluster,
    compare,
    completion,
    count,
    dashboard,
    doctor,
    draw,
    evaluate,
    explain,
    export,
    finish,
    importance,
    init,
    latency,
    networks,
    plot,
    predict,
    recipes,
    report,
    retrain,
    search,
    status,
    studies,
    train,
    width_optimum,
)
from igcnas.cli.common import Parser

_COMMANDS = (
    init,
    search,
    train,
    evaluate,
    status,
    studies,
    cluster,
    dashboard,
    plot,
    report,
    importance,
    compare,
    audit,
    retrain,
    finish,
    export,
    predict,
    latency,
    count,
    networks,
    explain,
    draw,
    recipes,
    width_optimum,
    doctor,
    completion,
)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = Parser(prog="igcnas", description="Find the best small convolutional network that fits a compute budget.")
    top.add_argument("--version", action="version", version=f"igcnas {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add_parser(commands)
    return top
