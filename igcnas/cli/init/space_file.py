"""A search space as the text of a Python file, each field with its meaning: to be changed and given to --space."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Iterator

from igcnas.search.space import BlockFamily, Meaning, SearchSpace
from igcnas.search.space.space import MEANINGS

_HEAD = '''"""{title}

Delete the families and the choices that you do not want; every field is a tuple of what a search may choose, but for
names, `stages` and `max_width`. The widths are no choice: they follow from the budget.

    {command}
"""

from igcnas.search.space import {names}

SPACE = SearchSpace(
    name={name},
    families=(
{families}
    ),
{fields}
)
'''


def space_file(space: SearchSpace, *, title: str, command: str) -> str:
    """The text; what it defines equals `space`. title: of one line, without quotes. command: that searches it."""
    kinds = sorted({type(family).__name__ for family in space.families} | {"SearchSpace"})
    names = "(\n" + "".join(f"    {name},\n" for name in kinds) + ")"
    fields = [line for name, meaning in MEANINGS.items() for line in _field(name, getattr(space, name), meaning)]
    return _HEAD.format(
        title=_plain(title),
        command=_plain(command),
        names=names,
        name=json.dumps(space.name),
        families="\n".join(f"        {line}" for family in space.families for line in _family(family)),
        fields="\n".join(f"    {line}" for line in fields),
    )


def _family(family: BlockFamily) -> Iterator[str]:
    yield f"# {summary(family)}"
    yield f"{type(family).__name__}("
    for field in dataclasses.fields(family):
        value = getattr(family, field.name)
        meaning = family.meanings.get(field.name)
        if meaning is not None or field.name == "name" or value != field.default:
            yield from (f"    {line}" for line in _field(field.name, value, meaning))
    yield "),"


def summary(family: BlockFamily) -> str:
    """The first sentence of what its class says of itself."""
    first = (inspect.getdoc(type(family)) or "").partition("\n\n")[0]
    return " ".join(first.split())


def _field(name: str, value: object, meaning: Meaning | None) -> Iterator[str]:
    if meaning is not None:
        yield f"# {meaning.what} ({meaning.values})"
    text = repr(value)
    yield f"{name}={text if chr(34) in text else text.replace(chr(39), chr(34))},"


def _plain(text: str) -> str:
    """Text that can stand in a docstring."""
    return text.replace("\\", "\\\\").replace('"""', "'''")
