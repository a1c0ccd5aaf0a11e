"""The command line: `igcnas COMMAND`, `python -m igcnas COMMAND`, and run_search.py, which is `igcnas search`.

One module a command, with `add_parser` and `run`. Nothing here imports torch or optuna before a command needs it, so
that --help answers at once; the commands themselves are imported where Ctrl-C and a broken installation are already
answered in one line. The exit status is that of igcnas.system.program.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from igcnas.system import program


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    from igcnas.cli import commands

    return commands.parser()


def main(argv: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Run one command; the exit status. `prog` replaces the name in usage lines.

    Also in a thread, where no signal arrives.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = argparse.Namespace()

    def work() -> int:
        nonlocal arguments
        from igcnas.cli import commands, completion, search
        from igcnas.cli.common import check_numbers, command_line, using_storage
        from igcnas.cli.output import arranged

        top = commands.parser()
        completion.answer(top)
        if prog is not None and words[:1] == ["search"]:
            top = search.standalone_parser(prog)
            del words[0]
        arguments = top.parse_args(words)
        check_numbers(arguments)
        with using_storage(arguments), arranged(arguments, command_line()):
            return int(arguments.run(arguments))

    return program.run(
        work,
        unread=lambda: getattr(arguments, "unread", None),
        ends_process=argv is None or prog is not None,
    )


def run(argv: Sequence[str] | None = None, *, prog: str | None = None) -> NoReturn:
    """`main` as the whole of a process, which ends with it."""
    program.leave(main(argv, prog=prog))
