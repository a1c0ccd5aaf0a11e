"""Keyword arguments as the words of a command, so that Python and the shell mean the same by the same name.

Convention: an underscore is a dash; True is an option alone; None and False leave it out; a list or tuple is the
option several times. What a command refuses, it refuses here with the same words, as an IgcnasError.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from igcnas.errors import IgcnasError


def words_of(options: Mapping[str, Any]) -> list[str]:
    """The options of a command line.

    >>> words_of({"budget_mflops": 0.2, "no_export": True, "trial": [3, 5], "study": None})
    ['--budget-mflops=0.2', '--no-export', '--trial=3', '--trial=5']
    """
    return list(_words(options))


def _words(options: Mapping[str, Any]) -> Iterator[str]:
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if value is None or value is False:
            continue
        if value is True:
            yield option
            continue
        for one in value if isinstance(value, list | tuple) else (value,):
            yield f"{option}={one}"


def parsed(command: str, arguments: Sequence[str], options: Mapping[str, Any]) -> argparse.Namespace:
    """What a command makes of these words and options.

    Raises:
        IgcnasError: it knows no such option, or the value does not fit.
    """
    from igcnas.cli.commands import parser
    from igcnas.cli.common import check_numbers

    top = parser()
    known = _options(top, command)
    for name in options:
        if name not in known:
            near = [one for one in known if one.startswith(f"{name}_")] or difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; igcnas {command} --help names them"
            raise IgcnasError(f"igcnas.{command} has no option {name!r}{hint}")
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            found = top.parse_args([command, *words_of(options), *arguments])
    except SystemExit:
        raise IgcnasError(said.getvalue().strip().removeprefix("error: ")) from None
    check_numbers(found)
    return found


def _options(top: argparse.ArgumentParser, command: str) -> list[str]:
    """The names of the options of a command, as keywords."""
    choices = next(action for action in top._actions if isinstance(action, argparse._SubParsersAction)).choices
    actions = choices[command]._actions
    longs = [word for action in actions for word in action.option_strings if word.startswith("--")]
    return [word[2:].replace("-", "_") for word in longs if word != "--help"]
