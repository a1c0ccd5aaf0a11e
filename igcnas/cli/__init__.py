"""The command line: `igcnas COMMAND`, `python -m igcnas COMMAND`, and run_search.py, which is `igcnas search`.

One module a command, with `add_parser` and `run`. Nothing here imports torch or optuna before a command needs it, so
that --help answers at once. Exit status: 0 done, 2 a mistake of the user's, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from igcnas import __version__
from igcnas.cli import (
    audit,
    compare,
    count,
    dashboard,
    draw,
    evaluate,
    explain,
    export,
    importance,
    networks,
    plot,
    recipes,
    report,
    retrain,
    search,
    status,
    train,
)
from igcnas.cli.common import Parser, check_numbers
from igcnas.errors import IgcnasError
from igcnas.harmless import harmless_output, line

_COMMANDS = (
    search,
    train,
    evaluate,
    status,
    dashboard,
    plot,
    report,
    importance,
    compare,
    audit,
    retrain,
    export,
    count,
    networks,
    explain,
    draw,
    recipes,
)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = Parser(prog="igcnas", description="Find the best small convolutional network that fits a compute budget.")
    top.add_argument("--version", action="version", version=f"igcnas {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add_parser(commands)
    return top


def main(argv: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Run one command; the exit status. `prog` replaces the name in usage lines."""
    top = parser()
    words = list(sys.argv[1:] if argv is None else argv)
    if prog is not None and words[:1] == ["search"]:
        top = search.standalone_parser(prog)
        words = words[1:]
    arguments = top.parse_args(words)
    try:
        check_numbers(arguments)
        with harmless_output():
            return int(arguments.run(arguments))
    except IgcnasError as error:
        print(f"error: {line(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # before a search can stop politely, or a second time
        print("stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `igcnas ... | head`
        sys.stderr.close()
        return 0
