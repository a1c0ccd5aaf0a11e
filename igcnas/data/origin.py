"""Where the images of a data set come from, and what was left out of it: in words, so that nothing goes in silence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """So many files (or arrays) of one kind that play no part, and one of them."""

    count: int
    what: str
    example: str
    noun: str = "file"

    def text(self) -> str:
        """One phrase: "3 with the ending .txt, such as 'train/cat/notes.txt'"."""
        return f"{self.count:,} {self.what}, such as {self.example!r}" if self.count > 1 else self._single()

    def _single(self) -> str:
        return f"1 {self.what}: {self.example!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What each split is. validation is "" where it is drawn from the training data. notes: what a user should know."""

    train: str = ""
    validation: str = ""
    test: str = ""
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Tally:
    """Counts what is left out, by kind, and keeps the first of each."""

    found: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, what: str, example: str, count: int = 1) -> None:
        """One more, or so many more, of a kind."""
        known, first = self.found.get(what, (0, example))
        self.found[what] = known + count, first

    def left_out(self) -> tuple[LeftOut, ...]:
        """The kinds."""
        return together(LeftOut(count=n, what=what, example=example) for what, (n, example) in self.found.items())


def together(parts: Iterable[LeftOut]) -> tuple[LeftOut, ...]:
    """Several lists as one, the most frequent first; equal kinds are added up."""
    found: dict[str, LeftOut] = {}
    for one in parts:
        known = found.get(one.what)
        count = one.count if known is None else one.count + known.count
        found[one.what] = LeftOut(count=count, what=one.what, example=(known or one).example, noun=one.noun)
    return tuple(sorted(found.values(), key=lambda one: (-one.count, one.what)))
