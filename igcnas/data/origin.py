"""Where the images of a data set come from, and what was left out of it: in words, so that nothing goes in silence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_UNREADABLE = "that cannot be decoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """So many files (or arrays) of one kind that play no part, and one of them.

    every: all of them, of a kind that is worth listing: pictures that cannot be decoded.
    """

    count: int
    what: str
    example: str
    noun: str = "file"
    every: tuple[str, ...] = ()

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
        every = one.every if known is None else known.every + one.every
        found[one.what] = LeftOut(
            count=count, what=one.what, example=(known or one).example, noun=one.noun, every=every
        )
    return tuple(sorted(found.values(), key=lambda one: (-one.count, one.what)))


def unreadable(paths: Sequence[str], bad: Sequence[tuple[int, str]]) -> tuple[LeftOut, ...]:
    """Pictures that give no image, by position and reason; nothing where there are none."""
    named = tuple(f"{paths[i]} ({reason})" for i, reason in bad)
    return (LeftOut(count=len(named), what=_UNREADABLE, example=named[0], every=named),) if named else ()
