"""A named family of networks, and how its parameters are read from the words of a command line."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from igcnas.errors import ArchitectureError
from igcnas.network.architecture import Architecture
from igcnas.network.keywords import assignments
from igcnas.system.bounds import DIGITS
from igcnas.system.checks import shown

AUTO = "auto"  # the word for a parameter that is not given: another one decides

_COMMON = {
    "dataset": "cifar (32x32, 10 classes) or imagenet (224x224, 1000 classes); decides the strides, too",
    "classes": "classes; auto: those of the data set",
    "size": "height and width of the images; auto: those of the data set",
    "channels": "channels of the images",
}
_WORDS = {"true": True, "false": False, "1": True, "0": False}
_PARAMETER = re.compile(r"^(\w+): (.+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A named family of networks; its parameters are the keyword parameters of `build`.

    The documentation of `build` says what it is and which paper says so, then each parameter on a line `name: meaning`.
    """

    name: str
    build: Callable[..., Architecture]

    @property
    def summary(self) -> str:
        """What it is and which paper says so."""
        return self._documentation()[0]

    @property
    def parameters(self) -> dict[str, Any]:
        """Name and default of each parameter; 'auto' where another parameter decides."""
        defaults = {name: parameter.default for name, parameter in inspect.signature(self.build).parameters.items()}
        return {name: AUTO if default is None else default for name, default in defaults.items()}

    @property
    def words(self) -> list[str]:
        """Each parameter with its default as a word of the command line."""
        defaults = self.parameters.items()
        return [f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in defaults]

    @property
    def meanings(self) -> dict[str, str]:
        """Name and meaning of each parameter."""
        found = _COMMON | self._documentation()[1]
        return {name: found.get(name, "") for name in self.parameters}

    def _documentation(self) -> tuple[str, dict[str, str]]:
        """The text, and the meaning of each parameter; indented lines continue a meaning."""
        text: list[str] = []
        meanings: dict[str, str] = {}
        current = ""
        for line in (inspect.getdoc(self.build) or "").splitlines():
            match = _PARAMETER.match(line)
            if match is not None and match[1] in self.parameters:
                current = match[1]
                meanings[current] = match[2]
            elif current and line.startswith(" "):
                meanings[current] += " " + line.strip()
            else:
                current = ""
                text.append(line)
        return "\n".join(text).strip(), meanings

    def from_text(self, words: list[str]) -> Architecture:
        """The network of `key=value` words, as a command line has them."""
        types = typing.get_type_hints(self.build)
        texts = assignments(words, owner=self.name, known=self.parameters, example="classes=10")
        return self.build(**{key: _parse_value(key, text, types[key]) for key, text in texts.items()})


def _parse_value(key: str, text: str, kind: Any) -> Any:
    options = typing.get_args(kind) or (kind,)
    if type(None) in options and text == AUTO:
        return None
    known: dict[Any, Callable[[str], Any]] = {bool: lambda word: _WORDS[word.lower()]}
    try:
        if options[0] is not str and len(text) > DIGITS:
            raise ValueError(text)
        return known.get(options[0], options[0])(text)
    except (ValueError, KeyError):
        expected = {bool: "true or false", int: "a whole number", float: "a number"}.get(options[0], "text")
        raise ArchitectureError(f"{key}={shown(text)}: {expected} is expected") from None
