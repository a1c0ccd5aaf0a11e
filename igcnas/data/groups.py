"""Pictures that belong together: of one patient, one burst, one object. They stay on one side of a split.

A user names them by a CSV file with the columns picture and group, a picture by its path relative to the data folder;
or by a regular expression that is searched in that path, whose first group in parentheses is the name of the group.
Paths have '/' between folders on every system. Pictures that neither names are groups of their own.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from igcnas.errors import DataError
from igcnas.system.reading import read_text
from igcnas.units import counted

_ADVICE = "give a CSV file with the columns picture and group"
_COLUMNS = ("picture", "group")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """A number of its group for each picture; names of those that have one. alone: pictures that are named nowhere."""

    numbers: NDArray[np.int64]
    names: tuple[str, ...]
    alone: int

    def note(self) -> str:
        """What was found, in a sentence."""
        said = f"{counted(len(self.names), 'group')} of pictures that stay on one side of a split"
        return f"{said}; {counted(self.alone, 'picture')} of no group" if self.alone else said


def is_table(spec: str) -> bool:
    """Whether this names a CSV file, not a pattern."""
    return spec.lower().endswith(".csv")


def placed(spec: str) -> str:
    """The same where the working folder is another: the path of a file becomes absolute."""
    return str(Path(spec).expanduser().absolute()) if is_table(spec) else spec


def portable(spec: str | None) -> str | None:
    """What may leave this machine of it: a pattern; of a file nothing."""
    return None if spec is None or is_table(spec) else spec


def grouped(spec: str, pictures: Sequence[str]) -> Grouped:
    """The groups of these pictures, by their paths relative to the data folder; DataError where the spec does not fit.

    The number of a group is its place among the sorted names, those of pictures of no group follow: groups of the same
    pictures have the same numbers wherever the folder lies.
    """
    found = _of_table(Path(spec).expanduser(), pictures) if is_table(spec) else _of_pattern(spec, pictures)
    names = sorted(set(found.values()))
    if not names:
        raise DataError(f"--groups {spec!r} finds a group for none of the {len(pictures):,} pictures, such as "
                        f"{pictures[0]!r}; correct it, or leave it out")  # fmt: skip
    number = {name: place for place, name in enumerate(names)}
    numbers, following = [], len(names)
    for picture in pictures:
        if picture in found:
            numbers.append(number[found[picture]])
        else:
            numbers.append(following)
            following += 1
    return Grouped(numbers=np.array(numbers, np.int64), names=tuple(names), alone=following - len(names))


def shared(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """The groups that are in both."""
    return np.intersect1d(first, second)


def _of_pattern(pattern: str, pictures: Sequence[str]) -> dict[str, str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DataError(f"--groups {pattern!r} is no regular expression ({error}); {_ADVICE}, or correct it") from None
    if not compiled.groups:
        raise DataError(
            f"--groups {pattern!r} has no parentheses around the name of the group, as 'patient(\\d+)_' has; add them"
        )
    found = {}
    for picture in pictures:
        match = compiled.search(picture)
        if match is None:
            continue
        if not match[1]:
            raise DataError(f"--groups {pattern!r} finds an empty name of a group in {picture!r}; correct the pattern")
        found[picture] = match[1]
    return found


def _of_table(path: Path, pictures: Sequence[str]) -> dict[str, str]:
    text = read_text(path, error=DataError, advice=_ADVICE)
    reader = csv.reader(io.StringIO(text))
    try:
        rows = [row for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DataError(f"{str(path)!r} is no CSV file ({error}, line {reader.line_num}); {_ADVICE}") from None
    head = [cell.strip().lower() for cell in rows[0]] if rows else []
    if any(column not in head for column in _COLUMNS):
        has = ", ".join(map(repr, rows[0][:5])) if rows else "no line"
        raise DataError(f"{str(path)!r} has {has} where the columns picture and group must be named; add that line")
    places = [head.index(column) for column in _COLUMNS]
    known = set(pictures)
    found: dict[str, str] = {}
    missing = []
    for row in rows[1:]:
        if len(row) <= max(places) or not all(row[place].strip() for place in places):
            raise DataError(f"{str(path)!r} has a line without a picture or without a group: {','.join(row)[:80]!r}")
        picture, group = PurePosixPath(row[places[0]].strip().replace("\\", "/")).as_posix(), row[places[1]].strip()
        if found.setdefault(picture, group) != group:
            raise DataError(
                f"{str(path)!r} puts {picture!r} into two groups, {found[picture]!r} and {group!r}; keep one"
            )
        if picture not in known:
            missing.append(picture)
    if missing:
        raise DataError(
            f"{str(path)!r} names {counted(len(missing), 'picture')} that the data folder does not have, such as "
            f"{missing[0]!r}; paths are relative to it, such as {pictures[0]!r}"
        )
    return found


def crossing(names: Sequence[str], parts: Mapping[str, NDArray[np.int64]]) -> list[str]:
    """What is to be said where splits of the user's own share groups. parts: the groups of each, by its name."""
    said = []
    every = list(parts.items())
    for place, (name, numbers) in enumerate(every):
        for other, others in every[place + 1 :]:
            both = shared(numbers, others)
            if len(both):
                example = names[int(both[0])]
                number = f"{counted(len(both), 'group')}, such as {example!r}, {'is' if len(both) == 1 else 'are'}"
                said.append(f"{number} in {name} and in {other}: the accuracy there flatters")
    return said
