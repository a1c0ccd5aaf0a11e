"""Rooms: the packages and loose modules directly below igcnas, each folder beside it, and what they import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tools.imports import Imports, circles


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A room.

    Attributes:
        name: as in igcnas.records, or of a folder beside igcnas.
        files: how many.
        lines: of all of them.
        imports: the rooms it imports, in any way.
    """

    name: str
    files: int
    lines: int
    imports: tuple[str, ...]


def room_of(module: str) -> str:
    """The room of a module by its name; igcnas itself is one."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "igcnas" else parts[0]


def rooms(found: Mapping[str, Path], graph: Imports) -> list[Room]:
    """All rooms in the order of imports: what others rest on comes first.

    Rooms in a circle have no order; they stand beside each other, the one with the fewest imports first.

    Args:
        found: every module and its file.
        graph: what each imports.
    """
    members: dict[str, list[str]] = {}
    for name in found:
        members.setdefault(room_of(name), []).append(name)
    arrows = {
        room: {room_of(other) for name in inside for other in graph[name]} - {room} for room, inside in members.items()
    }
    return [
        Room(
            name=room,
            files=len(members[room]),
            lines=sum(len(found[name].read_text(encoding="utf-8").splitlines()) for name in members[room]),
            imports=tuple(sorted(arrows[room])),
        )
        for room in _ordered(arrows)
    ]


def indoors(found: list[Room]) -> list[Room]:
    """Those of igcnas alone."""
    names = {room.name for room in found if room.name.split(".")[0] == "igcnas"}
    return [
        replace(room, imports=tuple(other for other in room.imports if other in names))
        for room in found
        if room.name in names
    ]


def upward(found: list[Room]) -> list[tuple[str, str]]:
    """The arrows against the order: from a room to one that comes after it."""
    place = {room.name: number for number, room in enumerate(found)}
    return [(room.name, other) for room in found for other in room.imports if place[other] > place[room.name]]


def implied(found: list[Room]) -> set[tuple[str, str]]:
    """The arrows that say nothing new: one of the other imports of the room leads there, too."""
    direct = {room.name: set(room.imports) for room in found}
    against = set(upward(found))
    reached: dict[str, set[str]] = {}
    for room in found:
        below = {other for other in direct[room.name] if (room.name, other) not in against}
        reached[room.name] = below.union(*(reached[other] for other in below))
    return {
        (name, other)
        for name, imports in direct.items()
        for other in imports
        if (name, other) not in against
        and any(other in reached[third] for third in imports - {other} if (name, third) not in against)
    }


def _ordered(arrows: Mapping[str, set[str]]) -> list[str]:
    circle = {name: tuple(group) for group in circles(arrows) for name in group}
    heights: dict[tuple[str, ...], int] = {}

    def height(group: tuple[str, ...]) -> int:
        if group not in heights:
            below = {circle.get(other, (other,)) for name in group for other in arrows[name]} - {group}
            heights[group] = max((height(other) + 1 for other in below), default=0)
        return heights[group]

    def place(name: str) -> tuple[int, tuple[str, ...], int, str]:
        group = circle.get(name, (name,))
        return height(group), group, len(arrows[name].intersection(group)), name

    return sorted(arrows, key=place)
