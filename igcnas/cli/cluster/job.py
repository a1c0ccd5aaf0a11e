"""The command that a cluster will run, checked before it is handed in."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from igcnas.errors import IgcnasError
from igcnas.search.database.address import redacted
from igcnas.system.checks import shown

COMMANDS = ("search", "retrain", "audit", "finish")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Job:
    """Words of a command, from `search` on, without --ray, and what they mean."""

    words: tuple[str, ...]
    parsed: argparse.Namespace

    @classmethod
    def read(cls, words: Sequence[str], parsers: Mapping[str, argparse.ArgumentParser]) -> Job:
        """The job of these words; IgcnasError, or the parser's own end, for what could not run."""
        if not words:
            raise IgcnasError(
                "no command is given: put the options of igcnas search behind --, as -- --budget-mflops 2"
            )
        named = words if words[0] in COMMANDS else ["search", *words]
        parsed = parsers[named[0]].parse_args(named[1:])
        if parsed.ray is not None:
            raise IgcnasError(f"--ray {shown(parsed.ray)} is added by igcnas cluster; leave it out")
        for word in named:
            if redacted(word) != word:
                raise IgcnasError(
                    "an address among the options holds a password, which would stand in the file; leave it out, and "
                    "give it by PGPASSWORD or ~/.pgpass where the command runs (docs/storage.md)"
                )
        return cls(tuple(named), parsed)

    def line(self, ray: str, *, cores: int, gpus: int) -> str:
        """For a shell. ray: what --ray is given there, which may be a variable in quotes.

        cores, gpus: of all workers together. Where the command does not say how many workers, it gets as many as there
        is room for: the whole allocation is paid for.
        """
        room = gpus * (self.parsed.per_gpu or 1) if gpus else int(cores / (self.parsed.cpus_per_worker or 1))
        workers = "" if self.has("--workers") else f" --workers {max(1, room)}"
        return f"igcnas {shlex.join(self.words)} --ray {ray}{workers}"

    def has(self, option: str) -> bool:
        """Whether the command gives this option."""
        return any(word == option or word.startswith(f"{option}=") for word in self.words)


def add_resources(parser: argparse.ArgumentParser, *, of: str) -> None:
    """Options that both kinds of cluster have. of: what a machine is called there."""
    add = parser.add_argument
    add("--nodes", type=int, default=1, metavar="N", help=f"{of}s that train (default: %(default)s)")
    add("--cpus", type=int, default=8, metavar="N", help=f"cores of each {of} (default: %(default)s)")
    add("--gpus", type=int, default=0, metavar="N", help=f"GPUs of each {of} (default: %(default)s)")
    add("--memory", metavar="SIZE", help=f"memory of each {of}, as 32G (default: as the cluster has it)")
    add("--name", default="igcnas", metavar="NAME", help="of the job (default: %(default)s)")


def check_resources(arguments: argparse.Namespace) -> None:
    """IgcnasError for what no cluster would take."""
    for option, least in (("nodes", 1), ("cpus", 1), ("gpus", 0)):
        value = getattr(arguments, option)
        if not least <= value <= 10_000:
            raise IgcnasError(f"--{option} {value} must be from {least} to 10,000")
    if not _NAME.fullmatch(arguments.name):
        raise IgcnasError(
            f"--name {shown(arguments.name)} must be lower-case letters, digits and hyphens, at most 52, with a letter "
            "or digit at both ends"
        )
    memory = arguments.memory
    if memory is not None and not re.fullmatch(r"[1-9]\d{0,6}[MGT]", memory):
        raise IgcnasError(f"--memory {shown(memory)} must be a whole number of M, G or T, as 32G")
