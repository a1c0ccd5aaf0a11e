"""What became of mutants, a line of JSON each; of two lines about one mutant the later counts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from benchmarks.mutants.changes import Mutant

Key = tuple[str, str, int, int, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one run found.

    end: 'killed', 'timeout', 'survived', or 'survived the quick tests' where others were left out.

    tests: how many could see it and were tried until one failed. of: how many mutants the part has. digest: of the
    module as it was.
    """

    part: str
    module: str
    line: int
    before: str
    after: str
    end: str
    of: int
    column: int = 0
    statement: str = ""
    tests: int = 0
    digest: str = ""

    @property
    def lives(self) -> bool:
        """Whether no test has failed."""
        return self.end.startswith("survived")

    @property
    def key(self) -> Key:
        """What it is known by."""
        return self.digest, self.module, self.line, self.column, self.before, self.after


def key(mutant: Mutant) -> Key:
    """What it is known by as long as its module stays as it is."""
    return mutant.digest, mutant.module, mutant.line, mutant.column, mutant.before, mutant.after


def outcome(mutant: Mutant, *, end: str, of: int, tests: int) -> Outcome:
    """Of this mutant."""
    common = {field.name for field in fields(Outcome)} & set(Mutant.__slots__)
    return Outcome(**{name: getattr(mutant, name) for name in common}, end=end, of=of, tests=tests)


def read(path: Path) -> list[Outcome]:
    """The last of each mutant; none where there is no file."""
    if not path.exists():
        return []
    every = [Outcome(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    return list({one.key: one for one in every}.values())


def append(path: Path, one: Outcome) -> None:
    """Add a line."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(one)) + "\n")
