"""igcnas completion: what a shell needs to complete commands, options and names; and the names themselves.

argcomplete does it: the shell asks this program at each Tab, so studies that are there are completed by their names.
Convention: a completion imports no torch and no optuna, and what it cannot find it does not offer.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from igcnas.errors import IgcnasError
from igcnas.system.extras import extra

SHELLS = {"bash": "~/.bashrc", "zsh": "~/.zshrc", "fish": "~/.config/fish/config.fish"}
_ASKED = "_ARGCOMPLETE"  # set by the shell that wants to know
_EVAL = {"bash": 'eval "$(igcnas completion bash)"', "zsh": 'eval "$(igcnas completion zsh)"'}
_EVAL["fish"] = "igcnas completion fish | source"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    lines = "\n".join(f"  {shell:<5} {_EVAL[shell]:<38} in {place}" for shell, place in SHELLS.items())
    parser = commands.add_parser(
        "completion",
        help="completion of commands, options and names by your shell",
        description="Prints what a shell needs to complete commands, options and the names of studies, families, "
        "spaces, samplers and recipes with the Tab key.",
        epilog=f"to have it in every shell, this line in its file:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=SHELLS, help="for this shell")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    argcomplete = extra("argcomplete", what="completion by a shell")
    print(argcomplete.shellcode(["igcnas"], shell=arguments.shell))
    return 0


def answer(parser: argparse.ArgumentParser) -> None:
    """Where a shell asks for a completion, answer it and end the process."""
    if _ASKED not in os.environ:
        return
    with suppress(IgcnasError):  # not installed any more: the shell completes nothing
        argcomplete = extra("argcomplete", what="completion by a shell")
        _add_completers(parser)
        argcomplete.autocomplete(parser, always_complete_options="long")


def _add_completers(parser: argparse.ArgumentParser, command: str = "") -> None:
    """To every argument that takes a name, also of the commands within."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                _add_completers(inner, name)
        elif (names := _NAMES.get(action.dest) or _NAMES.get(f"{command} {action.dest}")) is not None:
            action.completer = _Completer(names)  # type: ignore[attr-defined] # argcomplete looks for it


class _Completer:
    """Names of a kind, and files: nearly everything that has a name can be a path as well."""

    def __init__(self, names: Callable[[argparse.Namespace], Iterable[str]]) -> None:
        self._names = names

    def __call__(self, prefix: str, parsed_args: argparse.Namespace, **_: Any) -> list[str]:
        """Those that begin so."""
        from argcomplete.completers import FilesCompleter

        found: list[str] = []
        with suppress(Exception):  # a damaged study, a package that cannot be loaded: a Tab says nothing of it
            found = [name for name in self._names(parsed_args) if name.startswith(prefix)]
        return found or list(FilesCompleter()(prefix))


def _studies(arguments: argparse.Namespace) -> Iterable[str]:
    from igcnas.search.settings import study_names
    from igcnas.system.folders import studies

    return study_names(getattr(arguments, "studies_dir", None) or studies())


def _families(_: argparse.Namespace) -> Iterable[str]:
    from igcnas.network.literature import FAMILIES

    return FAMILIES


def _drawn(arguments: argparse.Namespace) -> Iterable[str]:
    return {*_blocks(arguments), *_families(arguments), *_studies(arguments)}


def _blocks(_: argparse.Namespace) -> Iterable[str]:
    from igcnas.drawing.explanation import KINDS

    return KINDS


def _spaces(_: argparse.Namespace) -> Iterable[str]:
    from igcnas.search.space import known_spaces
    from igcnas.system import additions

    return [*known_spaces(), *additions.names(additions.FAMILIES)]


def _samplers(_: argparse.Namespace) -> Iterable[str]:
    from igcnas.search.samplers import AUTO, SAMPLERS
    from igcnas.system import additions

    return [AUTO, *SAMPLERS, *additions.names(additions.SAMPLERS)]


def _objectives(_: argparse.Namespace) -> Iterable[str]:
    from igcnas.search.objective import OBJECTIVES

    return OBJECTIVES


def _pruners(_: argparse.Namespace) -> Iterable[str]:
    from igcnas.search.settings import PRUNERS

    return PRUNERS


def _data(_: argparse.Namespace) -> Iterable[str]:
    from igcnas.data.loading import OWN
    from igcnas.system import additions

    return [*OWN, *additions.names(additions.DATA)]


def _recipes(_: argparse.Namespace) -> Iterable[str]:
    from igcnas.training.recipes import RECIPES

    return ["paper", "short", *RECIPES]


# By what the parsers call the argument; where commands differ in what they mean by it, behind that of the command.
_NAMES: dict[str, Callable[[argparse.Namespace], Iterable[str]]] = {
    "study": _studies,
    "studies": _studies,
    "family": _families,
    "draw name": _drawn,
    "explain name": _blocks,
    "recipes name": _recipes,
    "space": _spaces,
    "sampler": _samplers,
    "objective": _objectives,
    "pruner": _pruners,
    "data": _data,
    "recipe": _recipes,
}
