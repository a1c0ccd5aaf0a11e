"""`key=value` words of a command line."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from igcnas.errors import ArchitectureError, unknown_name
from igcnas.system.checks import shown

_LONGEST = 60  # characters of a word in a message


def assignments(words: Sequence[str], *, owner: str, known: Collection[str], example: str) -> dict[str, str]:
    """Text by key. ArchitectureError for a word of another form, for an unknown key, and for one given twice."""
    texts: dict[str, str] = {}
    for word in words:
        key, separator, text = word.partition("=")
        if not separator:
            raise ArchitectureError(f"{shown(word)} is not of the form key=value, as in {example}")
        if key not in known:
            raise ArchitectureError(unknown_name(f"parameter of {owner}", key[:_LONGEST], known))
        if key in texts:
            raise ArchitectureError(f"{key} is given twice; give it once")
        texts[key] = text
    return texts
