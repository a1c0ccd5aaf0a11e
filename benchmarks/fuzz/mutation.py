"""Damage: bytes are flipped, cut, spliced and repeated; JSON keeps its form and changes its meaning.

Convention: all chance comes from the `Random` that is given, so that an input is known by its seed and number.
"""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any

EXTREMES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 255, 2**31, 2**53 + 1, 2**63, -(2**63), 2**70, 10**12, 10**30, 10**400, 0.5, -0.5,
    1e308, -1e308, 1e-320, float("nan"), float("inf"), float("-inf"), "", "x", "0", "-1", "1e9", "nan", "a" * 5000,
    "\x00", "\x1b[31m", "\u202e", "\ud800", "../../etc", "/", "=1+1", "<script>", "$\\frac$", [], [[]], {}, {"": {}},
    [None] * 50, "9" * 5000,
)  # fmt: skip
_BYTES = (0, 1, 0x0A, 0x22, 0x28, 0x2C, 0x30, 0x39, 0x5B, 0x5C, 0x7B, 0x7F, 0x80, 0xC3, 0xED, 0xFF)


def damaged(random: Random, content: bytes, *, other: bytes = b"") -> bytes:
    """The content after one to four kinds of damage; `other` is spliced in where it is given."""
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        place = random.randrange(len(data) + 1)
        end = min(len(data), place + random.choice((1, 2, 4, 16, 200)))
        kind = random.randrange(8)
        if kind == 0 and data:
            data[place % len(data)] ^= 1 << random.randrange(8)
        elif kind == 1 and data:
            data[place % len(data)] = random.choice(_BYTES)
        elif kind == 2:
            del data[place:end]
        elif kind == 3:
            del data[place:]
        elif kind == 4:
            data[place:place] = data[place:end] * random.choice((1, 2, 50))
        elif kind == 5:
            data[place:place] = random.randbytes(end - place)
        elif kind == 6:
            start = random.randrange(len(other) + 1)
            data[place:end] = other[start : start + random.choice((4, 40, 400))]
        else:
            data[place:end] = random.choice((b"\x00", b"\xff", b"\x7f\xff\xff\xff", b"\n", b"{", b'"')) * (end - place)
    return bytes(data)


def changed(random: Random, value: Any) -> Any:
    """Plain data with one to three of its parts changed: another value, none, a second one, another place."""
    found = copy.deepcopy(value)
    for _ in range(random.choice((1, 1, 2, 3))):
        places = _places(found)
        if not places:
            return random.choice(EXTREMES)
        holder, key = random.choice(places)
        kind = random.randrange(6)
        if kind == 0:
            del holder[key]
        elif kind == 1:
            holder[key] = copy.deepcopy(random.choice(places)[0])
        elif kind == 2 and isinstance(holder[key], int | float) and holder[key] == holder[key]:
            holder[key] = holder[key] * random.choice((-1, 0, 2, 10**6, 0.5))
        elif kind == 3 and isinstance(holder, dict):
            holder[random.choice(("", "kind", "format", str(key) + "x"))] = holder.pop(key)
        elif kind == 4 and isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        else:
            holder[key] = copy.deepcopy(random.choice(EXTREMES))
    return found


def changed_json(random: Random, value: Any) -> bytes:
    """The same as text, sometimes damaged as bytes, too."""
    if random.random() < 0.3:
        return damaged(random, json.dumps(value).encode(), other=b'{"a": [1e400, NaN], "\\ud800": "\xff"}')
    try:
        return json.dumps(changed(random, value)).encode()
    except (ValueError, RecursionError):  # a part that now holds itself, a number of too many digits
        return b'{"a": ' + b"9" * 5000 + b"}"


def text(random: Random) -> str:
    """A name that somebody might give."""
    parts = (
        *("a", "Ann", " ", "\n", "\r", "\t", "\x00", "\x1b]0;x\x07", "\x9b31m", "\u202e", "\u2066", "\u200b", "\ud800"),
        *(
            "<img src=x>",
            "[x](http://y)",
            "|",
            "`",
            "$\\alpha$",
            "$",
            "\\",
            '"',
            "'",
            '"""',
            "{}",
            "{0}",
            "%s",
            "&amp;",
        ),
        *("=cmd", "-2", "@x", "é", "日本", "/", "..", "~", "[red]", "😀", "#", "*", "__"),
    )
    return "".join(random.choice(parts) for _ in range(random.choice((0, 1, 2, 3, 6, 40))))


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (holder, key) within plain data."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting and len(found) < 5000:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder) if isinstance(holder, list) else 0))
        found += [(holder, key) for key in keys]
        waiting += [holder[key] for key in keys]
    return found
